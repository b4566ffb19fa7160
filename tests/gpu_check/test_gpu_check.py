"""`python -m gpu_check`: how it runs and reports; each check on a CPU, without a fault and with a planted one."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import InputError
from gpu_check import bounds, commands, devices, gans, layers, mirrored, runner, speed, steps, twins
from gpu_check.bounds import CheckFailed, CheckSkipped
from gpu_check.sizes import CPU, GPU, Sizes, for_device

ROOT = Path(__file__).parents[2]
TINY = Sizes(width=8, depth=2, channels=4, batch=4, compiled=False, training_steps=60)
TINY = dataclasses.replace(TINY, speed_width=8, speed_depth=2, speed_batch=4, speed_steps=1)
DEVICE = "CPU:0"


@pytest.fixture(autouse=True, scope="module")
def eagerly():
    """Without graphs, whose tracing would take most of the time; the slow tests run the checks as they are."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# The runner


def passes(name):
    return {"status": "passed", "seconds": 1.0, "figures": {"name": name}}


def fails(name):
    return {"status": "failed", "seconds": 1.0, "reason": f"{name} | broke"}


def test_it_stops_at_the_first_failure(capsys):
    ran = []

    def run(name):
        ran.append(name)
        return fails(name) if name == "layers" else passes(name)

    results = runner.run_checks(["device", "layers", "variables", "speed"], run)
    assert ran == ["device", "layers"]
    assert [result["check"] for result in results] == [*runner.CHECKS]
    statuses = {result["check"]: result["status"] for result in results}
    assert statuses == dict.fromkeys(runner.CHECKS, "not run") | {"device": "passed", "layers": "failed"}
    assert capsys.readouterr().err == "device: passed, 1 s\nlayers: failed, 1 s\n"


def test_the_table():
    skipped = {"check": "memory", "status": "skipped", "seconds": 2.5, "reason": "no GPU"}
    warned = {
        "check": "speed",
        "status": "passed",
        "seconds": 3,
        "figures": {"a": 1, "b": 2.5},
        "warnings": ["slow"],
    }
    failed = {"check": "layers"} | fails("x")
    assert runner.table([skipped, warned, failed, {"check": "gans", "status": "not run"}]).splitlines()[2:] == [
        "| memory | skipped | 2.5 |  | no GPU |",
        "| speed | passed | 3 | a 1, b 2.5 | slow |",
        "| layers | failed | 1.0 |  | x \\| broke |",
        "| gans | not run |  |  |  |",
    ]


def child(program, timeout=20):
    """What comes of a program in a child's place; `path` is where its result goes."""
    text = (
        f"import json, os, signal, subprocess, sys, time\npath = sys.argv[1].removeprefix('--result=')\n{program}"
    )
    return runner.run_child([sys.executable, "-c", text], timeout)


def test_a_result_is_passed_on():
    result = child("json.dump({'status': 'passed', 'figures': {'x': 1}}, open(path, 'w'))")
    assert result.pop("seconds") >= 0
    assert result == {"status": "passed", "figures": {"x": 1}}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("sys.exit('first\\nlast')", "exit status 1: last"),
        ("print('Fatal', file=sys.stderr, flush=True); os.kill(os.getpid(), 11)", "killed by SIGSEGV: Fatal"),
        ("pass", "exit status 0: nothing on stderr"),
        ("json.dump({'status': 'passed'}, open(path, 'w')); os.abort()", "killed by SIGABRT: "),
        ("sys.exit(2)", "exit status 2: nothing on stderr"),
    ],
)
def test_a_crash_is_a_failure(program, reason):
    result = child(program)
    assert result["status"] == "failed" and result["reason"].startswith(reason)


def test_a_timeout_is_a_failure_and_leaves_no_process(tmp_path):
    pid = tmp_path / "pid"
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    program = f"p = subprocess.Popen({sleeper}); open({str(pid)!r}, 'w').write(str(p.pid))"
    began = time.monotonic()
    result = child(f"{program}\nprint('asleep', file=sys.stderr, flush=True); time.sleep(60)", timeout=1)
    assert result["status"] == "failed" and result["reason"] == "no result after 1 seconds: asleep"
    assert result["stderr"] == ["asleep"] and time.monotonic() - began < 20
    for _ in range(100):  # a killed orphan is gone once init has reaped it
        status = Path(f"/proc/{pid.read_text()}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child's own child is alive")


def test_no_gpu_is_bad_input():
    with pytest.raises(InputError, match="^--device must .* no GPU$"):
        child("sys.exit(print('error: --device must ... no GPU', file=sys.stderr) or 2)")
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(InputError, match="Received: GPU:0, but TensorFlow lists no GPU.*make install GPU=1"):
            devices.wake("GPU:0")


def command(*flags, stub=None):
    """A run of `python -m gpu_check`, with a stub, a Python expression, for `runner.run_check`."""
    program = "import sys\nfrom gpu_check import runner\nfrom common.cli import InputError, run\n"
    program += f"runner.run_check = {stub}\n" if stub else ""
    program += "from gpu_check import __main__ as program\nrun(program.main)"
    return subprocess.run([sys.executable, "-c", program, *flags], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checks=layers,speeed"], "--checks must be names among device, .*speed. Received: 'speeed'"),
        (["--device=TPU:0"], ".*device.*TPU:0"),
        (["--report=/proc/no/report.json"], "--report must be a file that can be written. Received: /proc/no"),
    ],
)
def test_bad_flags(flags, message):
    result = command(*flags, stub="None")
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1
    assert re.match(f"error: {message}", result.stderr)


def test_the_report_and_the_status(tmp_path):
    report = tmp_path / "deep" / "report.json"
    stub = "lambda name, device: {'status': 'failed' if name == 'gans' else 'passed', 'seconds': 1, 'figures': {}}"
    result = command("--checks=device,gans,speed", "--device=CPU:0", f"--report={report}", stub=stub)
    assert result.returncode == 1 and "| gans | failed | 1 |  |  |\n" in result.stdout
    written = json.loads(report.read_text())
    assert written["device"] == "CPU:0"
    assert [c["status"] for c in written["checks"] if c["status"] != "not run"] == ["passed", "failed"]
    result = command("--checks=device,speed", "--device=CPU:0", f"--report={report}", stub=stub)
    assert result.returncode == 0 and result.stdout.startswith("| check | result |")
    refusing = "lambda name, device: (_ for _ in ()).throw(InputError('--device must be there'))"
    result = command("--device=GPU:0", f"--report={report}", stub=refusing)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "error: --device must be there\n")


def test_what_a_child_says(tmp_path):
    """A figure, a skipped check, a failed one and an exception, each by a check in a process of its own."""
    for body, expected in {
        "return {'x': 1, 'warnings': ['w']}": {"status": "passed", "warnings": ["w"], "figures": {"x": 1}},
        "raise CheckSkipped('not here')": {"status": "skipped", "reason": "not here"},
        "raise CheckFailed('a\\nb')": {"status": "failed", "reason": "a b"},
        "raise AssertionError('c')": {"status": "failed", "reason": "c"},
        "raise OSError('d\\ne')": {"status": "failed", "reason": "OSError: d e"},
    }.items():
        program = (
            "from gpu_check import devices, runner\nfrom gpu_check.bounds import CheckFailed, CheckSkipped\n"
            f"def check(device, sizes):\n    {body}\n"
            "devices.wake = lambda *_, **__: None\nrunner.find = lambda name: check\n"
            "from common import cli\nfrom gpu_check import __main__ as program\ncli.run(program.main)"
        )
        path = tmp_path / "result.json"
        flags = ["--checks=layers", "--device=CPU:0", f"--result={path}"]
        ran = subprocess.run([sys.executable, "-c", program, *flags], cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(path.read_text()) == expected


def test_environment_and_sizes(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runner.environment("CPU:0")["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "CUDA_VISIBLE_DEVICES" not in runner.environment("GPU:0")
    assert for_device("GPU:0") is GPU and for_device("CPU:1") is CPU
    assert GPU.compiled and CPU.compiled and GPU.batch % 4 == CPU.batch % 4 == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bounds_refuse_what_is_no_number(value):
    with pytest.raises(CheckFailed, match="an error must be at most 0.001. Received: (nan|inf)"):
        bounds.at_most("step logs", value, "an error")
    with pytest.raises(CheckFailed, match="a cosine must be at least 0.99"):
        bounds.at_least("gradient cosine", -value, "a cosine")


# The checks, with a CPU in the GPU's place


IN_PROCESS = (
    "device",
    "layers",
    "variables",
    "acai_step",
    "compiled_step",
    "overflow",
    "gans",
    "release",
    "speed",
)


@pytest.mark.parametrize("name", IN_PROCESS)
def test_a_check_passes(name):
    figures = runner.find(name)(DEVICE, TINY)
    assert figures and json.dumps(figures)


@pytest.mark.slow
@pytest.mark.parametrize("name", runner.CHECKS)
def test_the_real_check_on_a_second_cpu(name):
    result = runner.run_check(name, "CPU:1")
    assert result["status"] == ("skipped" if name == "memory" else "passed"), result


@pytest.mark.gpu
@pytest.mark.parametrize("name", runner.CHECKS)
def test_the_real_check_on_a_gpu(name):
    result = runner.run_check(name, "GPU:0")
    assert result["status"] == "passed", result


# Planted faults


def second_faulty(make, spoil):
    """A function like `make` whose results from the second on, those on the device, are spoilt."""
    made = []

    def makes(*args, **options):
        made.append(make(*args, **options))
        if len(made) > 1:
            spoil(made[-1])
        return made[-1]

    return makes


def test_device_fails_for_an_old_gpu():
    with pytest.raises(CheckFailed, match="capability must be at least 6.0. Received: 5.2"):
        devices.judged_capability((5, 2))
    assert devices.judged_capability((7, 5)) == {"capability": "7.5", "warnings": []}
    for capability in ((6, 1), (12, 0)):
        assert devices.judged_capability(capability)["warnings"]


def test_memory(monkeypatch):
    monkeypatch.setattr(devices, "PRODUCT", "print({0!r})")
    with pytest.raises(CheckSkipped, match="CPU"):
        devices.memory(DEVICE, TINY)
    monkeypatch.setattr(devices, "product", lambda device: None)
    said = ["3000", "15000"]
    monkeypatch.setattr(devices, "nvidia_smi", lambda *fields: said)
    assert devices.memory("GPU:0", TINY) == {"used_mib": "3000", "total_mib": "15000"}
    said[0] = "14000"
    with pytest.raises(CheckFailed, match="memory in use, by all processes, must be at most 0.5. Received: 0.933"):
        devices.memory("GPU:0", TINY)
    said[:] = ["unknown", "unknown"]
    assert devices.memory("GPU:0", TINY)["used_mib"] == "unknown"
    monkeypatch.setattr(devices, "PRODUCT", "raise MemoryError('out of memory on {0}')")
    with pytest.raises(CheckFailed, match="second process .* Received: MemoryError: out of memory on CPU:0"):
        devices.memory(DEVICE, TINY)


def test_a_wrong_product_and_a_wrong_place(monkeypatch):
    with pytest.raises(CheckFailed, match="must lie on GPU:0. Received: CPU:0"):
        devices.require_on("GPU:0", {"x": tf.ones(2)})
    monkeypatch.setattr(tf, "reduce_sum", lambda x: x[0, 0])
    with pytest.raises(CheckFailed, match="must sum to"):
        devices.product(DEVICE)


class Faulty(keras.layers.Layer):
    """x -> a x and a statistic, of which one part is off by a thousandth where `wrong` names it."""

    wrong = ""

    def build(self, shape):
        self.scale = self.add_weight((), "ones", name="scale")
        self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

    def call(self, inputs):
        off = {name: 1.001 if name == self.wrong else 1.0 for name in ("outputs", "input", "scale", "seen")}
        self.seen.assign(tf.cast(off["seen"], tf.float32))

        @tf.custom_gradient
        def multiply(x, a):
            return x * a * off["outputs"], lambda dy: (off["input"] * a * dy, off["scale"] * tf.reduce_sum(x * dy))

        return multiply(inputs, tf.convert_to_tensor(self.scale))


@pytest.mark.parametrize("wrong", ["", "outputs", "input", "scale", "seen"])
def test_layers_fails_for_a_wrong_part(wrong, monkeypatch):
    make = second_faulty(lambda channels, dtype: Faulty(dtype=dtype), lambda layer: setattr(layer, "wrong", wrong))
    monkeypatch.setattr(layers, "LAYERS", {"Faulty": (make, ["maps"])})
    if not wrong:
        assert layers.layers(DEVICE, TINY)["layers"] == 1
        return
    with pytest.raises(CheckFailed, match=f"error of .*{wrong}.* of Faulty in float32.* at most 0.0001"):
        layers.layers(DEVICE, TINY)


def test_variables_fails_for_types_and_places(monkeypatch):
    monkeypatch.setattr(steps, "every_trick", lambda *_: steps.classifier("plain"))
    monkeypatch.setattr(steps, "spectral", lambda *_: steps.classifier("plain"))
    with monkeypatch.context() as patch:
        plain = steps.classifier

        def with_host_variable(architecture):
            model = plain(architecture)
            step = model.state
            model.state = lambda: step() | {"counter": keras.Variable(0, dtype="int32")}
            return model

        patch.setattr(steps, "classifier", with_host_variable)
        with pytest.raises(CheckFailed, match="counter must be int64 or a float. Received: int32"):
            steps.variables(DEVICE, TINY)
    monkeypatch.setattr(steps, "on", lambda device, make: make())
    with pytest.raises(CheckFailed, match="must lie on GPU:0. Received: CPU:0"):
        steps.variables("GPU:0", TINY)


def spoil_critic(model):
    model.optimizers["critic"].beta_1 = 0.5


def spoil_seed(model):
    model.seed += 1


def spoil_average(model):
    model.ema_rate = 0.09


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_critic, "change of critic/"),
        pytest.param(spoil_seed, "error of .*_loss", marks=pytest.mark.slow),
        pytest.param(spoil_average, "change of encoder/", marks=pytest.mark.slow),
    ],
)
def test_acai_step_fails_for_another_step(spoil, message, monkeypatch):
    monkeypatch.setattr(steps, "acai", second_faulty(steps.acai, spoil))
    with pytest.raises(CheckFailed, match=message):
        steps.acai_step(DEVICE, TINY)


def spoil_critic_weight(model):
    model.adversaries[0].mix_weight = 0.0  # a term of the autoencoder's loss is lost


def spoil_loss_scale(model):
    for optimizer in model.optimizers.values():
        optimizer.dynamic_scale.assign(2.0**100)


@pytest.mark.parametrize("spoil", [spoil_critic_weight, pytest.param(spoil_loss_scale, marks=pytest.mark.slow)])
def test_compiled_step_fails_for_wrong_gradients(spoil, monkeypatch):
    monkeypatch.setattr(steps, "acai", second_faulty(steps.acai, spoil))
    with pytest.raises(CheckFailed, match="cosine of the .*'s gradient .* must be at least 0.99"):
        steps.compiled_step(DEVICE, TINY)


def test_overflow_fails_without_loss_scaling(monkeypatch):
    monkeypatch.setattr(steps, "acai", lambda sizes, precision: twins.acai(sizes, "float32"))
    with pytest.raises(CheckFailed, match="must not change by an overflow in the images|must halve"):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize(
    ("forgetful", "message"),
    [("halving", "must halve all"), pytest.param("moving", "must change by", marks=pytest.mark.slow)],
)
def test_overflow_fails_for_other_scales_or_no_step(forgetful, message, monkeypatch):
    def make(sizes, precision):
        model = twins.acai(sizes, precision)
        if forgetful == "moving":  # every step overflows
            model.latent_classifier.trainable_variables[0].assign(np.full((64, 3), np.inf))
        return model

    monkeypatch.setattr(steps, "acai", make)
    if forgetful == "halving":
        monkeypatch.setattr(steps, "scales", lambda model: {"critic": 2.0**15})
    with pytest.raises(CheckFailed, match=message):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize("name", ["power_iteration", "sigma"])
def test_gans_fails_for_a_wrong_spectral_norm(name, monkeypatch):
    right = getattr(gans.SpectralConv2D, name)
    wrong = {"power_iteration": lambda self: None, "sigma": lambda self: 1.01 * right(self)}[name]
    monkeypatch.setattr(gans.SpectralConv2D, name, wrong)
    with pytest.raises(CheckFailed, match="sigma or u of SpectralConv2D"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_for_another_step_and_for_nan(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(gans, "every_trick", second_faulty(gans.every_trick, spoil_seed))
        gans.every_trick.__name__ = "every_trick"
        with pytest.raises(CheckFailed, match="in a step of the GAN 'every_trick' must be at most"):
            gans.gans(DEVICE, TINY)
    monkeypatch.setattr(gans, "compare_training", lambda *_: {})
    monkeypatch.setattr(gans, "take_steps", lambda *_: [{"generator_loss": np.nan}])
    with pytest.raises(CheckFailed, match="logs of the GAN 'every_trick' .* Received: .*generator_loss"):
        gans.gans(DEVICE, TINY)


def spoil_penalty(model):
    model.penalties[0].weight = 10.1


def test_gans_fails_for_another_gradient_penalty(monkeypatch):
    make = second_faulty(gans.spectral, spoil_penalty)
    with pytest.raises(CheckFailed, match="change of discriminator"):
        twins.compare_training(lambda: make(TINY), DEVICE, TINY, 1)


TRAINING = """
import json, os, signal, sys, time
run, fault = sys.argv[1:]
os.makedirs(f"{run}/checkpoints", exist_ok=True)
path, stopped = f"{run}/metrics.jsonl", []
steps = [json.loads(line)["step"] for line in open(path)] if os.path.exists(path) else []
if fault == "dies":
    sys.exit("Killed by fault")
if steps and steps[-1] == 60:
    sys.exit(print("" if fault == "forgets" else "run is finished") or 0)
signal.signal(signal.SIGTERM, lambda *_: None if fault == "deaf" else stopped.append(1))
for step in range(steps[-1] + 1 if steps else 1, 61):
    if step == 20:
        open(f"{run}/checkpoints/1.npz", "w").close()
        time.sleep(0.2)
    if step % 5 == 0 or stopped:
        steps.append(step)
    if stopped:
        break
if fault == "twice":
    steps = [steps[0]] + steps
with open(path, "w") as file:
    file.writelines(json.dumps({"step": step}) + chr(10) for step in steps)
if stopped:
    print("stopped by SIGTERM; saved")
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("", ""),
        ("dies", "end with status 0. Received: 1, Killed by fault"),
        ("deaf", "tell of SIGTERM"),
        ("twice", "logged once"),
        ("forgets", "finished run must say so"),
    ],
)
def test_training(fault, message, monkeypatch):
    """With a program in train.py's place that logs and stops as it does, but for a fault."""
    monkeypatch.setattr(commands, "training_command", lambda run, _: [sys.executable, "-c", TRAINING, run, fault])
    if not fault:
        assert commands.training(DEVICE, TINY) == {"stopped_at": 20, "finished_at": 60}
        return
    with pytest.raises(CheckFailed, match=message):
        commands.training(DEVICE, TINY)


def test_training_that_hangs(monkeypatch):
    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.3)
    with pytest.raises(CheckFailed, match="status 0. Received: none after 0.3 seconds"):
        commands.run_training([sys.executable, "-c", "import time; time.sleep(60)"], DEVICE)


def test_training_command_is_one_that_train_takes():
    command = commands.training_command(Path("run"), 300)
    assert os.path.exists(command[1]) and "--config.train.total_kimg=4.8" in command
    assert "--config.train.save_every_kimg=0.8" in command and "--config.train.log_every_kimg=0.08" in command


def test_release_fails_for_other_pictures_or_codes(monkeypatch):
    from acai import inference
    from training import acai

    decode, calls = inference.ReleasedACAI.decode, []

    def brighter(self, latents):
        calls.append(self)
        return decode(self, latents) + 0.02 * (len(calls) > 1)

    with monkeypatch.context() as patch:
        patch.setattr(inference.ReleasedACAI, "decode", brighter)
        with pytest.raises(CheckFailed, match="grey levels between .* must be at most 1. Received: [23]"):
            commands.release(DEVICE, TINY)
    golden = acai.golden_outputs
    monkeypatch.setattr(
        acai, "golden_outputs", lambda *args: {name: array + 0.01 for name, array in golden(*args).items()}
    )
    with pytest.raises(CheckFailed, match="golden output"):
        commands.release(DEVICE, TINY)


def test_copies_that_differ_or_stand_still():
    def two(value, apart=0.0):
        return [np.float32([value]), np.float32([value + apart])]

    before, after = {"w": two(1), "moving_mean": two(0)}, {"w": two(2), "moving_mean": two(0.5), "step": two(2)}
    assert mirrored.compare_copies("GAN", before, after) == {"GAN_variables": 3}
    with pytest.raises(CheckFailed, match="copies of moving_mean of the GAN must be equal. Received: 0.25 apart"):
        mirrored.compare_copies("GAN", before, after | {"moving_mean": two(0.5, apart=0.25)})
    with pytest.raises(CheckFailed, match="most variables .* Received: 1 of 2"):
        mirrored.compare_copies("GAN", before, after | {"moving_mean": two(0)})
    with pytest.raises(CheckFailed, match="2 replicas. Received: 1"):
        mirrored.mirrored(DEVICE, TINY)


def test_speed_only_warns():
    rates = {("float32", False): 100.0, ("float32", True): 90.0, ("mixed_float16", True): 95.0}
    assert speed.warnings_of(rates) == ["float32_compiled is 0.90 times as fast as float32_uncompiled"]
    rates |= {("float32", True): 110.0, ("mixed_float16", False): 90.0}
    assert speed.warnings_of(rates) == [
        "mixed_float16_compiled is 0.86 times as fast as float32_compiled",
        "mixed_float16_uncompiled is 0.90 times as fast as float32_uncompiled",
    ]

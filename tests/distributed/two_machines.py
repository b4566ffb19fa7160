"""train.py as two workers on a private loopback; tests/common/distribute/test_distribution.py runs these tests.

TensorFlow listens on every interface, so run them in a network namespace:
unshare -rn sh -c "ip link set lo up; python -m pytest tests/distributed/two_machines.py"
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[2]
PATIENCE = 900  # seconds, for a busy machine
DETECTION_SECONDS = 240  # limit to detect a lost worker; about 15 on an idle machine
SHARED = ("--config.train.precision=float32", "--config.train.jit_compile=off", "--config.train.batch_size=8")
SHARED += ("--config.train.pictures_every_kimg=0", "--config.train.release_every_kimg=0")
SHARED += ("--config.train.log_every_kimg=0.016", "--config.train.save_every_kimg=0.04")  # 2 and 5 steps
ACAI = (f"--config={ROOT}/configs/acai.py:lines", "--config.model.depth=2", "--config.model.critic_depth=2")
ACAI += ("--config.model.latent_channels=2", "--config.train.bank_per_class=(6,2)", *SHARED)
ACAI += ("--config.train.schedule=constant",)  # the runs differ in total_kimg
GAN = (
    f"--config={ROOT}/configs/gan.py:cgan",
    "--config.model.generator_channels=2",
    "--config.model.noise_size=4",
)
GAN += ("--config.model.discriminator_channels=2", "--config.data.source=folder", *SHARED)
PROGRAM = """
import faulthandler, sys
limit, wait = faulthandler.dump_traceback_later, int(sys.argv.pop(1))
faulthandler.dump_traceback_later = lambda seconds, **options: limit(wait, **options)
import train
train.cli.run(train.main, train.define_config)
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def cluster():
    return [f"127.0.0.1:{port}" for port in free_ports(2)]


@contextlib.contextmanager
def started(flags, workdir, steps, addresses, numbers=(0, 1), wait=PATIENCE, more=((), ())):
    """Starts workers with these indices. The --workdir of the second cannot be created."""
    processes = []
    for number in numbers:
        where = [workdir, "/proc/no/such/folder"][number]
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        flags_here = [*flags, *more[number], f"--workdir={where}", f"--config.train.total_kimg={steps * 8 / 1000}"]
        command = [sys.executable, "-c", PROGRAM, str(wait), *flags_here, "--config.train.strategy=multi_worker"]
        options = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        processes.append(subprocess.Popen(command, env=environment | {"TF_CONFIG": json.dumps(task)}, **options))
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


def finish(*arguments, **options):
    """Returns [(stdout, stderr)] of workers, which must end with status 0."""
    with started(*arguments, **options) as processes:
        ended = [process.communicate(timeout=PATIENCE) for process in processes]
        assert [process.returncode for process in processes] == [0] * len(processes), ended
    return ended


def alone(flags, workdir, steps):
    command = [sys.executable, ROOT / "train.py", *flags, f"--workdir={workdir}"]
    command += [f"--config.train.total_kimg={steps * 8 / 1000}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)


def newest(workdir):
    with contextlib.suppress(FileNotFoundError):
        return max((int(n[:9]) for n in os.listdir(workdir / "checkpoints") if n[0] != "."), default=0)
    return 0


def wait_for_checkpoint(processes, workdir, after):
    deadline = time.monotonic() + PATIENCE
    while newest(workdir) <= after:
        assert all(process.poll() is None for process in processes), [p.communicate() for p in processes]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logs(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def assert_ended_in_a_line(process, *words):
    """Asserts status 2 and one error line, after the message of waiting and any logs."""
    _, stderr = process.communicate(timeout=DETECTION_SECONDS)
    assert process.returncode == 2, stderr
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and stderr.endswith(errors[0] + "\n"), stderr
    assert "Traceback" not in stderr and not re.search(r"^[IWEF]\d{4} ", stderr, re.MULTILINE)
    for word in words:
        assert word in errors[0]


def assert_same(two, one, step):
    """Asserts that two run directories have the same logs and weights of a step, up to speed and rounding."""
    for log, expected in zip(logs(two), logs(one), strict=True):
        del log["images_per_second"], expected["images_per_second"]
        assert log == pytest.approx(expected, rel=1e-3, abs=1e-5)
    (_, arrays), (_, expected) = (Checkpoints(run / "checkpoints").load_latest() for run in (two, one))
    assert int(arrays["step"]) == step and arrays.keys() == expected.keys()
    differences = [np.abs(arrays[name] - expected[name]).ravel() for name in arrays if "optimizer" not in name]
    # a weight of almost no gradient moves by the sign of its rounding
    assert np.mean(np.concatenate(differences) > 2e-5) < 0.01


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name in ("bird", "horse"):
        (folder / name).mkdir()
        for number in range(20):
            pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.mark.parametrize("family", ["acai", "gan"])
def test_as_one_machine_would(family, images, tmp_path):
    """Losses and weights equal those of one machine. Only the chief writes; the other worker needs no folder."""
    flags = ACAI if family == "acai" else (*GAN, f"--config.data.image_folder={images}")
    two, one, steps = tmp_path / "two", tmp_path / "one", 6
    (_, chief), (stdout, other) = finish(flags, two, steps, cluster())
    assert stdout == "" and "kimg" in chief and "kimg" not in other
    alone(flags, one, steps)
    assert [log["step"] for log in logs(two)] == [2, 4, 6]
    assert_same(two, one, steps)
    names = {path.name.partition(".")[0] for path in two.iterdir() if path.name != ".lock"}
    assert names == {"checkpoints", "config", "events", "metrics", "pictures", "release"}
    (said, _), (nothing, _) = finish(flags, two, steps, cluster())
    assert "finished" in said and nothing == ""


def test_a_worker_dies_and_all_go_on(tmp_path):
    """SIGKILL of either worker ends the other with an error line. SIGTERM of one stops both after a checkpoint."""
    workdir, before = tmp_path / "run", 0
    for victim in (1, 0):
        with started(ACAI, workdir, 10**6, cluster()) as processes:
            wait_for_checkpoint(processes, workdir, before)
            processes[victim].kill()
            assert_ended_in_a_line(processes[1 - victim], "workers", "last checkpoint")
        before = newest(workdir)
    with started(ACAI, workdir, 10**6, cluster()) as processes:
        wait_for_checkpoint(processes, workdir, before)
        processes[1].send_signal(signal.SIGTERM)
        ended = [process.communicate(timeout=DETECTION_SECONDS) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], ended
        for stdout, _ in ended:
            assert "stopped by SIGTERM" in stdout
    stopped_at, last = newest(workdir), newest(workdir) // 2 * 2 + 6
    assert stopped_at > before and logs(workdir)[-1]["step"] == stopped_at
    one = shutil.copytree(workdir, tmp_path / "one")
    finish(ACAI, workdir, last, cluster())
    assert [log["step"] for log in logs(workdir)] == sorted({*range(2, last + 1, 2), stopped_at})
    alone(ACAI, one, last)  # from the same checkpoint
    assert_same(workdir, one, last)


def test_different_configs(tmp_path):
    more = ((), ("--config.train.learning_rate=1e-3",))
    with started(ACAI, tmp_path / "run", 6, cluster(), more=more) as processes:
        for process in processes:
            assert_ended_in_a_line(process, "same config")


def test_batch_of_an_odd_share(tmp_path):
    more = [("--config.train.batch_size=6",)] * 2
    with started(ACAI, tmp_path / "run", 6, cluster(), more=more) as processes:
        for process in processes:
            assert_ended_in_a_line(process, "batch_size", "multiple of 4")


@pytest.mark.parametrize("number", [0, 1])
def test_who_waits_in_vain_ends(number, tmp_path):
    with started(ACAI, tmp_path / "run", 6, cluster(), numbers=[number], wait=5) as (process,):
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and stdout == ""
    assert stderr == "waiting for all workers of TF_CONFIG, 600 seconds at most\n"


def test_a_port_in_use(tmp_path):
    addresses = cluster()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(addresses[0].rpartition(":")[2])))
        taken.listen()
        with started(ACAI, tmp_path / "run", 6, addresses, numbers=[0]) as (process,):
            assert_ended_in_a_line(process, "free port")

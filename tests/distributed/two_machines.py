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

import numpy as np
import pytest

from tests.support.folders import save_noise
from tests.support.running_commands import ROOT, newest_step
from training.checkpoints import Checkpoints

TIMEOUT = 900  # seconds, for a busy machine
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


def free_addresses():
    """Returns the addresses of two workers."""
    return [f"127.0.0.1:{port}" for port in free_ports(2)]


@contextlib.contextmanager
def start(flags, workdir, steps, addresses, indices=(0, 1), wait=TIMEOUT, worker_flags=((), ())):
    """Starts the workers with these indices and yields their processes, which are killed at the end.

    The --workdir of the second worker cannot be created.
    """
    processes = []
    for index in indices:
        folder = [workdir, "/proc/no/such/folder"][index]
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        command = [sys.executable, "-c", PROGRAM, str(wait), *flags, *worker_flags[index], f"--workdir={folder}"]
        command += [f"--config.train.total_kimg={steps * 8 / 1000}", "--config.train.strategy=multi_worker"]
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


def run_to_end(*arguments, **options):
    """Returns [(stdout, stderr)] of workers, which must end with status 0."""
    with start(*arguments, **options) as processes:
        outputs = [process.communicate(timeout=TIMEOUT) for process in processes]
        assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return outputs


def run_on_one_machine(flags, workdir, steps):
    command = [sys.executable, ROOT / "train.py", *flags, f"--workdir={workdir}"]
    command += [f"--config.train.total_kimg={steps * 8 / 1000}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=TIMEOUT)


def wait_for_checkpoint(processes, workdir, after):
    deadline = time.monotonic() + TIMEOUT
    while newest_step(workdir) <= after:
        assert all(process.poll() is None for process in processes), [p.communicate() for p in processes]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logs(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def assert_ended_in_a_line(process, *words, seconds=TIMEOUT):
    """Asserts status 2 and one error line, after the message of waiting and any logs."""
    _, stderr = process.communicate(timeout=seconds)
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
    # Adam moves a weight whose gradient is nearly 0 by the sign of a rounding error.
    assert np.mean(np.concatenate(differences) > 2e-5) < 0.01


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return save_noise(tmp_path_factory.mktemp("images"), bird=20, horse=20)


@pytest.mark.parametrize("family", ["acai", "gan"])
def test_two_machines_train_as_one_machine_does(family, images, tmp_path):
    """Losses and weights equal those of one machine. Only the chief writes; the other worker needs no folder."""
    flags = ACAI if family == "acai" else (*GAN, f"--config.data.image_folder={images}")
    two, one, steps = tmp_path / "two", tmp_path / "one", 6
    (_, chief), (stdout, other) = run_to_end(flags, two, steps, free_addresses())
    assert stdout == "" and "kimg" in chief and "kimg" not in other
    run_on_one_machine(flags, one, steps)
    assert [log["step"] for log in logs(two)] == [2, 4, 6]
    assert_same(two, one, steps)
    names = {path.name.partition(".")[0] for path in two.iterdir() if path.name != ".lock"}
    of_acai = {"projector", "projector_config"} if family == "acai" else set()
    assert names == {"checkpoints", "config", "events", "metrics", "pictures", "release"} | of_acai
    (chief_stdout, _), (stdout, _) = run_to_end(flags, two, steps, free_addresses())
    assert "finished" in chief_stdout and stdout == ""


def test_training_resumes_after_a_worker_died_or_was_stopped(tmp_path):
    """SIGKILL of either worker ends the other with an error line. SIGTERM of one stops both after a checkpoint."""
    workdir, before = tmp_path / "run", 0
    for victim in (1, 0):
        with start(ACAI, workdir, 10**6, free_addresses()) as processes:
            wait_for_checkpoint(processes, workdir, before)
            processes[victim].kill()
            words = "workers", "last checkpoint"
            assert_ended_in_a_line(processes[1 - victim], *words, seconds=DETECTION_SECONDS)
        before = newest_step(workdir)
    with start(ACAI, workdir, 10**6, free_addresses()) as processes:
        wait_for_checkpoint(processes, workdir, before)
        processes[1].send_signal(signal.SIGTERM)
        outputs = [process.communicate(timeout=DETECTION_SECONDS) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
        for (stdout, _), name in zip(outputs, ("another machine", "SIGTERM"), strict=True):
            assert f"stopped by {name}" in stdout
    stopped_at, last = newest_step(workdir), newest_step(workdir) // 2 * 2 + 6
    assert stopped_at > before and logs(workdir)[-1]["step"] == stopped_at
    one = shutil.copytree(workdir, tmp_path / "one")
    run_to_end(ACAI, workdir, last, free_addresses())
    assert [log["step"] for log in logs(workdir)] == sorted({*range(2, last + 1, 2), stopped_at})
    run_on_one_machine(ACAI, one, last)  # from the same checkpoint
    assert_same(workdir, one, last)


def test_workers_with_different_configs_are_refused(tmp_path):
    worker_flags = ((), ("--config.train.learning_rate=1e-3",))
    with start(ACAI, tmp_path / "run", 6, free_addresses(), worker_flags=worker_flags) as processes:
        for process in processes:
            assert_ended_in_a_line(process, "same config")


def test_batch_that_the_workers_cannot_share_is_refused(tmp_path):
    worker_flags = [("--config.train.batch_size=6",)] * 2
    with start(ACAI, tmp_path / "run", 6, free_addresses(), worker_flags=worker_flags) as processes:
        for process in processes:
            assert_ended_in_a_line(process, "batch_size", "multiple of 4")


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_finds_no_other_stops(index, tmp_path):
    with start(ACAI, tmp_path / "run", 6, free_addresses(), indices=[index], wait=5) as (process,):
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1 and stdout == ""
    assert stderr.endswith("waiting for all workers of TF_CONFIG, 600 seconds at most\n")
    assert stderr.startswith("training ") == (index == 0)  # the chief


def test_a_port_in_use_is_refused(tmp_path):
    addresses = free_addresses()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(addresses[0].rpartition(":")[2])))
        taken.listen()
        with start(ACAI, tmp_path / "run", 6, addresses, indices=[0]) as (process,):
            assert_ended_in_a_line(process, "free port")

"""train.py as a command under signals and a time limit: it saves, or goes on where a signal is ignored."""

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from tests.support.running_commands import FLAGS, ROOT, newest_step

PATIENCE = 1800
pytestmark = pytest.mark.slow


def reset_signals():
    """Gives signals their effect again: nohup ignores SIGHUP, a shell's background SIGINT."""
    for ignored in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_DFL)


@contextlib.contextmanager
def start(workdir, *flags, before=()):
    command = [*before, sys.executable, ROOT / "train.py", *FLAGS, f"--workdir={workdir}", *flags]
    options = dict(cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    options["preexec_fn"] = reset_signals
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_checkpoint(process, workdir):
    deadline = time.monotonic() + PATIENCE
    while not newest_step(workdir):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.01)


@pytest.mark.parametrize("names", ["SIGUSR1", "SIGHUP SIGHUP"])
def test_signal_saves(tmp_path, names):
    with start(tmp_path, "--config.train.total_kimg=4000") as process:
        wait_for_checkpoint(process, tmp_path)
        for name in names.split():
            process.send_signal(getattr(signal, name))
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert stdout == f"stopped by {names.split()[0]}; saved: the same command goes on from there\n"
    assert "Traceback" not in stderr


def test_nohup_goes_on(tmp_path):
    with start(tmp_path, "--config.train.total_kimg=1.2", before=["nohup"]) as process:
        wait_for_checkpoint(process, tmp_path)
        process.send_signal(signal.SIGHUP)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, newest_step(tmp_path)) == (0, "", 300), stderr


def test_time_limit_saves_and_the_next_command_goes_on(tmp_path):
    for _ in range(2):
        before = newest_step(tmp_path)
        with start(tmp_path, "--config.train.total_kimg=4000", "--config.train.max_minutes=0.1") as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, stderr
        assert stdout == "stopped by train.max_minutes; saved: the same command goes on from there\n"
        assert newest_step(tmp_path) > before

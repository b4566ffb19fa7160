"""train.py as a command under signals and a time limit: it saves, or goes on where a signal is ignored."""

import signal

import pytest

from tests.support.running_commands import PATIENCE, newest_step, start_training, wait_for_checkpoint

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("names", ["SIGUSR1", "SIGHUP SIGHUP"])
def test_signal_saves(tmp_path, names):
    with start_training(tmp_path, "--config.train.total_kimg=4000") as process:
        wait_for_checkpoint(process, tmp_path)
        for name in names.split():
            process.send_signal(getattr(signal, name))
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert stdout == f"stopped by {names.split()[0]}; saved: the same command goes on from there\n"
    assert "Traceback" not in stderr


def test_nohup_goes_on(tmp_path):
    with start_training(tmp_path, "--config.train.total_kimg=1.2", before=["nohup"]) as process:
        wait_for_checkpoint(process, tmp_path)
        process.send_signal(signal.SIGHUP)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, newest_step(tmp_path)) == (0, "", 300), stderr


def test_time_limit_saves_and_the_next_command_goes_on(tmp_path):
    for _ in range(2):
        before = newest_step(tmp_path)
        with start_training(
            tmp_path, "--config.train.total_kimg=4000", "--config.train.max_minutes=0.1"
        ) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, stderr
        assert stdout == "stopped by train.max_minutes; saved: the same command goes on from there\n"
        assert newest_step(tmp_path) > before

"""A small training for tests that run train.py, and readers of the run directories that it writes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]
BATCH_SIZE = 4
PATIENCE = 1800  # seconds


def newest_step(workdir):
    """Returns the step of the newest checkpoint, 0 without one, by its name: the run may be writing there."""
    with contextlib.suppress(FileNotFoundError):
        return max((int(n[:9]) for n in os.listdir(workdir / "checkpoints") if n[0] != "."), default=0)
    return 0


FLAGS = (
    f"--config={ROOT}/configs/acai.py:lines",
    "--config.model.depth=2",
    "--config.model.critic_depth=2",
    "--config.model.latent_channels=2",
    "--config.train.precision=float32",
    "--config.train.jit_compile=off",  # compiling would take most of the time
    f"--config.train.batch_size={BATCH_SIZE}",
    "--config.train.log_every_kimg=0.012",  # 3 steps
    "--config.train.save_every_kimg=0.02",  # 5 steps
    "--config.train.pictures_every_kimg=0",
    "--config.train.release_every_kimg=0.16",  # 40 steps
    "--config.train.bank_per_class=(6,2)",
)


def reset_signals():
    """Gives signals their effect again: nohup ignores SIGHUP, a shell's background SIGINT."""
    for ignored in (signal.SIGHUP, signal.SIGINT):
        signal.signal(ignored, signal.SIG_DFL)


@contextlib.contextmanager
def start_training(workdir, *flags, before=(), env=None):
    """Starts train.py with FLAGS and more; yields the process and kills it in the end.

    Args:
        before: words of the command line before Python's, such as "nohup".
        env: environment variables; None: those of this process.
    """
    command = [*before, sys.executable, ROOT / "train.py", *FLAGS, f"--workdir={workdir}", *flags]
    options = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    with subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=reset_signals, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_checkpoint(process, workdir, after=0):
    """Waits until a training has written a checkpoint of a step after `after`."""
    deadline = time.monotonic() + PATIENCE
    while newest_step(workdir) <= after:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.005)


def count_events(workdir, batch_size=BATCH_SIZE):
    """Returns a Counter of (tag, step) over all event files, which count images, read by TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = [str(path) for path in workdir.iterdir() if "tfevents" in path.name]
    loaded = [event for file in files for event in EventFileLoader(file).Load()]
    return Counter((value.tag, event.step / batch_size) for event in loaded for value in event.summary.value)


class TrainFlags(SimpleNamespace):
    """Flags with the defaults of train.py: TrainFlags(config=config, workdir=path) for `train.FLAGS`."""

    def __init__(self, config, workdir, data_dir=None, check=False):
        super().__init__(config=config, workdir=workdir, data_dir=data_dir, check=check)
        self.flags = {"config": SimpleNamespace(config_filename="configs/of_a_test.py")}

    def __getitem__(self, name):
        return self.flags[name]

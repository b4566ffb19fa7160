"""What several tests share. First of: SIGKILL at any moment: a killed writer of files, then the real command,
killed again and again."""

import contextlib
import os
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


def newest(workdir):
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
    "--config.train.batch_size=4",
    "--config.train.log_every_kimg=0.012",  # 3 steps
    "--config.train.save_every_kimg=0.02",  # 5 steps
    "--config.train.pictures_every_kimg=0",
    "--config.train.release_every_kimg=0.16",  # 40 steps
    "--config.train.bank_per_class=(6,2)",
)


def events(workdir):
    """Counter of (tag, step), by TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = [str(path) for path in workdir.iterdir() if "tfevents" in path.name]
    loaded = [event for file in files for event in EventFileLoader(file).Load()]
    return Counter((value.tag, event.step) for event in loaded for value in event.summary.value)

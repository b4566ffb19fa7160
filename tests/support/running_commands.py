"""A small training for tests that run train.py, and readers of the run directories that it writes."""

import contextlib
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]
BATCH_SIZE = 4


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

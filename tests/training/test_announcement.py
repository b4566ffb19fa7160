"""What a training says at its start, and what --check estimates."""

import types

import numpy as np
import pytest

from configs import acai
from training import announcement


class Images(types.SimpleNamespace):
    """An ImageDataset with so many images of each class."""

    def __init__(self, **counts):
        labels = np.repeat(np.arange(len(counts)), [*counts.values()])
        super().__init__(class_names=(*counts,), labels=labels)

    def __len__(self):
        return len(self.labels)


def config(**train):
    config = acai.get_config()
    config.train.update({"total_kimg": 3.2, "batch_size": 16} | train)
    return config


def test_the_start_names_config_folder_and_commands(capsys):
    announcement.announce("configs/acai.py:quick", "runs/my run")
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[0] == "training configs/acai.py:quick"
    assert "tensorboard --logdir 'runs/my run'" in err and "Ctrl-C" in err and "same command" in err


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("acai", "finished: pictures in my run/pictures; next: python generate.py --blend --source='my run'\n"),
        ("gan", "finished: pictures in my run/pictures; next: python generate.py --sample --source='my run'\n"),
        ("classifier", "finished: my run\n"),
    ],
)
def test_the_end_names_the_pictures_and_the_next_command(capsys, family, line):
    announcement.finish(family, "my run")
    assert capsys.readouterr() == ("", line)


def test_images_and_length_are_described():
    text = announcement.describe(config(), (Images(bird=1000, horse=500), Images(bird=9, horse=9)), 50)
    assert "1,500 in 2 classes (bird 1,000, horse 500); 18 others are held out" in text
    assert "3.2 kimg, in 200 steps of 16 images, of which 0.8 kimg are done" in text


def test_names_of_classes_are_escaped():
    text = announcement.describe(config(), (Images(**{"a\x1b[2J\n": 7}), Images(**{"a\x1b[2J\n": 1})), 0)
    assert r"(a\x1b[2J 7)" in text


def test_of_many_classes_some_are_named():
    counts = {f"c{i:02}": 1 for i in range(20)}
    text = announcement.describe(config(), (Images(**counts), Images(**counts)), 0)
    assert "20 in 20 classes" in text and "c11 1, 8 more)" in text and "c12" not in text


def test_lines_are_rendered():
    given = acai.get_config("lines")
    assert "rendered" in announcement.describe(given, (Images(line=256), Images(line=256)), 0)


class Model:
    """Its second half of 200 steps is of another kind."""

    trainable_variables = [np.zeros((3, 4)), np.zeros(5)]

    def static_arguments(self, step):
        return {"late": step >= 100}


@pytest.mark.parametrize(("step", "expected"), [(0, (0.1 + 0.3) / 2 * 200), (100, 0.3 * 100)])
def test_the_time_counts_each_kind_of_step_by_its_share(monkeypatch, capsys, step, expected):
    """Early steps take 0.1 s, late ones 0.3 s, and the first of each a minute more."""
    clock, called, batches = [0.0], set(), iter(range(1000))

    def take_step(batch, late):
        clock[0] += (0.3 if late else 0.1) + (0 if late in called else 60)
        called.add(late)
        return ("loss",), [0.5]

    monkeypatch.setattr(announcement.time, "monotonic", lambda: clock[0])
    announcement.check(config(), Model(), step, take_step, batches)
    text = capsys.readouterr().out
    assert "17 trained parameters" in text and "GiB" in text
    minutes = float(text.split("about ")[1].split()[0])
    assert minutes == pytest.approx((expected + 60 * len(called)) / 60, rel=0.06)  # the share is drawn
    assert next(batches) <= 2 * 22

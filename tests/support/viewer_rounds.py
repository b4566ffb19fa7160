"""A round of pictures of plain colours, and files of answers to it."""

import json

import numpy as np

from common.data.datasets import ImageDataset

HORSE_RED, BIRD_GREEN, SHOWN_BLUE = 100, 50, 200


def photographs(count=40):
    """ImageDataset of `count` red horses and as many green birds, each of another shade."""
    images = np.zeros((2 * count, 32, 32, 3), np.uint8)
    images[:count, ..., 0] = HORSE_RED + np.arange(count)[:, None, None]
    images[count:, ..., 1] = BIRD_GREEN + 2 * np.arange(count)[:, None, None]
    labels = np.repeat(np.arange(2, dtype=np.int32), count)
    return ImageDataset(images, labels, np.arange(2 * count) + 7000, ("horse", "bird"), "test")


def shown_pictures(count=64):
    """Pictures to ask about, blue, each of another shade: uint8 [count, 32, 32, 3]."""
    images = np.zeros((count, 32, 32, 3), np.uint8)
    images[..., 2] = SHOWN_BLUE - np.arange(count)[:, None, None]
    return images


def read_key(folder):
    return json.loads((folder / "key" / "key.json").read_text())


def write_answers(folder, path, answer, viewer="Anna", viewer_kind="person"):
    """Fills in ask/answers.json of a round; `answer` is a function of an entry of the key. Returns the path."""
    content = json.loads((folder / "ask" / "answers.json").read_text())
    content |= {"viewer": viewer, "viewer_kind": viewer_kind}
    for filled, entry in zip(content["answers"], read_key(folder)["pictures"], strict=True):
        filled["answer"] = answer(entry)
    path.write_text(json.dumps(content))
    return str(path)

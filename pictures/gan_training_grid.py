"""What a training shows at each picture interval: pure functions from noise to pictures."""

import numpy as np

from common.images import grid, to_uint8

ROWS = COLUMNS = 8
STRIP_STEPS = 9


def training_pictures(sample, noise, classes=0, first=0, second=0):
    """The pictures of a training, on fixed noise.

    Args:
        sample: function, noise [N, z] and, with classes, class weights [N, classes] -> images [N, H, W, C] float32
            in [-1, 1].
        noise: a function, count -> noise [count, z] of which fewer rows are the first of more.
        classes: 0, or how many the generator tells apart.
        first, second: the classes that the morphs lead from and to.

    Returns:
        {"samples": eight columns and eight rows, or a row a class where there are more classes; each class fills
        rows of its own}, with classes also {"morphs": a row for each noise of the first row, from one class to
        the other in nine steps}, each uint8 [height, width, C].
    """
    rows = max(ROWS, classes)
    some = noise(rows * COLUMNS)
    if not classes:
        return {"samples": grid(to_uint8(sample(some)), COLUMNS)}
    one_hot = np.eye(classes, dtype=np.float32)
    labels = np.repeat(np.arange(rows) * classes // rows, COLUMNS)
    return {
        "samples": grid(to_uint8(sample(some, one_hot[labels])), COLUMNS),
        "morphs": grid(to_uint8(sample(*morphs(some[:COLUMNS], one_hot[first], one_hot[second]))), STRIP_STEPS),
    }


def morphs(noise, first, second, steps=STRIP_STEPS):
    """(noise [N * steps, z], class weights [N * steps, classes]): each noise `steps` times, on even steps.

    `first` and `second` are class weights [classes]. The noise stays and the class moves (arXiv 1802.05637,
    section 6.2: the embeddings are interpolated).
    """
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return np.repeat(noise, steps, axis=0), np.tile((1 - share) * first + share * second, (len(noise), 1))

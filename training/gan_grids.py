"""The pictures that a training of a GAN writes at intervals: functions from noise to grids."""

import numpy as np

from common.images import grid, to_uint8

ROWS = COLUMNS = 8
STRIP_STEPS = 9


def training_pictures(sample, noise, classes=0, first=0, second=0):
    """Draws pictures from fixed noise.

    Args:
        sample: function, noise [N, z] and, with classes, class weights [N, classes] -> images [N, H, W, C] float32
            in [-1, 1].
        noise: function, count -> noise [count, z], whose first rows do not depend on the count.
        classes: number of classes of the generator; 0 if it is not conditional.
        first, second: labels of the classes between which images are morphed.

    Returns:
        Dict of pictures, uint8 [height, width, C]: "samples" (eight columns; eight rows, or one for each class if
        there are more) and, with classes, "morphs" (a row for each noise of the first row of samples, from one
        class to the other in nine steps).
    """
    rows = max(ROWS, classes)
    grid_noise = noise(rows * COLUMNS)
    if not classes:
        return {"samples": grid(to_uint8(sample(grid_noise)), COLUMNS)}
    one_hot = np.eye(classes, dtype=np.float32)
    labels = np.repeat(np.arange(rows) * classes // rows, COLUMNS)
    return {
        "samples": grid(to_uint8(sample(grid_noise, one_hot[labels])), COLUMNS),
        "morphs": grid(
            to_uint8(sample(*morph_inputs(grid_noise[:COLUMNS], one_hot[first], one_hot[second]))), STRIP_STEPS
        ),
    }


def morph_inputs(noise, first, second):
    """Inputs for images of the same noise on the way from one class to another (arXiv 1802.05637, section 6.2).

    Args:
        noise: [N, z].
        first, second: class weights [classes].

    Returns:
        (noise [N * STRIP_STEPS, z], class weights [N * STRIP_STEPS, classes]).
    """
    share = np.linspace(0, 1, STRIP_STEPS, dtype=np.float32)[:, None]
    return np.repeat(noise, STRIP_STEPS, axis=0), np.tile((1 - share) * first + share * second, (len(noise), 1))

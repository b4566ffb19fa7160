"""Pictures and Keras files for tests of feature networks."""

import keras
import numpy as np


def make_pictures(count=7, width=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, width, width, 3)).astype(np.float32)


def write_keras_file(path, kernel=1.0, rank=2):
    """Writes a model: images -> (mean colour - 0.25) / 2 * 3 * kernel, if it normalises by its moving averages."""
    layers = [keras.layers.GlobalAveragePooling2D()] if rank == 2 else []
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            *layers,
            keras.layers.BatchNormalization(epsilon=0.0),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(5, use_bias=False),
        ]
    )
    shape = model.layers[-1].kernel.shape
    model.set_weights([np.full(3, 3.0), np.zeros(3), np.full(3, 0.25), np.full(3, 4.0), np.full(shape, kernel)])
    model.save(path)
    return str(path)


def truncate(path):
    """Removes the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

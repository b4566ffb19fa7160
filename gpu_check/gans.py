"""GANs: every trick against the CPU, second derivatives, and the spectral norm against numpy."""

import numpy as np
import tensorflow as tf

from gan.layers import SpectralConv2D, SpectralDense
from gpu_check.bounds import at_most, require
from gpu_check.twins import CLASSES, batches, compare_training, gan, on, relative_error, snapshot, take_steps


def every_trick(sizes, precision="float32"):
    """A conditional DCGAN with batch norm, replay and all tricks."""
    return gan(
        sizes,
        precision,
        classes=CLASSES,
        replay_images=sizes.batch,
        minibatch_deviation=True,
        soft_labels=0.2,
        flipped_labels=0.3,
        instance_noise=0.3,
        instance_noise_steps=10,
        spherical_noise=True,
        augment=("flip", "colour", "translation", "cutout"),
    )


def spectral(sizes, precision="float32"):
    """A WGAN-GP whose critic is spectrally normalised as well: second derivatives of every such layer."""
    options = dict(normalisation="spectral", loss="wasserstein", gradient_penalty=10.0)
    return gan(sizes, precision, **options)


def gans(device, sizes):
    """Compares uncompiled float32 steps with the CPU's; then compiled mixed_float16 ones have to stay finite."""
    figures = {"sigma_error": float(f"{spectral_error(device, sizes):.2g}")}
    for make in (every_trick, spectral):
        name = make.__name__
        compared = compare_training(lambda make=make: make(sizes), device, sizes, 2, f"a step of the GAN {name!r}")
        figures |= {f"{name}_{part}": value for part, value in compared.items()}
        model = on(device, lambda make=make: make(sizes, "mixed_float16"))
        for log in take_steps(model, device, batches(sizes, 2), sizes.compiled):
            wrong = [part for part, value in log.items() if not np.isfinite(value)]
            require(not wrong, f"logs of the GAN {name!r} in mixed_float16 must be finite. Received: {wrong}")
        wrong = [part for part, values in snapshot(model).items() if not np.isfinite(values).all()]
        require(not wrong, f"the state of the GAN {name!r} in mixed_float16 must be finite. Received: {wrong}")
        if model.replay:
            stored = int(model.replay.stored)
            require(stored == sizes.batch, f"{sizes.batch} fakes must be stored. Received: {stored}")
    return figures


def spectral_error(device, sizes):
    """The largest error of sigma and u, before and after a power iteration, against numpy in float64."""
    worst = 0.0
    for make, shape in (
        (lambda: SpectralConv2D(sizes.channels, 4), (None, 8, 8, sizes.channels)),
        (lambda: SpectralDense(sizes.channels), (None, 64)),
    ):
        layer = on(device, make)
        with tf.device(device):
            layer.build(shape)
            kernel, u = np.float64(layer.kernel), np.float64(layer.u)
            matrix = kernel.reshape(-1, kernel.shape[-1]).T  # the paper's W, [outputs, inputs]
            for _ in range(2):
                expected = np.linalg.norm(matrix.T @ u)
                errors = [abs(float(layer.sigma()) - expected) / expected, relative_error(layer.u, u)]
                at_most("spectral norm", max(errors), f"error of sigma or u of {type(layer).__name__}")
                worst = max(worst, *errors)
                layer.power_iteration()
                v = matrix.T @ u / expected
                u = matrix @ v / np.linalg.norm(matrix @ v)
    return worst

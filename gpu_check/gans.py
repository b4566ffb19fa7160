"""Check of GANs: training steps against the CPU, and spectral norms against numpy."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from common.data import augmentation
from gan import losses, networks, tricks
from gan.layers import SpectralConv2D, SpectralDense
from gan.model import GAN
from gpu_check.bounds import at_most, require
from gpu_check.comparison import (
    CLASSES,
    batches,
    build_on,
    compare_training,
    relative_error,
    snapshot,
    take_steps,
    with_biases,
)


def gan(sizes, precision="float32", classes=0, loss=losses.LOSSES["non_saturating"], critic=None, **options):
    """A compiled DCGAN with averages.

    Args:
        sizes: gpu_check.sizes.Sizes.
        precision: Keras dtype policy.
        classes: number of classes, or 0.
        loss: gan.losses.AdversarialLoss.
        critic: dict of arguments of `gan.networks.dcgan_discriminator`.
        **options: arguments of `gan.model.GAN`.
    """
    noise = (sizes.width, 8, sizes.depth)
    generator = networks.dcgan_generator(*noise, classes=classes, dtype=precision)
    discriminator = networks.dcgan_discriminator(
        sizes.width, sizes.depth, classes=classes, dtype=precision, **critic or {}
    )
    network = networks.dcgan_generator(*noise, classes=classes, name="ema_generator")
    average = tricks.MovingAverage(generator, network, 0.5)
    model = GAN(generator, discriminator, loss, average=average, precision=precision, **options)
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)))
    return with_biases(model)


def every_trick(sizes, precision="float32"):
    """A conditional DCGAN with batch norm and all tricks."""
    targets = tricks.NoisyTargets(softness=0.2, flip_probability=0.3)
    return gan(
        sizes,
        precision,
        CLASSES,
        dataclasses.replace(losses.LOSSES["non_saturating"], draw_targets=targets),
        dict(minibatch_deviation=True),
        draw_noise=tricks.draw_spherical_noise,
        transforms=[tricks.InstanceNoise(0.3, 10), tricks.Augmentation(augmentation.POLICIES)],
        replay=tricks.ReplayBuffer(sizes.batch, (sizes.width, sizes.width, 3)),
    )


def spectral(sizes, precision="float32"):
    """A WGAN-GP with a spectrally normalised critic, whose step has second derivatives of these layers."""
    loss, critic = losses.LOSSES["wasserstein"], dict(normalisation="spectral")
    return gan(sizes, precision, 0, loss, critic, penalties=[tricks.GradientPenalty(10.0)])


def gans(device, sizes):
    """Compares float32 steps with the CPU's and requires compiled mixed_float16 steps to stay finite."""
    figures = {"sigma_error": float(f"{spectral_error(device, sizes):.2g}")}
    for make in (every_trick, spectral):
        name = make.__name__
        compared = compare_training(lambda make=make: make(sizes), device, sizes, 2, f"a step of the GAN {name!r}")
        figures |= {f"{name}_{part}": value for part, value in compared.items()}
        model = build_on(device, lambda make=make: make(sizes, "mixed_float16"))
        for log in take_steps(model, device, batches(sizes, 2), sizes.compiled):
            wrong = [part for part, value in log.items() if not np.isfinite(value)]
            require(not wrong, f"logs of the GAN {name!r} in mixed_float16 must be finite. Received: {wrong}")
        wrong = [part for part, values in snapshot(model).items() if not np.isfinite(values).all()]
        require(
            not wrong,
            f"the state of the GAN {name!r} in mixed_float16 must be finite. Received: {wrong}",
        )
        if make is every_trick:
            stored = int(model.replay.stored)
            require(stored == sizes.batch, f"{sizes.batch} fakes must be stored. Received: {stored}")
    return figures


def spectral_error(device, sizes):
    """Returns the largest error of sigma and u, before and after a power iteration, against numpy in float64."""
    worst = 0.0
    for make, shape in (
        (lambda: SpectralConv2D(sizes.channels, 4), (None, 8, 8, sizes.channels)),
        (lambda: SpectralDense(sizes.channels), (None, 64)),
    ):
        layer = build_on(device, make)
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

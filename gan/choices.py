"""The choices of a GAN's configuration, without TensorFlow, so that commands can check them before importing it.

See `gan.networks` and `gan.losses` for what the choices mean.
"""

ARCHITECTURES = ("dcgan", "residual")
UPSAMPLINGS = ("transposed", "resize")
NORMALISATIONS = ("batch", "spectral", "none")  # of the discriminator
CONDITIONS = ("projection", "concat")
LOSSES = ("non_saturating", "hinge", "wasserstein")
LOSS_WITH_TARGETS = "non_saturating"


def check_choice(name, value, choices):
    """Raises ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}.")

"""Losses of GANs: pure functions in pairs, one for the discriminator or critic and one for the generator.

The papers' letters: x is a real image and G(z) a fake. D(.) or C(.) is the output of the discriminator or critic.
Here that output is a logit, so the D of a paper whose last layer is a sigmoid is sigmoid(logit). Logits are [B],
losses are [].
"""

import dataclasses
from collections.abc import Callable

from keras import ops


def no_targets(count, seed):
    """Returns no targets: the discriminator's loss then uses its default ones."""
    return ()


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The losses of a discriminator or critic and of its generator.

    Args:
        discriminator: function of real and fake logits [B], and optionally of real and fake targets [B], that
            returns the loss [] of the discriminator.
        generator: function of fake logits [B] that returns the loss [] of the generator.
        is_critic: whether the network is a critic. A discriminator classifies an image as real if its logit is
            above 0; the outputs of a critic have no such boundary.
        accepts_targets: whether `discriminator` accepts targets.
        draw_targets: function of the batch size and a seed int64 [2] that returns the targets, such as
            `gan.tricks.NoisyTargets`.

    Raises:
        ValueError: for a `draw_targets` whose targets the loss does not accept.
    """

    discriminator: Callable
    generator: Callable
    is_critic: bool = False
    accepts_targets: bool = False
    draw_targets: Callable = no_targets

    def __post_init__(self):
        if self.draw_targets is not no_targets and not self.accepts_targets:
            raise ValueError(
                f"draw_targets needs a loss that accepts targets. Received: {self.discriminator.__name__}."
            )

    def accuracies(self, real_logits, fake_logits):
        """Shares of real images and fakes that the discriminator classifies correctly; {} for a critic."""
        if self.is_critic:
            return {}
        correct = {"real_accuracy": real_logits > 0, "fake_accuracy": fake_logits <= 0}
        return {name: ops.mean(ops.cast(values, "float32")) for name, values in correct.items()}


def non_saturating_discriminator_loss(real_logits, fake_logits, real_targets=1.0, fake_targets=0.0):
    """Trains D: -E log D(x) - E log(1 - D(G(z))) (Goodfellow et al., arXiv 1406.2661, equation 1)."""
    return cross_entropy(real_logits, real_targets) + cross_entropy(fake_logits, fake_targets)


def non_saturating_generator_loss(fake_logits):
    """Trains G: -E log D(G(z)) (Goodfellow et al., end of section 3)."""
    return cross_entropy(fake_logits, 1.0)


def hinge_discriminator_loss(real_logits, fake_logits):
    """Trains D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) (Miyato et al., arXiv 1802.05957, equation 16)."""
    return ops.mean(ops.relu(1 - real_logits)) + ops.mean(ops.relu(1 + fake_logits))


def hinge_generator_loss(fake_logits):
    """Trains G: -E D(G(z)) (Miyato et al., equation 17)."""
    return -ops.mean(fake_logits)


def wasserstein_critic_loss(real_logits, fake_logits):
    """Trains C: E C(G(z)) - E C(x) (Arjovsky et al., arXiv 1701.07875, equation 3), minus the distance."""
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits):
    """Trains G: -E C(G(z)) (Arjovsky et al., algorithm 1)."""
    return -ops.mean(fake_logits)


# To add a loss, also name it in `gan.choices.LOSSES`, which commands check before they import TensorFlow.
LOSSES = {
    "non_saturating": AdversarialLoss(
        non_saturating_discriminator_loss, non_saturating_generator_loss, accepts_targets=True
    ),
    "hinge": AdversarialLoss(hinge_discriminator_loss, hinge_generator_loss),
    "wasserstein": AdversarialLoss(wasserstein_critic_loss, wasserstein_generator_loss, is_critic=True),
}


def interpolate(real, fake, share):
    """Returns share x + (1 - share) G(z) of arrays [B, ...], with share [B] uniform in [0, 1].

    Reference:
        Gulrajani et al., "Improved training of Wasserstein GANs", 2017 (arXiv 1704.00028), algorithm 1.
    """
    share = ops.reshape(share, (-1,) + (1,) * (len(real.shape) - 1))
    return share * real + (1 - share) * fake


def gradient_penalty(gradients, epsilon=1e-12):
    """Trains C: E (|grad C| - 1)^2 (Gulrajani et al., equation 3, without lambda).

    Args:
        gradients: [B, H, W, C], of each image's own logit.
        epsilon: added to the squared norm, whose square root would not be differentiable at 0.
    """
    norms = ops.sqrt(ops.sum(ops.square(gradients), axis=(1, 2, 3)) + epsilon)
    return ops.mean(ops.square(norms - 1))


def cross_entropy(logits, targets):
    """Returns the mean of -t log s - (1 - t) log(1 - s), with s = sigmoid(logits) and t the targets."""
    return ops.mean(targets * ops.softplus(-logits) + (1 - targets) * ops.softplus(logits))

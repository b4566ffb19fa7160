"""The losses of GANs, pure functions in pairs, each named by whom it trains.

The papers' letters: x are real images, G(z) the fakes made of noise z, D(.) or C(.) the answer of the
discriminator or critic. Its outputs are logits [B] here, so that a paper's D with a sigmoid at its end is
sigmoid(logits); losses are []. Targets are what the discriminator shall answer, a number or [B]; a loss without
labels takes none.
"""

from keras import ops


def minimax_discriminator_loss(real_logits, fake_logits, real_targets=1.0, fake_targets=0.0):
    """Trains D: -E log D(x) - E log(1 - D(G(z))) (Goodfellow et al., arXiv 1406.2661, equation 1)."""
    return cross_entropy(real_logits, real_targets) + cross_entropy(fake_logits, fake_targets)


def minimax_generator_loss(fake_logits):
    """Trains G: E log(1 - D(G(z))) (Goodfellow et al., equation 1)."""
    return -cross_entropy(fake_logits, 0.0)


def non_saturating_generator_loss(fake_logits):
    """Trains G: -E log D(G(z)) (Goodfellow et al., end of section 3)."""
    return cross_entropy(fake_logits, 1.0)


def least_squares_discriminator_loss(real_logits, fake_logits, real_targets=1.0, fake_targets=0.0):
    """Trains D: E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2 (Mao et al., arXiv 1611.04076, equation 9)."""
    real_errors, fake_errors = ops.square(real_logits - real_targets), ops.square(fake_logits - fake_targets)
    return (ops.mean(real_errors) + ops.mean(fake_errors)) / 2


def least_squares_generator_loss(fake_logits):
    """Trains G: E (D(G(z)) - 1)^2 / 2 (Mao et al., equation 9)."""
    return ops.mean(ops.square(fake_logits - 1)) / 2


def hinge_discriminator_loss(real_logits, fake_logits):
    """Trains D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) (Miyato et al., arXiv 1802.05957, equation 16)."""
    return ops.mean(ops.relu(1 - real_logits)) + ops.mean(ops.relu(1 + fake_logits))


def hinge_generator_loss(fake_logits):
    """Trains G: -E D(G(z)) (Miyato et al., equation 17)."""
    return -ops.mean(fake_logits)


def wasserstein_critic_loss(real_logits, fake_logits):
    """Trains C: E C(G(z)) - E C(x), minus the distance it estimates (Arjovsky et al., arXiv 1701.07875, eq. 3)."""
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits):
    """Trains G: -E C(G(z)) (Arjovsky et al., algorithm 1)."""
    return -ops.mean(fake_logits)


LOSSES = {  # name: (the discriminator's, the generator's)
    "minimax": (minimax_discriminator_loss, minimax_generator_loss),
    "non_saturating": (minimax_discriminator_loss, non_saturating_generator_loss),
    "least_squares": (least_squares_discriminator_loss, least_squares_generator_loss),
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "wasserstein": (wasserstein_critic_loss, wasserstein_generator_loss),
}
LABELLED = ("minimax", "non_saturating", "least_squares")  # take targets
BOUNDARIES = {"minimax": 0.0, "non_saturating": 0.0, "least_squares": 0.5, "hinge": 0.0}  # above: real


def accuracies(loss, real_logits, fake_logits):
    """{name: share} of reals and of fakes that D gets right; {} for a critic, which has no boundary to tell by."""
    if loss not in BOUNDARIES:
        return {}
    right = {"real_accuracy": real_logits > BOUNDARIES[loss], "fake_accuracy": fake_logits <= BOUNDARIES[loss]}
    return {name: ops.mean(ops.cast(hits, "float32")) for name, hits in right.items()}


def interpolate(images, fakes, share):
    """share x + (1 - share) G(z), share [B] uniform in [0, 1] (Gulrajani et al., arXiv 1704.00028, alg. 1)."""
    share = ops.reshape(share, (-1,) + (1,) * (len(images.shape) - 1))
    return share * images + (1 - share) * fakes


def gradient_penalty(gradients, tiny=1e-12):
    """Trains C: E (|grad C| - 1)^2 (Gulrajani et al., equation 3, without lambda).

    `gradients` [B, H, W, C] are those of each image's own logit; `tiny` keeps the root differentiable at 0.
    """
    norms = ops.sqrt(ops.sum(ops.square(gradients), axis=(1, 2, 3)) + tiny)
    return ops.mean(ops.square(norms - 1))


def cross_entropy(logits, targets):
    """Mean of -t log s - (1 - t) log(1 - s) with s the sigmoid of the logits and t the targets."""
    return ops.mean(targets * ops.softplus(-logits) + (1 - targets) * ops.softplus(logits))

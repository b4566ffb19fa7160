"""The losses of ACAI. Each is a pure function of arrays; its docstring says whom it trains.

Berthelot et al. (arXiv 1807.07543), equations 1 to 3. The paper's letters: x are the images, x^ the
reconstructions, x^_alpha the blends, alpha the mix in [0, 0.5], d the critic (its outputs are `scores` here),
lambda the mix weight and gamma the regularisation. Images are [B, H, W, C], scores and mix are [B], losses [].
"""

from keras import ops

CONSTANT_GUESS_LOSS = 5 / 96  # lowest critic loss of a constant answer c: the least of 1/48 + (c - 1/4)^2 + c^2


def mix_latents(latents, shares):
    """alpha z_i + (1 - alpha) z_j, j = B - 1 - i (equation 3, before decoding).

    Args:
        latents: [B, h, w, c].
        shares: alpha of each image, [B, 1, 1, 1], or of each of its cells, [B, h, w, 1].

    Returns:
        [B, h, w, c].
    """
    return shares * latents + (1 - shares) * ops.flip(latents, axis=0)


def reconstruction_loss(images, reconstructions):
    """Trains the autoencoder: mean squared error over pixels and colours (equation 2, first term)."""
    return ops.mean(ops.square(images - reconstructions))


def mix_regulariser(blend_scores, mix_weight):
    """Trains the autoencoder: lambda mean d(x^_alpha)^2, to make blends score as unmixed (equation 2)."""
    return mix_weight * ops.mean(ops.square(blend_scores))


def critic_loss(blend_scores, mix, softened_scores):
    """Trains the critic: mean (d(x^_alpha) - alpha)^2 + mean d(gamma x + (1 - gamma) x^)^2 (equation 1)."""
    return ops.mean(ops.square(blend_scores - mix)) + ops.mean(ops.square(softened_scores))


def soften(images, reconstructions, regularisation):
    """x^ + gamma (x - x^), the pictures that the critic should score 0. [B, H, W, C]."""
    return reconstructions + regularisation * (images - reconstructions)


def regulariser_per_critic_gradient(blend_scores, mix, mix_weight, least=1e-6):
    """Ratio [B] of the gradients of `mix_regulariser` and `critic_loss` at each blend.

    No layer of the critic combines different images. So both gradients are multiples of the gradient of the
    blend's own score: by lambda 2 d / B and by 2 (d - alpha) / B. The divisor keeps its sign and an absolute value
    of at least `least`, because a score that equals its mix would give 0 / 0.
    """
    difference = blend_scores - mix
    bounded = ops.maximum(ops.abs(difference), least)
    return mix_weight * blend_scores / ops.where(difference < 0, -bounded, bounded)


def bernoulli_loss(images, logits):
    """Trains a variational autoencoder: minus log p(x), x = (1 + image) / 2 in [0, 1], mean over pixels."""
    return ops.mean(ops.softplus(logits) - (1 + images) / 2 * logits)


def divergence_from_normal(mean, log_variance):
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, [B, h, w, c] -> [B] (arXiv 1312.6114, appendix B)."""
    return ops.sum(ops.exp(log_variance) + ops.square(mean) - 1 - log_variance, axis=(1, 2, 3)) / 2


def real_label_loss(logits):
    """Mean -log sigmoid: trains a discriminator on real inputs, and an adversary to pass as real (1406.2661)."""
    return ops.mean(ops.softplus(-logits))


def fake_label_loss(logits):
    """Mean -log (1 - sigmoid): trains a discriminator on fake inputs."""
    return ops.mean(ops.softplus(logits))

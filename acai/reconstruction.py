"""Reconstruction losses of the autoencoder, to pass to `ACAI(reconstruction_loss=...)`.

Each is a callable (images, reconstructions, bottleneck_loss) -> (loss, logs). Images and reconstructions are
float32 [B, H, W, C]. `bottleneck_loss` is the loss that belongs to the bottleneck: the squared error of equation 2
(arXiv 1807.07543) or, for a variational autoencoder, a cross-entropy.
"""

from acai import losses


def paper_loss(images, reconstructions, bottleneck_loss):
    """The loss that belongs to the bottleneck, as in the paper."""
    return bottleneck_loss, {}


def absolute_loss(images, reconstructions, bottleneck_loss):
    """The mean absolute error of the pixels."""
    return losses.absolute_reconstruction_loss(images, reconstructions), {}


PIXEL_LOSSES = {"squared": paper_loss, "absolute": absolute_loss}


class WithFeatureLoss:
    """Adds an error in the feature maps of a fixed network to a loss of the pixels.

    Args:
        pixel_loss: one of PIXEL_LOSSES' values.
        features: function, images [B, H, W, C] -> list of feature maps.
        weight: of the feature error in the loss.
    """

    def __init__(self, pixel_loss, features, weight):
        self.pixel_loss, self.features, self.weight = pixel_loss, features, weight

    def __call__(self, images, reconstructions, bottleneck_loss):
        loss, logs = self.pixel_loss(images, reconstructions, bottleneck_loss)
        feature_loss = losses.feature_loss(self.features(images), self.features(reconstructions))
        return loss + self.weight * feature_loss, logs | {"feature_loss": feature_loss}

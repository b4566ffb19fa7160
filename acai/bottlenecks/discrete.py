"""Bottlenecks with discrete latents: two forms of the vector-quantised autoencoder.

Van den Oord et al., arXiv 1711.00937, section 3.
"""

import keras
import tensorflow as tf

from acai import networks
from acai.bottlenecks.base import Bottleneck
from common.distribute import replicas


class Quantised(Bottleneck):
    """Replaces each position's vector by the nearest in a codebook; `strength` weighs the commitment loss.

    Equations 1 to 3 of the paper: the decoder's gradient is passed straight through to the encoder, the codebook
    moves towards the encoder's outputs, and the encoder commits to the codebook. Blends of latents are quantised
    before decoding. ACAI's official code has another form, `ProjectedQuantised`.
    """

    regularises = True
    decodes_plainly = False

    def __init__(self, strength, latent_shape, pixels, codebook_size):
        super().__init__(strength, latent_shape, pixels, codebook_size)
        self.network = networks.codebook(codebook_size, latent_shape[-1])
        self.released_networks = self.trained_networks

    def nearest(self, encoded):
        """The codebook vector nearest to each position's; of equally near ones the first. Trains the codebook."""
        codebook = tf.cast(self.network.embeddings, encoded.dtype)  # [codebook_size, c]; `call` may autocast it
        products = tf.einsum("bhwc,kc->bhwk", encoded, codebook)
        distances = tf.reduce_sum(tf.square(codebook), 1) - 2 * products  # squared, without the term |encoded|^2
        return tf.one_hot(tf.argmin(distances, -1), codebook.shape[0], dtype=codebook.dtype) @ codebook

    def latents(self, prepared, seed):
        return self.decodable(prepared)

    def regulariser(self, prepared):
        return self.strength * tf.reduce_mean(tf.square(prepared - tf.stop_gradient(self.nearest(prepared))))

    def network_loss(self, prepared, seed):
        return tf.reduce_mean(tf.square(prepared - self.nearest(prepared)))

    def encode(self, encoded):
        return self.decodable(encoded)

    def decodable(self, latents):
        return latents + tf.stop_gradient(self.nearest(latents) - latents)


class ProjectedQuantised(Bottleneck):
    """Quantises ten projections of all latents; `strength` weighs the commitment loss.

    As in the official code (`vqvae.py` and `lib/discretization.py`; 2^14 vectors, weight 10.0): a dense layer
    projects the encoder's outputs of an image to ten points, each with as many numbers as there are latents. Each
    point is replaced by the nearest vector of one codebook. Two dense layers make the decoder's inputs of the ten
    vectors. The decoder's gradient is passed straight through to the points, and the commitment loss is the mean
    squared distance between points and vectors.

    Vectors are moving averages of the points that were nearest to them (arXiv 1711.00937, appendix A.1), see
    `acai.layers.AveragedCodebook`. An average a + (1 - DECAY) (x - a) is a step of gradient descent with the rate
    1 - DECAY on the loss a^2 / 2 - a x. So `network_loss` is the sum of this over all averages a and the batch's
    counts and sums x, and an SGD takes the step. It is linear in x, so parts of a batch are put together as usual.

    Latents are the encoder's outputs. Blends of them are projected and quantised. Here the latent classifier reads
    the encoder's outputs, too; the official one reads the decoder's inputs.
    """

    DECAY = 0.999
    regularises = True
    decodes_plainly = False

    def __init__(self, strength, latent_shape, pixels, codebook_size):
        super().__init__(strength, latent_shape, pixels, codebook_size)
        self.projection, self.network, self.expansion = networks.projected_codebook(codebook_size, latent_shape)
        self.autoencoder_networks = {"projection": self.projection, "expansion": self.expansion}
        self.released_networks = self.autoencoder_networks | self.trained_networks

    def make_optimizer(self):
        return keras.optimizers.SGD(1 - self.DECAY)

    def prepare(self, encoded):
        """(points [B, 10, d], index [B, 10] of the vector nearest to each, these vectors [B, 10, d])."""
        points = self.projection(encoded)
        indices, vectors = self.network(points)
        return points, indices, tf.stop_gradient(vectors)

    def latents(self, prepared, seed):
        points, _, vectors = prepared
        return self.expansion(points + tf.stop_gradient(vectors - points))

    def regulariser(self, prepared):
        points, _, vectors = prepared
        return self.strength * tf.reduce_mean(tf.square(points - vectors))

    def network_loss(self, prepared, seed):
        points, indices, _ = prepared
        codebook, indices = self.network, tf.reshape(indices, [-1])
        points = tf.reshape(points, [-1, points.shape[-1]])
        parts = replicas.num_replicas()  # a mean over parts of the batch becomes a sum over the batch
        counts = parts * tf.math.unsorted_segment_sum(tf.ones_like(points[:, 0]), indices, codebook.size)
        sums = parts * tf.math.unsorted_segment_sum(points, indices, codebook.size)
        pairs = (codebook.counts, counts), (codebook.sums, sums)
        return sum(tf.nn.l2_loss(average) - tf.reduce_sum(average * batch) for average, batch in pairs)

    def decodable(self, latents):
        return self.latents(self.prepare(latents), None)

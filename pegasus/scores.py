"""What a search finds good about a blend. A score is the weighted sum of terms, the higher the better:

recognised   log sqrt(P(first) P(second)), mean over judges and views (mirrored, shifted)
above        the same of the second class in the upper half of the picture and the first in the lower, the other
             half blurred: wings are above legs; one view, and only where it is asked for
wings        light wings before something dark, see `pegasus.wings.light`; only where it is asked for
realism      minus the squared Mahalanobis distance, over its dimensions, of the judges' features to a
             Gaussian of those of the parents' reconstructions, beyond their own mean (1)
critic       minus the critic's guess of the mix
sharpness    log of high-frequency energy over the reconstructions', at most 0
typical      minus the same distance as `realism` of the code to a Gaussian of the bank's codes
unlike       log of the distance to the nearest reconstruction in the judges' features over the median of
             what reconstructions have among themselves, at most 0; see `pegasus.search.thorough`

One more is of all that are kept, so that no score holds it:

together     minus the kernel distance of the judges' features to the training images', see `pegasus.selection`

What is kept, and refined until nearly all scores are equal, stands in the order of its `glance`; where wings are
asked for, the best at a glance is kept whatever its score, see `pegasus.search.leading`.
"""

import functools

import numpy as np
import tensorflow as tf

from common.inference import in_batches
from pegasus import wings

SHIFTS = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))  # down and right, in pixels; all of them mirrored as well
REACH = 2  # pixels that a shift is at most
BATCH_SIZE = 256  # candidates; whole batches, so that one program serves all
OPTIONAL = ("above", "wings")  # terms that are there only where they are asked for


class Gaussian:
    """Mean and whitening of vectors [N, d]; the covariance is shrunk towards its mean variance by `shrinkage`."""

    def __init__(self, vectors, shrinkage=0.1):
        vectors = np.asarray(vectors, np.float64)
        self.mean = vectors.mean(axis=0)
        covariance = np.cov(vectors.T)
        covariance = (1 - shrinkage) * covariance + shrinkage * np.mean(np.diag(covariance)) * np.eye(
            len(covariance)
        )
        values, axes = np.linalg.eigh(covariance)
        self.whitening = (axes / np.sqrt(values)).astype(np.float32)
        self.mean = self.mean.astype(np.float32)

    def distance(self, vectors):
        """Squared Mahalanobis distance over d, [N]; about 1 for what the Gaussian was fitted to. Tensors."""
        return tf.reduce_mean(tf.square((vectors - self.mean) @ self.whitening), axis=-1)


class Scorer:
    """Codes -> the scores' terms, but for "unlike".

    Args:
        model: acai.inference.ReleasedACAI.
        judge: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier.
        classes: the names of the two that a blend shall show.
        optional: those terms of OPTIONAL that there are.
    """

    def __init__(self, model, judge, classes, optional=()):
        self.model, self.judge, self.optional = model, judge, optional
        self.pair = [judge.class_names.index(name) for name in classes]
        self.features = self.codes = None
        self.energy = 1.0

    def refer_to(self, codes, features, energy):
        """Makes what reconstructions are like the measure: their codes, features [N, d] and mean energy.

        Their features are also the `reference` that the kept are to be like as a whole, see `pegasus.selection`.
        """
        self.codes, self.features = Gaussian(codes.reshape(len(codes), -1)), Gaussian(features)
        self.reference, self.energy = np.asarray(features, np.float32), energy

    def see(self, pictures):
        """(log probabilities [B, classes], features [B, d]) of pictures [B, H, W, C]; tensors."""
        return self.judge.log_probabilities_and_features(pictures)

    @functools.cached_property
    def look(self):
        """`see` as one program."""
        return tf.function(self.see, autograph=False)

    def terms(self, codes, shifts=SHIFTS[:1], mirrored=False):
        """{term: [B]} and the features [B, d] of codes [B, h, w, c], tensors that have gradients."""
        pictures = tf.clip_by_value(self.model.autoencoder.decode(codes), -1, 1)
        views = [pictures, *(shifted(pictures, *shift) for shift in shifts[1:])]
        views += [shifted(pictures[:, :, ::-1], *shift) for shift in shifts] if mirrored else []
        seen = [*views, *halves(pictures)] if "above" in self.optional else views
        logs, (features, *_) = (tf.split(part, len(seen)) for part in self.see(tf.concat(seen, 0)))
        flat = tf.reshape(codes, (-1, int(np.prod(codes.shape[1:]))))
        found = {
            "recognised": tf.reduce_mean(tf.gather(logs[: len(views)], self.pair, axis=2), axis=(0, 2)),
            "realism": -tf.nn.relu(self.features.distance(features) - 1),
            "sharpness": tf.minimum(tf.math.log(energy(pictures) / self.energy + 1e-6), 0),
            "typical": -tf.nn.relu(self.codes.distance(flat) - 1),
        }
        if "above" in self.optional:
            first, second = self.pair
            upper, lower = logs[len(views) :]
            found["above"] = 0.5 * (upper[:, second] + lower[:, first])
        if "wings" in self.optional:
            found["wings"] = wings.light(pictures)
        if self.model.critic:
            found["critic"] = -self.model.critic(pictures)
        return found, features

    @functools.cached_property
    def quick(self):
        return tf.function(self.terms, autograph=False)

    @functools.cached_property
    def thorough(self):
        return tf.function(functools.partial(self.terms, shifts=SHIFTS, mirrored=True), autograph=False)

    def glance(self, codes):
        """Log probability of the first class, [N], at half the resolution of what codes [N, h, w, c] decode to.

        Mean over judges and all views: how much each is of the first class at a glance, whatever its details.
        Where there is a term "wings", of the picture as it is and in full: its log probability of the first class,
        half the term "above" and `pegasus.wings.outline`.
        """
        first, second = self.pair

        def seen(part):
            pictures = tf.clip_by_value(self.model.autoencoder.decode(part), -1, 1)
            if "wings" in self.optional:
                whole, upper, lower = (self.look(view)[0] for view in (pictures, *halves(pictures)))
                above = 0.5 * (upper[:, second] + lower[:, first])
                return whole[:, first] + 0.5 * above + wings.outline(pictures)
            views = [shifted(side, *shift) for side in (pictures, pictures[:, :, ::-1]) for shift in SHIFTS]
            return np.mean([self.look(blurred(view, 2))[0][:, first] for view in views], axis=0)

        return in_batches(seen, codes)

    def __call__(self, codes, thorough=False):
        """Numpy ({term: [N]}, features [N, d]) of codes [N, h, w, c]."""
        function = self.thorough if thorough else self.quick
        size = 32 if thorough else BATCH_SIZE
        parts = []
        for start in range(0, len(codes), size):
            part = codes[start : start + size]
            filled = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)])
            terms, features = function(tf.constant(filled))
            parts.append(
                ({name: v.numpy()[: len(part)] for name, v in terms.items()}, features.numpy()[: len(part)])
            )
        names = parts[0][0]
        return {n: np.concatenate([p[0][n] for p in parts]) for n in names}, np.concatenate([p[1] for p in parts])


def shifted(pictures, down, right):
    """Pictures [B, H, W, C] moved by at most REACH pixels, numbers or tensors, mirrored at the edge."""
    padded = tf.pad(pictures, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)), "REFLECT")
    return tf.slice(padded, (0, REACH - down, REACH - right, 0), pictures.shape)


def halves(pictures):
    """Pictures [B, H, W, C] twice: sharp in the upper half and sharp in the lower, else blurred to 4x4 squares.

    The two shares change over 3 / 16 of the height, so that no edge shows.
    """
    height, width = pictures.shape[1:3]
    rest = blurred(pictures, (height // 4, width // 4))
    rows = (np.arange(height) + 0.5) / height - 0.5
    share = np.clip(0.5 - rows / (3 / 16), 0, 1).astype(np.float32)[:, None, None]  # of what is sharp above
    return share * pictures + (1 - share) * rest, (1 - share) * pictures + share * rest


def blurred(pictures, size):
    """Pictures [B, H, W, C] of the means of squares of a size, interpolated."""
    return tf.image.resize(tf.nn.avg_pool2d(pictures, size, size, "VALID"), pictures.shape[1:3])


def energy(pictures):
    """`common.metrics.features.high_frequency_energy` of tensors."""
    grey = tf.reduce_mean(pictures, axis=3, keepdims=True)
    box = tf.nn.avg_pool2d(grey, 3, 1, "VALID")
    return tf.reduce_mean(tf.square(grey[:, 1:-1, 1:-1] - box), axis=(1, 2, 3))


def total(terms, weights):
    """The score, [N]: the terms times their weights."""
    return sum(weights[name] * values for name, values in terms.items())

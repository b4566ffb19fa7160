"""The score of a blend in a search: a weighted sum of terms, where higher is better.

Terms have the names of their flags (--realism_weight):

recognised  recognisability, log sqrt(P(first) P(second)): mean over classifiers and views (mirrored, shifted)
above       the same for the second class in the upper half of the picture and the first class in the lower half,
            with the other half blurred; one view; optional
wings       light wings in front of something dark, see `pegasus.wings.upper_lightness`; optional
realism     feature typicality: minus the squared Mahalanobis distance per dimension of the classifiers' features
            to a Gaussian fitted to the parents' reconstructions, beyond the mean of these (1)
critic      minus the critic's estimate of the mix
sharpness   log of the high-frequency energy relative to the reconstructions', at most 0
typical     latent typicality: as "realism", for the latents and a Gaussian fitted to the bank
unlike      novelty: log of the distance to the nearest reconstruction in the classifiers' features relative to the
            median of such distances among reconstructions, at most 0; see `pegasus.search.score_all_views`

One more term belongs to the results as a whole and is in no blend's score:

together    minus the kernel distance of their features to the training images', see `pegasus.selection`

Results are ordered by `Scorer.low_resolution_score`, since refinement makes nearly all scores equal.
"""

import functools

import numpy as np
import tensorflow as tf

from common.inference import in_batches
from pegasus import wings

SHIFTS = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))  # (down, right) in pixels; views are also mirrored
MAX_SHIFT = 2  # pixels
BATCH_SIZE = 256  # candidates; incomplete batches are filled so that each function is traced once
ALL_VIEWS_BATCH_SIZE = 32
OPTIONAL_TERMS = ("above", "wings")  # computed only if they have a weight


class Gaussian:
    """A Gaussian fitted to vectors [N, d].

    Args:
        vectors: [N, d].
        shrinkage: share of the covariance that is replaced by the identity times the mean variance.
    """

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
        """Squared Mahalanobis distance divided by d, as a tensor [N]; about 1 for the fitted vectors."""
        return tf.reduce_mean(tf.square((vectors - self.mean) @ self.whitening), axis=-1)


class Scorer:
    """Computes the score terms of latents, except "unlike".

    Args:
        model: acai.inference.ReleasedACAI.
        classifiers: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier.
        classes: names of the two classes that a blend should show.
        parents: pegasus.candidates.Parents, the measure of what is typical.
        optional_terms: which of OPTIONAL_TERMS to compute.
        reference: features [M, d] of the images that the results should resemble as a whole, see
            `pegasus.selection`; None: those of the parents' reconstructions.
    """

    def __init__(self, model, classifiers, classes, parents, optional_terms=(), reference=None):
        self.model, self.classifiers, self.optional_terms = model, classifiers, optional_terms
        self.class_indices = [classifiers.class_names.index(name) for name in classes]
        self.latents = Gaussian(parents.bank_latents.reshape(len(parents.bank_latents), -1))
        self.features, self.energy = Gaussian(parents.features), parents.energy
        self.reference = np.asarray(parents.features, np.float32) if reference is None else reference

    @functools.cached_property
    def classify(self):
        """Function, pictures [B, H, W, C] -> (log probabilities [B, classes], features [B, d]), compiled."""
        return tf.function(self.classifiers.log_probabilities_and_features, autograph=False)

    def terms(self, latents, shifts=SHIFTS[:1], mirrored=False):
        """Computes the terms as differentiable tensors.

        Args:
            latents: [B, h, w, c].
            shifts: the views' shifts (down, right); the first one is (0, 0).
            mirrored: adds each view's mirror image.

        Returns:
            ({term: [B]}, features [B, d] of the unshifted picture).
        """
        pictures = tf.clip_by_value(self.model.autoencoder.decode(latents), -1, 1)
        views = [pictures, *(shift_pictures(pictures, *shift) for shift in shifts[1:])]
        views += [shift_pictures(pictures[:, :, ::-1], *shift) for shift in shifts] if mirrored else []
        above = "above" in self.optional_terms
        shown = [*views, *sharp_halves(pictures)] if above else views
        outputs = self.classifiers.log_probabilities_and_features(tf.concat(shown, 0))
        log_probabilities, (features, *_) = (tf.split(output, len(shown)) for output in outputs)
        flat = tf.reshape(latents, (-1, int(np.prod(latents.shape[1:]))))
        terms = {
            "recognised": tf.reduce_mean(
                tf.gather(log_probabilities[: len(views)], self.class_indices, axis=2), axis=(0, 2)
            ),
            "realism": -tf.nn.relu(self.features.distance(features) - 1),
            "sharpness": tf.minimum(tf.math.log(high_frequency_energy(pictures) / self.energy + 1e-6), 0),
            "typical": -tf.nn.relu(self.latents.distance(flat) - 1),
        }
        if above:
            terms["above"] = self._second_class_above(*log_probabilities[len(views) :])
        if "wings" in self.optional_terms:
            terms["wings"] = wings.upper_lightness(pictures)
        if self.model.critic:
            terms["critic"] = -self.model.critic(pictures)
        return terms, features

    def _second_class_above(self, upper, lower):
        """Mean log probability [B] of the second class in `upper` and the first in `lower`, [B, classes] each."""
        first, second = self.class_indices
        return 0.5 * (upper[:, second] + lower[:, first])

    @functools.cached_property
    def _one_view(self):
        return tf.function(self.terms, autograph=False)

    @functools.cached_property
    def _all_views(self):
        return tf.function(functools.partial(self.terms, shifts=SHIFTS, mirrored=True), autograph=False)

    def low_resolution_score(self, latents):
        """Scores how clearly the decoded latents [N, h, w, c] show the first class without their details, [N].

        It is the log probability of the first class at half the resolution, the mean over classifiers and views.
        With the term "wings" it is instead, in one view at full resolution, the sum of that log probability,
        half of "above" and `pegasus.wings.outline_score`.
        """
        first, _ = self.class_indices

        def score(batch):
            pictures = tf.clip_by_value(self.model.autoencoder.decode(batch), -1, 1)
            if "wings" in self.optional_terms:
                whole, *halves = (self.classify(view)[0] for view in (pictures, *sharp_halves(pictures)))
                return whole[:, first] + 0.5 * self._second_class_above(*halves) + wings.outline_score(pictures)
            views = [shift_pictures(side, *shift) for side in (pictures, pictures[:, :, ::-1]) for shift in SHIFTS]
            return np.mean([self.classify(blur(view, 2))[0][:, first] for view in views], axis=0)

        return in_batches(score, latents)

    def __call__(self, latents, all_views=False):
        """Computes ({term: [N]}, features [N, d]) of latents [N, h, w, c] as arrays."""
        function = self._all_views if all_views else self._one_view
        size = ALL_VIEWS_BATCH_SIZE if all_views else BATCH_SIZE
        parts = []
        for start in range(0, len(latents), size):
            batch = latents[start : start + size]
            filled = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])
            terms, features = function(tf.constant(filled))
            terms = {name: values.numpy()[: len(batch)] for name, values in terms.items()}
            parts.append((terms, features.numpy()[: len(batch)]))
        names = parts[0][0]
        return {n: np.concatenate([p[0][n] for p in parts]) for n in names}, np.concatenate([p[1] for p in parts])


def shift_pictures(pictures, down, right):
    """Moves pictures [B, H, W, C] by at most MAX_SHIFT pixels (numbers or tensors), reflected at the edges."""
    margin = (MAX_SHIFT, MAX_SHIFT)
    padded = tf.pad(pictures, ((0, 0), margin, margin, (0, 0)), "REFLECT")
    return tf.slice(padded, (0, MAX_SHIFT - down, MAX_SHIFT - right, 0), pictures.shape)


def sharp_halves(pictures):
    """Returns pictures [B, H, W, C] twice: sharp in the upper half only, and in the lower half only.

    The rest is blurred to 4x4 squares. Both merge over 3 / 16 of the height, so that no edge shows.
    """
    height, width = pictures.shape[1:3]
    blurred = blur(pictures, (height // 4, width // 4))
    rows = (np.arange(height) + 0.5) / height - 0.5
    share = np.clip(0.5 - rows / (3 / 16), 0, 1).astype(np.float32)[:, None, None]  # 1 in the upper rows
    return share * pictures + (1 - share) * blurred, (1 - share) * pictures + share * blurred


def blur(pictures, size):
    """Shrinks pictures [B, H, W, C] by averaging squares of the given size and enlarges them again."""
    return tf.image.resize(tf.nn.avg_pool2d(pictures, size, size, "VALID"), pictures.shape[1:3])


def high_frequency_energy(pictures):
    """`common.metrics.features.high_frequency_energy` of tensors [B, H, W, C], [B]."""
    grey = tf.reduce_mean(pictures, axis=3, keepdims=True)
    box = tf.nn.avg_pool2d(grey, 3, 1, "VALID")
    return tf.reduce_mean(tf.square(grey[:, 1:-1, 1:-1] - box), axis=(1, 2, 3))


def weighted_sum(terms, term_weights):
    """The score [N] of {term: [N]} and {term: weight}."""
    return sum(term_weights[name] * values for name, values in terms.items())

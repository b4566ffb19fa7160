"""The terms of the score: Gaussians, views and energy against plain numpy."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from common.metrics import features
from pegasus import scores, wings
from pegasus.search_config import DEFAULT_TERM_WEIGHTS


def make_model(scale=1.0):
    """A model whose pictures are its latents times a scale."""
    return SimpleNamespace(autoencoder=SimpleNamespace(decode=lambda latents: scale * latents), critic=None)


def make_scorer(model, classify, class_names, classes, shape, optional_terms=()):
    """A Scorer with random parents whose latents and pictures have a shape; their mean energy is 0.5."""
    random = np.random.default_rng(8)
    classifier = SimpleNamespace(class_names=class_names, log_probabilities_and_features=classify)
    num_features = classify(tf.zeros((1, *shape)))[1].shape[1]
    parents = SimpleNamespace(
        bank_latents=random.normal(size=(500, *shape)),
        features=random.normal(size=(500, num_features)),
        energy=0.5,
    )
    return scores.Scorer(model, classifier, classes, parents, optional_terms)


def test_the_distance_to_a_gaussian_is_mahalanobis():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) + 5
    gaussian = scores.Gaussian(vectors, shrinkage=0)
    centred = vectors - vectors.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(np.cov(vectors.T)), centred) / 4
    np.testing.assert_allclose(gaussian.distance(vectors.astype(np.float32)), expected, rtol=1e-3)
    assert np.mean(expected) == pytest.approx(299 / 300)


def test_shrinkage_bounds_the_distance_in_directions_without_variance():
    vectors = np.random.default_rng(1).normal(size=(200, 2)) * [1, 0]
    distant = np.array([[vectors[:, 0].mean(), 1]], np.float32)
    variance = vectors[:, 0].var(ddof=1)
    assert float(scores.Gaussian(vectors, 0.1).distance(distant)[0]) == pytest.approx(
        1 / (0.1 * variance / 2) / 2, rel=1e-3
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-2, 0), (0, 2), (1, -2)])
def test_shifted_pictures_are_reflected_at_the_edges(down, right):
    images = np.random.default_rng(2).normal(size=(2, 6, 7, 3)).astype(np.float32)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    expected = padded[:, 2 - down : 8 - down, 2 - right : 9 - right]
    shifted = np.asarray(scores.shift_pictures(images, down, right))
    np.testing.assert_array_equal(shifted, expected)
    if down == 2:
        np.testing.assert_array_equal(shifted[:, 2:], images[:, :-2])


def test_high_frequency_energy_equals_the_metric():
    images = np.random.default_rng(3).uniform(-1, 1, size=(3, 8, 9, 3)).astype(np.float32)
    expected = features.high_frequency_energy(images)
    np.testing.assert_allclose(scores.high_frequency_energy(images), expected, rtol=1e-4)


def test_the_score_is_the_weighted_sum_of_the_given_terms():
    terms = {"recognised": np.array([-1.0, -2.0]), "typical": np.array([-3.0, 0.0])}
    weights = DEFAULT_TERM_WEIGHTS | {"typical": 0.5}
    np.testing.assert_allclose(scores.weighted_sum(terms, weights), [-2.5, -2])


def test_recognition_in_all_views_is_the_mean_over_flips_and_shifts():
    def classify(pictures):
        corner = tf.reshape(pictures[:, :2, :2, 0], (-1, 4))
        return tf.nn.log_softmax(2 * corner[:, :3]), corner

    latents = np.random.default_rng(6).uniform(-0.5, 0.5, size=(3, 8, 8, 3)).astype(np.float32)
    scorer = make_scorer(make_model(3), classify, ("bird", "cat", "horse"), ("horse", "bird"), (8, 8, 3))
    expected = []
    for pictures in (3 * latents, 3 * latents[:, :, ::-1]):
        padded = np.pad(np.clip(pictures, -1, 1), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        for down, right in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)):
            view = padded[:, 2 - down : 10 - down, 2 - right : 10 - right, 0]
            logits = 2 * np.stack([view[:, 0, 0], view[:, 0, 1], view[:, 1, 0]], axis=1)
            log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            expected.append((log_probabilities[:, 2] + log_probabilities[:, 0]) / 2)
    terms, _ = scorer(latents, all_views=True)
    np.testing.assert_allclose(terms["recognised"], np.mean(expected, axis=0), rtol=1e-4)
    one_view, corners = scorer(latents)
    np.testing.assert_allclose(one_view["recognised"], expected[0], rtol=1e-4)
    pictures = np.clip(3 * latents, -1, 1)
    np.testing.assert_allclose(corners, pictures[:, :2, :2, 0].reshape(3, 4), rtol=1e-5)
    sharpness = np.log(features.high_frequency_energy(pictures) / 0.5)
    np.testing.assert_allclose(terms["sharpness"], np.minimum(sharpness, 0), atol=1e-4)


def test_low_resolution_score_is_the_first_class_at_half_the_resolution_in_all_views():
    """The classifier reads its logits from the first pixel, which is the mean of 2x2 pixels after blurring."""

    def classify(pictures):
        return tf.nn.log_softmax(pictures[:, 0, 0]), pictures[:, 0, 0]

    latents = np.random.default_rng(10).uniform(-0.5, 0.5, size=(3, 8, 8, 3)).astype(np.float32)
    expected = []
    for pictures in (3 * latents, 3 * latents[:, :, ::-1]):
        padded = np.pad(np.clip(pictures, -1, 1), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        for down, right in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)):
            pixel = padded[:, 2 - down : 4 - down, 2 - right : 4 - right].mean(axis=(1, 2))
            expected.append(pixel[:, 2] - np.log(np.exp(pixel).sum(axis=1)))
    scorer = make_scorer(make_model(3), classify, ("bird", "cat", "horse"), ("horse", "bird"), (8, 8, 3))
    np.testing.assert_allclose(scorer.low_resolution_score(latents), np.mean(expected, axis=0), rtol=1e-5)


def test_sharp_halves_are_the_picture_on_one_side_and_blurred_on_the_other():
    """Of 32 rows the first and the last 13 are purely one or the other; both sum to the picture and its blur."""
    pictures = np.random.default_rng(7).uniform(-1, 1, size=(2, 32, 16, 3)).astype(np.float32)
    upper, lower = (np.asarray(half) for half in scores.sharp_halves(pictures))
    np.testing.assert_array_equal(upper[:, :13], pictures[:, :13])
    np.testing.assert_array_equal(lower[:, 19:], pictures[:, 19:])
    blurred = upper + lower - pictures
    np.testing.assert_allclose(upper[:, 19:], blurred[:, 19:], atol=1e-6)
    np.testing.assert_allclose(lower[:, :13], blurred[:, :13], atol=1e-6)
    squares = pictures.reshape(2, 4, 8, 4, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(blurred[:, 0, 0], squares[:, 0, 0], atol=1e-6)  # corners are not interpolated
    np.testing.assert_allclose(blurred[:, -1, -1], squares[:, -1, -1], atol=1e-6)


def classify_corners(pictures):
    """A light corner at the top is class 0, one at the bottom is class 1."""
    corners = tf.stack([pictures[:, 0, 0, 0], pictures[:, -1, -1, 0]], axis=1)
    return tf.nn.log_softmax(corners), pictures[:, 0, 0]


@pytest.mark.parametrize("optional_terms", [(), ("above",), ("above", "wings")])
def test_above_is_the_second_class_over_the_first(optional_terms):
    pictures = np.random.default_rng(9).uniform(-1, 1, size=(3, 8, 8, 3)).astype(np.float32)
    classes = ("horse", "bird")
    scorer = make_scorer(make_model(), classify_corners, ("bird", "horse"), classes, (8, 8, 3), optional_terms)
    terms, _ = scorer(pictures)
    assert set(scores.OPTIONAL_TERMS) & set(terms) == set(optional_terms)
    if "above" not in optional_terms:
        return
    upper, lower = (np.asarray(classify_corners(half)[0]) for half in scores.sharp_halves(pictures))
    np.testing.assert_allclose(terms["above"], 0.5 * (upper[:, 0] + lower[:, 1]), rtol=1e-5)


def test_low_resolution_score_with_wings_adds_the_halves_and_the_outline():
    latents = np.random.default_rng(10).uniform(-0.5, 0.5, size=(3, 16, 16, 3)).astype(np.float32)
    scorer = make_scorer(make_model(3), classify_corners, ("a", "b"), ("b", "a"), (16, 16, 3), ("wings",))
    pictures = np.clip(3 * latents, -1, 1)
    whole, upper, lower = (classify_corners(x)[0] for x in (pictures, *scores.sharp_halves(pictures)))
    expected = whole[:, 1] + 0.25 * (upper[:, 0] + lower[:, 1]) + wings.outline_score(tf.constant(pictures))
    np.testing.assert_allclose(scorer.low_resolution_score(latents), expected, rtol=1e-5, atol=1e-5)


def test_the_term_wings_is_at_most_one():
    latents = np.full((2, 16, 16, 3), -1, np.float32)
    latents[1, 2:5, 4:10] = 1

    def classify(pictures):
        return pictures[:, 0, 0, :2], pictures[:, 0, 0]

    scorer = make_scorer(make_model(), classify, ("a", "b"), ("a", "b"), (16, 16, 3), ("wings",))
    assert scorer(latents)[0]["wings"].tolist() == [0, 1]  # of 0 and 2


def test_reference_features_are_the_parents_unless_given():
    parents = SimpleNamespace(bank_latents=np.eye(8), features=np.eye(8), energy=0.5)
    classifier = SimpleNamespace(class_names=("a", "b"))
    given = np.zeros((2, 8), np.float32)
    for reference, expected in ((None, np.eye(8)), (given, given)):
        scorer = scores.Scorer(make_model(), classifier, ("a", "b"), parents, reference=reference)
        np.testing.assert_array_equal(scorer.reference, expected)

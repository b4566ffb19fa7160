"""The scores' terms: Gaussians, views and energy against plain numpy."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from common.metrics.features import high_frequency_energy
from pegasus import masks, scores, wings


def test_the_distance_to_a_gaussian_is_mahalanobis():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) + 5
    gaussian = scores.Gaussian(vectors, shrinkage=0)
    away = vectors - vectors.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", away, np.linalg.inv(np.cov(vectors.T)), away) / 4
    np.testing.assert_allclose(gaussian.distance(vectors.astype(np.float32)), expected, rtol=1e-3)
    assert np.mean(expected) == pytest.approx(299 / 300)


def test_shrinkage_bounds_the_distance_where_nothing_varied():
    vectors = np.random.default_rng(1).normal(size=(200, 2)) * [1, 0]
    far = np.array([[vectors[:, 0].mean(), 1]], np.float32)
    variance = vectors[:, 0].var(ddof=1)
    assert float(scores.Gaussian(vectors, 0.1).distance(far)[0]) == pytest.approx(
        1 / (0.1 * variance / 2) / 2, rel=1e-3
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-2, 0), (0, 2), (1, -2)])
def test_views_are_moved_and_filled_by_mirroring(down, right):
    images = np.random.default_rng(2).normal(size=(2, 6, 7, 3)).astype(np.float32)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    expected = padded[:, 2 - down : 8 - down, 2 - right : 9 - right]
    moved = np.asarray(scores.shifted(images, down, right))
    np.testing.assert_array_equal(moved, expected)
    if down == 2:
        np.testing.assert_array_equal(moved[:, 2:], images[:, :-2])


def test_energy_is_that_of_the_metrics():
    images = np.random.default_rng(3).uniform(-1, 1, size=(3, 8, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(scores.energy(images), high_frequency_energy(images), rtol=1e-4)


def test_scores_weigh_the_terms_there_are():
    terms = {"recognised": np.array([-1.0, -2.0]), "typical": np.array([-3.0, 0.0])}
    np.testing.assert_allclose(scores.total(terms, masks.WEIGHTS | {"typical": 0.5}), [-2.5, -2])


def test_thorough_recognition_is_the_mean_over_flips_and_shifts():
    def look(pictures):
        corner = tf.reshape(pictures[:, :2, :2, 0], (-1, 4))
        return tf.nn.log_softmax(2 * corner[:, :3]), corner

    judge = SimpleNamespace(class_names=("bird", "cat", "horse"), log_probabilities_and_features=look)
    decoder = SimpleNamespace(decode=lambda codes: 3 * codes)
    model = SimpleNamespace(autoencoder=decoder, critic=None)
    random = np.random.default_rng(6)
    codes = random.uniform(-0.5, 0.5, size=(3, 8, 8, 3)).astype(np.float32)
    scorer = scores.Scorer(model, judge, ("horse", "bird"))
    scorer.refer_to(random.normal(size=(500, 8, 8, 3)), random.normal(size=(500, 4)), 0.5)
    expected = []
    for side in (codes, codes[:, :, ::-1]):
        padded = np.pad(np.clip(3 * side, -1, 1), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        for down, right in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)):
            view = padded[:, 2 - down : 10 - down, 2 - right : 10 - right, 0]
            logits = 2 * np.stack([view[:, 0, 0], view[:, 0, 1], view[:, 1, 0]], axis=1)
            logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            expected.append((logs[:, 2] + logs[:, 0]) / 2)
    terms, _ = scorer(codes, thorough=True)
    np.testing.assert_allclose(terms["recognised"], np.mean(expected, axis=0), rtol=1e-4)
    quick, features = scorer(codes)
    np.testing.assert_allclose(quick["recognised"], expected[0], rtol=1e-4)
    np.testing.assert_allclose(features, np.clip(3 * codes, -1, 1)[:, :2, :2, 0].reshape(3, 4), rtol=1e-5)
    sharpness = np.log(high_frequency_energy(np.clip(3 * codes, -1, 1)) / 0.5)
    np.testing.assert_allclose(terms["sharpness"], np.minimum(sharpness, 0), atol=1e-4)


def test_a_glance_is_at_the_first_class_at_half_the_resolution_in_all_views():
    """A judge that reads its classes' logits from the first pixel, of blurred pictures the mean of 2x2."""

    def look(pictures):
        return tf.nn.log_softmax(pictures[:, 0, 0]), pictures[:, 0, 0]

    judge = SimpleNamespace(class_names=("bird", "cat", "horse"), log_probabilities_and_features=look)
    model = SimpleNamespace(autoencoder=SimpleNamespace(decode=lambda codes: 3 * codes))
    codes = np.random.default_rng(10).uniform(-0.5, 0.5, size=(3, 8, 8, 3)).astype(np.float32)
    expected = []
    for side in (codes, codes[:, :, ::-1]):
        padded = np.pad(np.clip(3 * side, -1, 1), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        for down, right in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)):
            pixel = padded[:, 2 - down : 4 - down, 2 - right : 4 - right].mean(axis=(1, 2))
            expected.append(pixel[:, 2] - np.log(np.exp(pixel).sum(axis=1)))
    found = scores.Scorer(model, judge, ("horse", "bird")).glance(codes)
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-5)


def test_halves_are_sharp_above_and_below():
    """Of 32 rows the first 13 and the last 13 are one or the other; both add up to the picture and its blur."""
    pictures = np.random.default_rng(7).uniform(-1, 1, size=(2, 32, 16, 3)).astype(np.float32)
    upper, lower = (np.asarray(half) for half in scores.halves(pictures))
    np.testing.assert_array_equal(upper[:, :13], pictures[:, :13])
    np.testing.assert_array_equal(lower[:, 19:], pictures[:, 19:])
    blurred = upper + lower - pictures
    np.testing.assert_allclose(upper[:, 19:], blurred[:, 19:], atol=1e-6)
    np.testing.assert_allclose(lower[:, :13], blurred[:, :13], atol=1e-6)
    squares = pictures.reshape(2, 4, 8, 4, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(blurred[:, 0, 0], squares[:, 0, 0], atol=1e-6)  # corners are not interpolated
    np.testing.assert_allclose(blurred[:, -1, -1], squares[:, -1, -1], atol=1e-6)


@pytest.mark.parametrize("optional", [(), ("above",), ("above", "wings")])
def test_above_is_the_second_class_over_the_first(optional):
    """A judge that looks at two corners: a light one on top is a bird (class 0), one at the bottom a horse (1)."""

    def look(pictures):
        corners = tf.stack([pictures[:, 0, 0, 0], pictures[:, -1, -1, 0]], axis=1)
        return tf.nn.log_softmax(corners), pictures[:, 0, 0]

    pictures = np.random.default_rng(9).uniform(-1, 1, size=(3, 8, 8, 3)).astype(np.float32)
    model = SimpleNamespace(autoencoder=SimpleNamespace(decode=lambda codes: codes), critic=None)
    scorer = scores.Scorer(
        model,
        SimpleNamespace(class_names=("bird", "horse"), log_probabilities_and_features=look),
        ("horse", "bird"),
        optional,
    )
    random = np.random.default_rng(8)
    scorer.refer_to(random.normal(size=(500, 8, 8, 3)), random.normal(size=(500, 3)), 0.5)
    terms, _ = scorer(pictures)
    assert set(scores.OPTIONAL) & set(terms) == set(optional)
    if "above" not in optional:
        return
    upper, lower = scores.halves(pictures)
    expected = 0.5 * (np.asarray(look(upper)[0])[:, 0] + np.asarray(look(lower)[0])[:, 1])
    np.testing.assert_allclose(terms["above"], expected, rtol=1e-5)


def test_a_glance_is_at_the_outline_where_wings_are_asked_for():
    """Besides at the first class (1) of the whole and of the lower half, and at the second (0) of the upper."""

    def look(pictures):
        corners = tf.stack([pictures[:, 0, 0, 0], pictures[:, -1, -1, 0]], axis=1)
        return tf.nn.log_softmax(corners), pictures[:, 0, 0]

    codes = np.random.default_rng(10).uniform(-0.5, 0.5, size=(3, 16, 16, 3)).astype(np.float32)
    model = SimpleNamespace(autoencoder=SimpleNamespace(decode=lambda codes: 3 * codes))
    scorer = scores.Scorer(
        model, SimpleNamespace(class_names=("a", "b"), log_probabilities_and_features=look), ("b", "a"), ("wings",)
    )
    pictures = np.clip(3 * codes, -1, 1)
    upper, lower = scores.halves(pictures)
    expected = look(pictures)[0][:, 1] + 0.25 * (look(upper)[0][:, 0] + look(lower)[0][:, 1])
    np.testing.assert_allclose(
        scorer.glance(codes), expected + wings.outline(tf.constant(pictures)), rtol=1e-5, atol=1e-5
    )


def test_the_term_wings_is_at_most_one():
    codes = np.full((2, 16, 16, 3), -1, np.float32)
    codes[1, 2:5, 4:10] = 1
    model = SimpleNamespace(autoencoder=SimpleNamespace(decode=lambda codes: codes), critic=None)
    judge = SimpleNamespace(
        class_names=("a", "b"), log_probabilities_and_features=lambda p: (p[:, 0, 0, :2], p[:, 0, 0])
    )
    scorer = scores.Scorer(model, judge, ("a", "b"), ("wings",))
    random = np.random.default_rng(8)
    scorer.refer_to(random.normal(size=(20, 16, 16, 3)), random.normal(size=(20, 3)), 0.5)
    assert scorer(codes)[0]["wings"].tolist() == [0, 1]  # of 0 and 2

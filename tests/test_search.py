"""The search: Gaussians, views and energy against plain numpy; selection and draws by hand; the best are found."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from acai import masks
from common import metrics

search = pytest.importorskip("acai.search")


def test_the_distance_to_a_gaussian_is_mahalanobis():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) + 5
    gaussian = search.Gaussian(vectors, shrinkage=0)
    away = vectors - vectors.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", away, np.linalg.inv(np.cov(vectors.T)), away) / 4
    np.testing.assert_allclose(gaussian.distance(vectors.astype(np.float32)), expected, rtol=1e-3)
    assert np.mean(expected) == pytest.approx(299 / 300)


def test_shrinkage_bounds_the_distance_where_nothing_varied():
    vectors = np.random.default_rng(1).normal(size=(200, 2)) * [1, 0]
    far = np.array([[vectors[:, 0].mean(), 1]], np.float32)
    variance = vectors[:, 0].var(ddof=1)
    assert float(search.Gaussian(vectors, 0.1).distance(far)[0]) == pytest.approx(
        1 / (0.1 * variance / 2) / 2, rel=1e-3
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-2, 0), (0, 2), (1, -2)])
def test_views_are_moved_and_filled_by_mirroring(down, right):
    images = np.random.default_rng(2).normal(size=(2, 6, 7, 3)).astype(np.float32)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    expected = padded[:, 2 - down : 8 - down, 2 - right : 9 - right]
    moved = np.asarray(search.shifted(images, down, right))
    np.testing.assert_array_equal(moved, expected)
    if down == 2:
        np.testing.assert_array_equal(moved[:, 2:], images[:, :-2])


def test_energy_is_that_of_the_metrics():
    images = np.random.default_rng(3).uniform(-1, 1, size=(3, 8, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(search.energy(images), metrics.high_frequency_energy(images), rtol=1e-4)


# Selection


def kept(scores, features, parents, keep, near=1.0, uses=3):
    features = np.array(features, float)[:, None]
    return search.select(np.array(scores), features, parents, keep, near, uses)


def test_the_best_come_first():
    assert kept([1, 3, 2], [0, 10, 20], [(0, 0), (1, 1), (2, 2)], 2) == [1, 2]


def test_near_duplicates_and_equal_pairs_are_left_out_while_others_are_there():
    pairs = [(0, 0), (1, 1), (2, 2), (0, 0), (4, 4)]
    assert kept([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 3) == [0, 2, 4]
    assert kept([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 5) == [0, 2, 4, 1, 3]


def test_a_parent_is_used_a_few_times_on_each_side():
    pairs = [(7, 0), (7, 1), (7, 2), (0, 7), (1, 7)]
    assert kept([5, 4, 3, 2, 1], [0, 10, 20, 30, 40], pairs, 4, uses=2) == [0, 1, 3, 4]


def test_scores_weigh_the_terms_there_are():
    terms = {"recognised": np.array([-1.0, -2.0]), "typical": np.array([-3.0, 0.0])}
    np.testing.assert_allclose(search.total(terms, masks.WEIGHTS | {"typical": 0.5}), [-2.5, -2])


# Candidates


@pytest.fixture(scope="module")
def parents():
    random = np.random.default_rng(5)
    codes = [random.normal(size=(9, 2, 4, 4, 3)).astype(np.float32) for _ in range(2)]
    evidence = [random.normal(size=(9, 2, 4, 4)) for _ in range(2)]
    chosen, rows = [np.array([1, 3, 5]), np.arange(9)], [np.arange(9), np.arange(9, 18)]
    borders = [search.border(side) for side in codes]
    return search.Parents(rows, codes, chosen, borders, evidence, random.normal(size=(18, 5)), 1.0)


def test_the_border_is_the_twelve_outer_cells():
    codes = np.arange(16).reshape(1, 4, 4, 1)
    assert search.border(codes).tolist() == [[0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 14, 15]]


def same(one, other):
    return one[:3] == other[:3] and np.array_equal(one.shares, other.shares)


def test_a_candidate_depends_on_the_seed_and_its_number_alone(parents):
    drawn = [search.draw(parents, 4, k) for k in range(200)]
    assert all(same(search.draw(parents, 4, k), drawn[k]) for k in (0, 7, 199))
    assert not all(same(search.draw(parents, 5, k), drawn[k]) for k in range(5))
    assert {c.places[0] for c in drawn} == {1, 3, 5} and {c.mask for c in drawn} == set(masks.KINDS)
    assert {c.mirrored[0] for c in drawn} == {0, 1}
    shares = np.stack([c.shares for c in drawn])
    assert shares.shape == (200, 4, 4) and shares.min() >= 0 and shares.max() <= 1
    uniform = np.stack([c.shares for c in drawn if c.mask == "uniform"])
    assert 0.3 <= uniform.min() < 0.4 and 0.6 < uniform.max() <= 0.7 and np.all(np.ptp(uniform, (1, 2)) == 0)


def test_the_rival_with_the_most_similar_border_is_taken(parents):
    candidates = [search.draw(parents, 0, k, rivals=500) for k in range(20)]  # sees all nine, both ways
    for c in candidates:
        mine = parents.borders[0][c.places[0], c.mirrored[0]]
        away = np.linalg.norm(parents.borders[1] - mine, axis=-1)  # [9, 2]
        assert away[c.places[1], c.mirrored[1]] == away.min()


class Best:
    """A scorer that likes codes near a target, and counts what it is shown at once."""

    def __init__(self, target):
        self.target, self.sizes = target, []

    def __call__(self, codes, thorough=False):
        self.sizes.append(len(codes))
        away = -np.square(codes - self.target).sum((1, 2, 3))
        return {"recognised": away}, codes.reshape(len(codes), -1)[:, :5]


def test_the_best_of_all_are_found_whatever_the_batches(parents, monkeypatch):
    monkeypatch.setattr(search, "POOL", 20)
    monkeypatch.setattr(search, "BATCH_SIZE", 32)
    monkeypatch.setattr(search, "NEAR", 0)
    monkeypatch.setattr(search, "USES", 1000)
    scorer = Best(search.codes_of(parents, [search.draw(parents, 0, 123)])[0])
    drawn, codes = search.find(scorer, parents, 200, 3, 0, masks.WEIGHTS)
    assert max(scorer.sizes) <= 32 and scorer.sizes[:7] == [32] * 6 + [8]
    assert same(drawn[0], search.draw(parents, 0, 123))
    everything = search.codes_of(parents, [search.draw(parents, 0, k) for k in range(200)])
    scores = scorer(everything)[0]["recognised"]
    found = scorer(codes)[0]["recognised"]
    assert list(found) == sorted(found, reverse=True) and found[2] >= np.sort(scores)[-10]


def test_unlike_is_the_distance_in_typical_ones(parents):
    codes = np.zeros((2, 4, 4, 3), np.float32)
    codes[0].ravel()[:5] = parents.features[4] + [0.5, 0, 0, 0, 0]
    codes[1].ravel()[:5] = 100
    terms, _ = search.thorough(Best(0), parents, codes)
    nearest = np.linalg.norm(parents.features - codes.reshape(2, -1)[:1, :5], axis=1).min()
    np.testing.assert_allclose(terms["unlike"], [np.log(min(1, nearest)), 0], atol=1e-6)


def test_duplicates_are_measured_in_typical_distances(parents, monkeypatch):
    seen = []
    monkeypatch.setattr(search, "select", lambda *args: seen.append(args[-1]) or [0])
    search.find(Best(0), search.dataclasses.replace(parents, spacing=3.0), 8, 1, 0, masks.WEIGHTS)
    assert seen == [search.NEAR * 3]


def test_thorough_recognition_is_the_mean_over_flips_and_shifts():
    def look(pictures):
        corner = tf.reshape(pictures[:, :2, :2, 0], (-1, 4))
        return tf.nn.log_softmax(2 * corner[:, :3]), corner

    judge = SimpleNamespace(class_names=("bird", "cat", "horse"), look=look)
    decoder = SimpleNamespace(decode=lambda codes: 3 * codes)
    model = SimpleNamespace(autoencoder=decoder, critic=None)
    random = np.random.default_rng(6)
    codes = random.uniform(-0.5, 0.5, size=(3, 8, 8, 3)).astype(np.float32)
    scorer = search.Scorer(model, judge, ("horse", "bird"))
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
    sharpness = np.log(metrics.high_frequency_energy(np.clip(3 * codes, -1, 1)) / 0.5)
    np.testing.assert_allclose(terms["sharpness"], np.minimum(sharpness, 0), atol=1e-4)

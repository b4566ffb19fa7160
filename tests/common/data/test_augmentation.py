"""Differentiable augmentation: each augmentation by hand from known draws, its gradient and its randomness."""

import numpy as np
import pytest
import tensorflow as tf

from common.data import augmentation

SEED = tf.constant([1, 2], tf.int64)


def noise(count=4, width=16):
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (count, width, width, 3)), tf.float32)


def draws(*rows):
    """Draws [3, B] from up to three rows; missing rows are 0.5."""
    rows = [*rows, *[[0.5] * len(rows[0])] * (3 - len(rows))]
    return tf.constant(rows, tf.float32)


def test_flip_mirrors_for_draws_below_a_half():
    images = noise(2)
    flipped = augmentation.flip(images, draws([0.49, 0.5]))
    np.testing.assert_array_equal(flipped[0], images[0, :, ::-1])
    np.testing.assert_array_equal(flipped[1], images[1])


def test_colour_by_hand():
    images = noise(4)
    changed = augmentation.change_colour(
        images, draws([0.9, 0.5, 0.5, 0.3], [0.5, 0, 0.5, 0.8], [0.5, 0.5, 0, 0.75])
    )
    x = np.asarray(images, np.float64)
    np.testing.assert_allclose(changed[0], x[0] + 0.4, atol=1e-5)
    np.testing.assert_allclose(changed[1], np.repeat(x[1].mean(-1, keepdims=True), 3, -1), atol=1e-5)
    np.testing.assert_allclose(changed[2], x[2].mean() + 0.5 * (x[2] - x[2].mean()), atol=1e-5)
    bright = x[3] - 0.2
    grey = bright.mean(-1, keepdims=True)
    coloured = grey + 1.6 * (bright - grey)
    np.testing.assert_allclose(changed[3], coloured.mean() + 1.25 * (coloured - coloured.mean()), atol=1e-5)


@pytest.mark.parametrize(
    ("down", "right", "shift"),
    [(0.0, 0.5, (-2, 0)), (0.5, 0.999, (0, 2)), (0.7, 0.3, (1, -1)), (0.5, 0.5, (0, 0))],
)
def test_translation_by_hand(down, right, shift):
    images = noise(1)
    moved = augmentation.translate(images, draws([down], [right]))
    padded = np.pad(np.asarray(images[0]), ((2, 2), (2, 2), (0, 0)))
    np.testing.assert_array_equal(moved[0], padded[2 - shift[0] : 18 - shift[0], 2 - shift[1] : 18 - shift[1]])


def test_translation_draws_all_shifts_uniformly():
    """The largest shift is an eighth of 32, 4, so there are nine."""
    shifted = augmentation.shift_matrices(32, tf.constant((np.arange(900) + 0.5) / 900, tf.float32))
    position = np.asarray(shifted)[:, 16].argmax(1)  # row 16 selects position 16 - shift
    np.testing.assert_array_equal(np.unique(position, return_counts=True), (np.arange(12, 21), [100] * 9))


@pytest.mark.parametrize(
    ("down", "right", "rows", "columns"),
    [(0.5, 0.5, (4, 12), (4, 12)), (0.0, 0.999, (0, 4), (12, 16)), (0.25, 0.75, (0, 8), (8, 16))],
)
def test_cutout_by_hand(down, right, rows, columns):
    """A square of 8 of 16 around the centre floor(17 draw), which may be at either border."""
    images = noise(1)
    expected = np.asarray(images[0]).copy()
    expected[rows[0] : rows[1], columns[0] : columns[1]] = 0
    np.testing.assert_array_equal(augmentation.cut_out(images, draws([down], [right]))[0], expected)


@pytest.mark.parametrize("name", augmentation.POLICIES)
def test_gradients_are_those_of_finite_differences(name):
    """Each augmentation is affine in the image, so finite differences are exact."""
    images = noise(2, 8)
    random = np.random.default_rng(1)
    weights, direction = (tf.constant(random.normal(size=images.shape), tf.float32) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(weights * augmentation.augment(images, (name,), SEED))
    slope = tf.reduce_sum(tape.gradient(total, images) * direction)
    moved = tf.reduce_sum(weights * augmentation.augment(images + direction, (name,), SEED))
    np.testing.assert_allclose(slope, moved - total, rtol=1e-3, atol=1e-3)
    assert np.abs(slope) > 0.01


def test_draws_are_a_function_of_the_seed_and_differ_by_image():
    images = tf.repeat(noise(1), 6, axis=0)
    policy = tuple(augmentation.POLICIES)
    first, again = (augmentation.augment(images, policy, SEED) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, augmentation.augment(images, policy, SEED + 1))
    assert len({np.asarray(image).tobytes() for image in first}) == 6


def test_draws_of_an_augmentation_do_not_depend_on_the_others():
    images = noise()
    translated = augmentation.augment(images, ("translation",), SEED)
    flipped = augmentation.augment(images, ("flip",), SEED)
    both = augmentation.augment(images, ("translation", "flip"), SEED)
    rows = tf.reduce_all(flipped == images, (1, 2, 3))  # not flipped
    assert 0 < np.sum(rows) < 4
    np.testing.assert_array_equal(both[rows], translated[rows])


def test_an_empty_policy_changes_nothing_and_an_unknown_name_is_refused():
    images = noise()
    assert augmentation.augment(images, (), SEED) is images
    with pytest.raises(ValueError, match="must be among flip, colour.*'color'"):
        augmentation.augment(images, ("flip", "color"), SEED)

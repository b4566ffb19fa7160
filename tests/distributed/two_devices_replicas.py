"""common.distribute.replicas on two devices; tests/common/distribute/test_distribution.py runs these tests."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.distribute import distribution, replicas
from gan.layers import BatchNorm, MinibatchDeviation
from tests.support import acai_models
from tests.support.two_devices import TWO, batches, build, run_on_both

ACAI_OPTIONS = acai_models.FULL | dict(width=8)


# Rows


def test_each_replica_gets_rows_and_their_mirrors():
    first, second = run_on_both(replicas.take_own_rows, np.arange(12))
    assert first.tolist() == [0, 1, 2, 9, 10, 11] and second.tolist() == [3, 4, 5, 6, 7, 8]
    for rows in (first, second):
        assert (rows + rows[::-1] == 11).all()  # row i beside 11 - i


def test_halves_of_the_whole_batch():
    """Both first halves make the first half of the batch; each replica takes the mirrors from the second half."""
    for rows in run_on_both(
        lambda rows: replicas.gather_first_half(replicas.take_own_rows(rows)[:3]), np.arange(12)
    ):
        assert rows.tolist() == [0, 1, 2, 3, 4, 5]
    first, second = run_on_both(replicas.take_own_second_half, np.arange(6, 12))
    assert first.tolist() == [9, 10, 11] and second.tolist() == [6, 7, 8]


def test_random_draws_are_rows_of_a_draw_for_the_whole_batch():
    def draw(images):
        kind, shape = tf.random.stateless_uniform, (2, tf.shape(images)[0])
        return replicas.draw(kind, shape, tf.constant([3, 4]), axis=1, minval=1.0, maxval=2.0, alg="philox")

    whole = tf.random.stateless_uniform((2, 8), [3, 4], 1.0, 2.0, alg="philox").numpy()
    first, second = run_on_both(draw, np.zeros((4, 5)))
    np.testing.assert_array_equal(first, whole[:, [0, 1, 6, 7]])
    np.testing.assert_array_equal(second, whole[:, [2, 3, 4, 5]])


# Moments and gradients


def test_moments_of_the_whole_batch():
    """The mean is so far from 0 that the mean square minus the squared mean would have no precision left."""
    values = np.random.default_rng(0).normal(1000, 1, (8, 3, 2)).astype(np.float32)
    found = run_on_both(lambda values: replicas.moments(replicas.take_own_rows(values), (0, 1)), values)
    expected = np.float64(values)
    for means, variances in zip(*found, strict=True):
        np.testing.assert_allclose(means, expected.mean((0, 1)), rtol=1e-6)
        np.testing.assert_allclose(variances, expected.var((0, 1)), rtol=1e-3)


@pytest.mark.parametrize("classes", [0, 3])
def test_batch_norm_and_deviation_use_the_whole_batch(classes):
    """Compares outputs, moving statistics and input gradients, which also pass through the other replica."""
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(2, 3, (8, 2, 2, 4)), rng.normal(0, 1, (8, 2, 2, 5))
    inputs, weights = inputs.astype(np.float32), weights.astype(np.float32)
    labels = rng.integers(0, 3, 8).astype(np.int32)

    def layers():
        norm, deviation = BatchNorm(classes), MinibatchDeviation()
        norm.build((None, 2, 2, 4))
        return norm, deviation

    def gradient(norm, deviation, inputs, weights, labels):
        inputs, weights, labels = (replicas.take_own_rows(values) for values in (inputs, weights, labels))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            normed = norm(inputs, labels, training=True) if classes else norm(inputs, training=True)
            outputs = deviation(normed)
            loss = tf.reduce_sum(weights * outputs)
        return outputs, tape.gradient(loss, inputs)

    alone = layers()
    tensors = (tf.constant(array) for array in (inputs, weights, labels))
    expected = [np.asarray(value) for value in gradient(*alone, *tensors)]
    with TWO.scope():
        shared = layers()
    found = run_on_both(lambda *arrays: gradient(*shared, *arrays), inputs, weights, labels)
    for both, whole in zip(found, expected, strict=True):
        for part, rows in zip(both, ([0, 1, 6, 7], [2, 3, 4, 5]), strict=True):
            np.testing.assert_allclose(part, whole[rows], rtol=1e-4, atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(shared[0], name), getattr(alone[0], name), rtol=1e-5)


def test_optimizer_applies_the_mean_of_divided_gradients():
    """Gradients 1 and 3 at a rate of 0.5 move a weight by 0.5 * 2."""
    with TWO.scope():
        weight = keras.Variable([10.0])
        optimizer = keras.optimizers.SGD(0.5)
        optimizer.build([weight])
    gradients = np.float32([[1], [1], [1], [3], [3], [1]])

    def step(gradients):
        mean = tf.reduce_mean(replicas.take_own_rows(gradients[:4]), 0)  # of rows 0, 3 and of rows 1, 2
        optimizer.apply(replicas.divide_by_replicas([2 * mean - 1]), [weight])
        return mean

    assert [part.item() for part in run_on_both(step, gradients)] == [2, 1]
    assert np.asarray(weight).item() == 10 - 0.5 * (3 + 1) / 2


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1.0])
def test_all_finite_is_false_everywhere_after_an_overflow_on_one_replica(bad):
    def finite():
        value = tf.where(replicas.replica_index() == 1, np.float32(bad), 1.0)
        return replicas.all_finite([tf.stack([value, 1.0]), tf.ones(2)])

    assert [bool(found) for found in run_on_both(finite)] == [bad == 1.0] * 2


@pytest.fixture
def reductions(monkeypatch):
    """A list of the values of every reduction between replicas."""
    found = []
    kind = tf.distribute.ReplicaContext
    reduce = kind.all_reduce

    def counted(self, op, value, **options):
        if replicas.replica_index() == 0:
            found.append(value)
        return reduce(self, op, value, **options)

    monkeypatch.setattr(kind, "all_reduce", counted)
    return found


def test_batch_norm_needs_one_reduction_forward_and_one_backward(reductions):
    with TWO.scope():
        norm = BatchNorm()
        norm.build((None, 2, 2, 4))

    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(norm(inputs, training=True)))
        forward = len(reductions)
        return tape.gradient(loss, inputs), tf.constant(forward)

    _, forward = run_on_both(gradient, np.random.default_rng(0).normal(size=(4, 2, 2, 4)).astype(np.float32))
    assert forward[0] == 1 and len(reductions) == 2


@pytest.mark.parametrize(("precision", "flags"), [("float32", 0), ("mixed_float16", 1)])
def test_acai_step_needs_one_reduction_per_optimizer_and_one_for_overflows(reductions, precision, flags):
    """The mean of the logs is one more. No layer of ACAI communicates."""
    model = build(TWO, acai_models.build, ACAI_OPTIONS | dict(precision=precision))
    (batch,) = batches(1, 8)
    step = tf.function(lambda batch: distribution.run_step(TWO, model.train_step, batch), autograph=False)
    step.get_concrete_function(batch)
    assert len(model.optimizers) == 4 and len(reductions) == 4 + flags + 1

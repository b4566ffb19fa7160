"""Two logical CPU devices, and comparisons of training on them with training on one.

Importing it configures TensorFlow's devices, so only tests that run in processes of their own import it.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.distribute import distribution
from tests.support.gan_models import build_gan, optimizers

PROCESSOR = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(PROCESSOR, [tf.config.LogicalDeviceConfiguration()] * 2)
CPUS = ("CPU:0", "CPU:1")  # by name, because a machine can also have a GPU
# Created once, because processes number reductions.
ONE, TWO = distribution.make_strategy("default"), distribution.make_strategy("mirrored", CPUS)
RATE = 1e-3


def run_on_both(function, *arrays):
    """Runs a function of arrays on both replicas and returns their two results as numpy arrays."""

    @tf.function
    def run(*tensors):
        results = TWO.run(function, args=tensors)
        return tf.nest.map_structure(TWO.experimental_local_results, results)

    return tf.nest.map_structure(np.asarray, run(*map(tf.constant, arrays)))


def batches(count, width, seed=0, size=8):
    """Yields random batches of images and of labels of three classes."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        images = rng.uniform(-1, 1, (size, width, width, 3)).astype(np.float32)
        yield {"image": tf.constant(images), "label": tf.constant(rng.integers(0, 3, size), tf.int32)}


def build(strategy, family, options, **settings):
    """Builds a compiled model with random biases, so that no score of a critic is 0."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = family(**options)
        model.compile(*(optimizers(RATE, **settings) if family is build_gan else (RATE,)))
    for optimizer in model.optimizers.values():
        if not hasattr(optimizer, "inner_optimizer"):
            optimizer.epsilon = 1e-3  # otherwise rounding decides the sign of steps with almost no gradient
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    return model


def run_steps(strategy, model, data):
    """Takes a step on each batch; returns their logs and the final state, {name: array}."""
    step = tf.function(lambda batch, **static: distribution.run_step(strategy, model.train_step, batch, **static))
    logs = [step(batch, **model.static_arguments(number)) for number, batch in enumerate(data)]
    state = {name: np.asarray(value) for name, value in model.state().items()}
    return [{name: float(value) for name, value in log.items()} for log in logs], state


def assert_same_training(family, options, width, steps, **settings):
    """Asserts that losses, weights, averages and moments of two devices equal those of one, up to rounding."""
    models = [build(strategy, family, options, **settings) for strategy in (ONE, TWO)]
    start = {name: np.asarray(value).copy() for name, value in models[0].state().items()}
    (logs, state), (other_logs, other_state) = (
        run_steps(strategy, model, batches(steps, width))
        for strategy, model in zip((ONE, TWO), models, strict=True)
    )
    for log, other in zip(logs, other_logs, strict=True):
        assert log.keys() == other.keys()
        for name, value in log.items():
            assert other[name] == pytest.approx(value, rel=2e-5, abs=2e-6), name
    assert state.keys() == other_state.keys()
    for name, array in state.items():
        tolerance = 2e-5 * np.abs(array).max()
        np.testing.assert_allclose(other_state[name], array, rtol=1e-4, atol=tolerance, err_msg=name)
    moved = [name for name in state if np.any(state[name] != start[name])]
    assert len(moved) > 0.8 * len(state)
    assert_same_on_both_devices(models[1])


def assert_same_on_both_devices(model):
    """Asserts that the two copies of every variable have the same bits."""
    compared = 0
    for name, variable in model.state().items():
        copies = [np.asarray(copy) for copy in getattr(variable, "value", variable).values]
        np.testing.assert_array_equal(*copies, err_msg=name)
        compared += len(copies) == 2
    assert compared == len(model.state())

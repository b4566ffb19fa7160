"""Names of variables, moving averages and optimizer logs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from classifiers.model import Classifier
from common import variables
from tests.support.acai_models import build
from tests.support.gan_models import build_gan


def test_network_variables_have_numbered_names():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    found = variables.variables_by_name("net", network)
    names = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]
    assert list(found) == [f"net/{i:02d}_{name}" for i, name in enumerate(names)]
    assert found["net/01_bias"] is network.layers[0].bias


def test_every_variable_of_every_optimizer_has_a_name():
    optimizers = {"a": keras.optimizers.Adam(), "b": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())}
    for optimizer in optimizers.values():
        optimizer.build([keras.Variable([1.0])])
    found = variables.optimizer_variables_by_name(optimizers)
    assert list(found)[:2] == ["a_optimizer/00", "a_optimizer/01"]
    assert [id(v) for v in found.values()] == [id(v) for o in optimizers.values() for v in o.variables]


@pytest.mark.parametrize(
    ("steps", "moved", "expected"),
    [
        (0, True, 1 + 0.9 * 10),  # (1 + 0) / (10 + 0) is kept
        (8, True, 1 + 0.5 * 10),  # 9 / 18
        (10**6, True, 1 + 0.25 * 10),  # the rate at last
        (8, False, 1),
    ],
)
def test_averages_match_hand_computed_ones(steps, moved, expected):
    average, weight = tf.Variable([1.0]), tf.Variable([11.0])
    variables.update_averages([(average, weight)], 0.75, tf.constant(steps, tf.int64), tf.constant(moved))
    np.testing.assert_allclose(average, [expected], rtol=1e-5)
    np.testing.assert_array_equal(weight, [11.0])


def test_averages_are_unchanged_after_an_overflow():
    average = tf.Variable([3.0])
    variables.update_averages([(average, tf.Variable([1e30]))], 0.5, tf.constant(5), tf.constant(False))
    np.testing.assert_array_equal(average, [3.0])


def test_optimizer_logs_have_learning_rate_and_loss_scale():
    plain = keras.optimizers.Adam(0.25)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.5), initial_scale=64.0)
    scaled.build([keras.Variable([1.0])])
    for optimizer, rate, scale in ((plain, 0.25, 1.0), (scaled, 0.5, 64.0)):
        logs = variables.optimizer_logs(optimizer)
        assert {name: float(value) for name, value in logs.items()} == {"learning_rate": rate, "loss_scale": scale}
        assert all(value.dtype == "float32" for value in logs.values())
        assert float(variables.loss_scale(optimizer)) == scale


FAMILIES = {
    "acai": lambda p: build(adversarial_weight=0.1, ema_rate=0.5, precision=p),
    "vqvae": lambda p: build(mix_weight=0.0, bottleneck=dict(bottleneck="vqvae", codebook_size=5), precision=p),
    "gan": lambda p: build_gan(
        width=8, generator_channels=2, discriminator_channels=2, replay_images=4, precision=p
    ),
    "spectral": lambda p: build_gan(width=8, normalisation="spectral", classes=3, ema_rate=0.5, precision=p),
    "classifier": lambda p: Classifier(width=8, channels=(2, 2), classes=3, precision=p),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_no_variable_is_of_a_type_that_stays_on_the_host(name):
    """TensorFlow keeps int32, bool and string variables in host memory, where XLA on a GPU cannot use them."""
    model = FAMILIES[name]("mixed_float16")
    model.compile()
    types = {keras.backend.standardize_dtype(variable.dtype) for variable in model.state().values()}
    assert types <= {"float32", "int64"} and len(model.state()) > 10
    assert {id(v) for v in model.variables} <= {id(v) for v in model.state().values()}

"""Names of variables, moving averages, optimizer logs and restoring."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from classifiers.model import Classifier
from common import variables
from common.errors import InputError
from tests.support.acai_models import build
from tests.support.gan_models import build_gan


def dense_network(*more):
    dense, norm = keras.layers.Dense, keras.layers.BatchNormalization()
    return keras.Sequential([keras.Input((2,)), dense(3), *more, norm, dense(1, use_bias=False, name="last")])


NAMES = (
    "net/dense_0/kernel net/dense_0/bias net/batch_normalization_0/gamma net/batch_normalization_0/beta".split()
)
NAMES += [f"net/batch_normalization_0/moving_{name}" for name in ("mean", "variance")] + ["net/last_0/kernel"]


def test_names_are_those_of_layers_whatever_keras_has_counted():
    for _ in range(2):  # Keras numbers the second network's layers on
        network = dense_network()
        named_variables = variables.variables_by_name("net", network)
        assert list(named_variables) == NAMES
        assert [id(v) for v in named_variables.values()] == [id(v) for v in network.variables]


def test_layers_without_weights_change_no_name():
    """The state of a Dropout's seed goes into checkpoints, and not into releases."""
    network = dense_network(keras.layers.Dropout(0.5), keras.layers.GaussianNoise(0.1), keras.layers.ReLU())
    assert list(variables.weights_by_name("net", network)) == NAMES
    seeds = variables.variables_by_name("net", network).keys() - {*NAMES}
    assert seeds == {f"net/{kind}_0/seed_generator_state" for kind in ("dropout", "gaussian_noise")}


def test_a_single_layer_has_no_layer_name():
    layer = keras.layers.Embedding(3, 2)
    layer.build()
    assert list(variables.variables_by_name("book", layer)) == ["book/embeddings"]


def test_two_variables_of_one_name_are_refused():
    class Twice(keras.layers.Layer):
        def build(self, shape):
            self.a, self.b = (self.add_weight((1,), name="scale") for _ in range(2))

        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="net/twice_0/scale twice"):
        variables.variables_by_name("net", keras.Sequential([keras.Input((2,)), Twice()]))


def test_every_variable_of_every_optimizer_has_a_name():
    optimizers = {"a": keras.optimizers.Adam(), "b": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())}
    for optimizer in optimizers.values():
        optimizer.build([keras.Variable([1.0])])
    named_variables = variables.optimizer_variables_by_name(optimizers)
    assert list(named_variables)[:2] == ["a_optimizer/00", "a_optimizer/01"]
    assert [id(v) for v in named_variables.values()] == [id(v) for o in optimizers.values() for v in o.variables]


@pytest.mark.parametrize(
    ("steps", "moved", "expected"),
    [
        (0, True, 1 + 0.9 * 10),  # (1 + 0) / (10 + 0) is kept
        (8, True, 1 + 0.5 * 10),  # 9 / 18
        (10**6, True, 1 + 0.25 * 10),  # the rate at last
        (8, False, 1),  # as after an overflow
    ],
)
def test_averages_match_hand_computed_ones(steps, moved, expected):
    average, weight = tf.Variable([1.0]), tf.Variable([11.0])
    variables.update_averages([(average, weight)], 0.75, tf.constant(steps, tf.int64), tf.constant(moved))
    np.testing.assert_allclose(average, [expected], rtol=1e-5)
    np.testing.assert_array_equal(weight, [11.0])


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
    "averages": lambda p: build(bottleneck=dict(bottleneck="projected_vqvae", codebook_size=5), precision=p),
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


# restore


ARRAYS = {
    "step": np.int64(7),
    "encoder/dense_0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "critic/flags": np.array([True, False]),
    "empty": np.zeros((0, 4), np.float16),
}


def state_of_ones():
    return {name: tf.Variable(np.ones_like(array)) for name, array in ARRAYS.items()}


def test_restore_assigns_all_variables():
    state = state_of_ones()
    variables.restore(state, ARRAYS, "x.npz")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(state[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder/dense_0/kernel": np.zeros((3, 2))}, ["encoder/dense_0/kernel", "(3, 2)", "(2, 3)"]),
        ({"encoder/dense_0/kernel": np.zeros((2, 3, 1))}, ["encoder/dense_0/kernel", "(2, 3, 1)", "(2, 3)"]),
        ({"more": np.zeros(5)}, ["more", "(5,)", "nothing"]),
        ({"step": None}, ["step", "()", "nothing"]),
        ({"step": np.array("7")}, ["step", "<U1 ()"]),
    ],
    ids=["shape", "rank", "surplus", "missing", "text"],
)
def test_restore_is_all_or_nothing(change, words):
    arrays = {name: array for name, array in (ARRAYS | change).items() if array is not None}
    state = state_of_ones()
    with pytest.raises(InputError) as error:
        variables.restore(state, arrays, "old.npz")
    assert "\n" not in str(error.value)
    for word in ("old.npz", *words):
        assert word in str(error.value)
    for name, variable in state.items():
        np.testing.assert_array_equal(variable, np.ones_like(ARRAYS[name]), err_msg=name)


def test_weights_that_do_not_fit_get_advice():
    with pytest.raises(InputError, match="Weights must fit.*Received: here.*config that.*code of"):
        variables.restore({"net/dense_0/kernel": tf.Variable([1.0])}, {"net/conv/kernel": np.ones(1)}, "here")

"""Winograd convolutions and their gradients against TensorFlow's in float64, and when they are used."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.backend import compiler, strided, winograd
from gan import tricks
from tests.support.gan_models import build_gan, optimizers

SHAPES = {"images": (2, 8, 12, 3), "maps": (2, 4, 6, 5), "kernel": (4, 4, 3, 5)}


def draws(seed=0):
    rng = np.random.default_rng(seed)
    return {name: tf.constant(rng.normal(size=shape)) for name, shape in SHAPES.items()}


def plain_down(images, kernel):
    return tf.nn.conv2d(images, kernel, 2, "SAME")


def plain_up(maps, kernel):
    return tf.nn.conv2d_transpose(maps, kernel, (len(maps), 2 * maps.shape[1], 2 * maps.shape[2], 3), 2)


DIRECTIONS = [(winograd.down, plain_down, "images"), (winograd.up, plain_up, "maps")]


def test_one_axis_matches_a_hand_computed_case():
    """d = 1, 2, 5 and g = 3, 4: y0 = 1*3 + 2*4 = 11 and y1 = 2*3 + 5*4 = 26, from 3 products: -3, 14 and 12."""
    d0, d1, d2 = winograd.differences(tf.reshape([1.0, 2, 5], (1, 3)), 1)
    products = [d * g for d, g in zip((d0, d1, d2), winograd.with_sum(3.0, 4.0), strict=True)]
    np.testing.assert_array_equal(tf.concat(products, 1), [[-3, 14, 12]])
    np.testing.assert_array_equal(winograd.joined(products, 1), [[11, 26]])


@pytest.mark.parametrize(("own", "plain", "of"), DIRECTIONS)
def test_values_equal_tensorflow_with_nine_products(own, plain, of):
    given = draws()
    arguments = given[of], given["kernel"]
    np.testing.assert_allclose(own(*arguments), plain(*arguments), rtol=0, atol=1e-13)
    graph = tf.function(own).get_concrete_function(*arguments).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("MatMul") == 9 and not [kind for kind in kinds if "Conv" in kind]


@pytest.mark.parametrize(("own", "plain", "of"), DIRECTIONS)
def test_first_and_second_gradients_equal_tensorflow(own, plain, of):
    given = draws(1)
    inputs, kernel = given[of], given["kernel"]

    def slopes(function):
        with tf.GradientTape() as outer:
            outer.watch([inputs, kernel])
            with tf.GradientTape() as inner:
                inner.watch([inputs, kernel])
                score = tf.reduce_sum(tf.sin(function(inputs, kernel)))
            first = inner.gradient(score, [inputs, kernel])
            penalty = tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(first[1] ** 3)
        return [*first, *outer.gradient(penalty, [inputs, kernel])]

    for value, expected in zip(slopes(own), slopes(plain), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("linear", "transpose", "shape"),
    [(winograd.tiles, winograd.overlaid, (2, 8, 12, 3)), (winograd.spread, winograd.assembled, (2, 4, 6, 5))],
)
def test_function_pairs_are_transposes(linear, transpose, shape):
    """<A x, y> = <x, A^T y> for any x and y."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=shape)
    answers = linear(tf.constant(x))
    assert len(answers) == 9
    y = [rng.normal(size=answer.shape) for answer in answers]
    left = sum(np.vdot(answer, each) for answer, each in zip(answers, y, strict=True))
    np.testing.assert_allclose(np.vdot(x, transpose(*map(tf.constant, y))), left, rtol=1e-12)


def traced(compiled, few=16, dtype="float32"):
    """Returns the types of operations in both convolutions, traced as in a step."""

    def both():
        kernel = tf.ones((4, 4, few, 2), dtype)
        with compiler.tracing(compiled):
            return strided.down(tf.ones((1, 8, 8, few), dtype), kernel), strided.up(
                tf.ones((1, 4, 4, 2), dtype), kernel
            )

    return [operation.type for operation in tf.function(both).get_concrete_function().graph.get_operations()]


def test_winograd_is_used_only_with_xla_on_a_cpu(monkeypatch):
    assert traced(True).count("MatMul") == 18
    for others in (traced(False), traced(True, few=15), traced(True, dtype="float16")):
        assert others.count("MatMul") == 0 and len([kind for kind in others if "Conv2D" in kind]) == 2
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    assert traced(True).count("MatMul") == 0


@pytest.mark.slow
def test_gan_steps_with_and_without_winograd_agree(monkeypatch):
    """Two steps with XLA, which use Winograd convolutions, and two without give the same states."""
    rng = np.random.default_rng(3)
    images, noise = rng.uniform(-1, 1, (8, 16, 16, 3)), rng.normal(size=(8, 4))
    monkeypatch.setattr(tricks, "draw_gaussian_noise", lambda *_: tf.constant(noise, tf.float32))
    states = []
    for compiled in (True, False):
        keras.utils.set_random_seed(4)
        model = build_gan(
            width=16, noise_size=4, generator_channels=16, discriminator_channels=16, precision="float32"
        )
        model.compile(*optimizers())

        @tf.function(jit_compile=compiled, autograph=False)
        def step(batch, model=model, compiled=compiled):
            with compiler.tracing(compiled):
                return model.train_step(batch)

        for _ in range(2):
            logs = step({"image": tf.constant(images, tf.float32), "label": tf.zeros(8, tf.int32)})
        states.append({name: np.asarray(value) for name, value in (model.state() | logs).items()})
    for name, value in states[0].items():
        np.testing.assert_allclose(value, states[1][name], rtol=2e-3, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, True), ({"normalisation": "spectral"}, False), ({"architecture": "residual", "up": "resize"}, False)],
)
def test_which_gans_ask_for_it(options, expected):
    options = {"normalisation": "none"} | options
    model = build_gan(width=8, noise_size=2, generator_channels=2, discriminator_channels=2, **options)
    assert model.winograd is expected

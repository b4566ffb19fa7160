"""Loss scaling without branches has the bits of Keras's, also after overflows; joint steps of optimizers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from classifiers.model import Classifier
from common.backend import loss_scaling
from tests.support.acai_models import build
from tests.support.gan_models import build_gan

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.1, 0.8, 0.95),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1),
    "sgd": lambda: keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=0.1),
}
BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase", "While", "StatelessWhile"}


def gradients(step):
    """Two scaled gradients; one number overflows at steps 1, 2 and 5."""
    random = np.random.default_rng(step)
    gradients = [random.normal(0, 1000, shape).astype(np.float32) for shape in ((3, 4), (4,))]
    if step in (1, 2, 5):
        gradients[step % 2].flat[step % 3] = [np.inf, np.nan, -np.inf][step % 3]
    return [tf.constant(gradient) for gradient in gradients]


def states_after_each_step(scaler_class, make_inner, compiled):
    weights = [keras.Variable(np.ones(s, np.float32), name=f"w{len(s)}") for s in ((3, 4), (4,))]
    optimizer = scaler_class(make_inner(), initial_scale=512.0, dynamic_growth_steps=3)
    optimizer.build(weights)
    step = tf.function(lambda gradients: optimizer.apply(gradients, weights), jit_compile=compiled)
    states = []
    for number in range(12):  # the scale doubles twice between the overflows and after them
        step(gradients(number))
        named = {f"{i} {v.name}": np.asarray(v).copy() for i, v in enumerate((*weights, *optimizer.variables))}
        states.append(named | {"scale": float(optimizer.dynamic_scale)})
    return states


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_have_the_same_bits_as_keras(name):
    """Weights, moments, counters and scales after each of twelve steps, three of which overflow."""
    ours, kerass = (
        states_after_each_step(scaler, OPTIMIZERS[name], compiled=False)
        for scaler in (loss_scaling.LossScaleOptimizer, keras.optimizers.LossScaleOptimizer)
    )
    for step, (own, expected) in enumerate(zip(ours, kerass, strict=True)):
        assert own.keys() == expected.keys()
        for variable, value in own.items():
            np.testing.assert_array_equal(value, expected[variable], err_msg=f"{variable} at step {step}")
    scales = [state["scale"] for state in ours]
    assert scales == [512.0, 256, 128, 128, 128, 64, 64, 64, 128, 128, 128, 256]


def test_overflow_changes_no_bit_with_xla():
    states = states_after_each_step(loss_scaling.LossScaleOptimizer, OPTIMIZERS["adam"], compiled=True)
    for step in (2, 5):
        before, after = states[step - 1], states[step]
        changed = {name.split()[-1] for name in before if not np.array_equal(before[name], after[name])}
        assert changed - {"step_counter"} == {"dynamic_scale", "scale"}
    first_weight = next(iter(states[0]))
    assert not np.array_equal(states[3][first_weight], states[2][first_weight])


def operations(function, *arguments):
    graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph
    types = {op.type for op in graph.get_operations()}
    return types | {node.op for f in graph.as_graph_def().library.function for node in f.node_def}


MODELS = {
    "acai": lambda: build(adversarial_weight=0.1, ema_rate=0.5, precision="mixed_float16"),
    "gan": lambda: build_gan(width=8, generator_channels=2, discriminator_channels=2, precision="mixed_float16"),
    "classifier": lambda: Classifier(width=8, channels=(2, 2), classes=3, precision="mixed_float16"),
}


@pytest.mark.parametrize("name", MODELS)
def test_mixed_float16_step_has_no_conditional(name):
    model = MODELS[name]()
    model.compile()
    batch = {"image": tf.zeros((4, 8, 8, 3)), "label": tf.zeros(4, tf.int32)}
    assert not operations(lambda batch: model.train_step(batch), batch) & BRANCHES


def test_a_conditional_would_be_noticed():
    assert operations(lambda x: tf.cond(x > 0, lambda: x, lambda: -x), tf.constant(1.0)) & BRANCHES


def test_only_mixed_float16_wraps_the_optimizer():
    inner = keras.optimizers.SGD()
    for policy in ("float32", "mixed_bfloat16"):
        assert loss_scaling.wrap_for_policy(inner, policy) is inner
    assert loss_scaling.wrap_for_policy(inner, "mixed_float16").inner_optimizer is inner


@pytest.mark.parametrize("overflows", [False, True])
def test_overflow_of_one_network_skips_the_step_of_all(overflows):
    """Gradients of `a` overflow, those of `b` are finite. Neither takes a step, and both scales are halved."""
    weights = {name: [keras.Variable([1.0, 2.0])] for name in "ab"}
    optimizers = {name: loss_scaling.LossScaleOptimizer(keras.optimizers.SGD(1.0), 8.0) for name in "ab"}
    for name in "ab":
        optimizers[name].build(weights[name])
    gradients = {"a": [tf.constant([np.inf if overflows else 8.0, 0.0])], "b": [tf.constant([0.0, 16.0])]}
    moved = loss_scaling.apply_together(optimizers, gradients, weights)
    assert bool(moved) is not overflows
    values = {name: np.asarray(weights[name][0]).tolist() for name in "ab"}
    assert values == ({"a": [1, 2], "b": [1, 2]} if overflows else {"a": [0, 2], "b": [1, 0]})
    assert [float(o.dynamic_scale) for o in optimizers.values()] == ([4.0, 4.0] if overflows else [8.0, 8.0])


def test_without_loss_scaling_every_step_is_taken():
    weights, optimizers = {"a": [keras.Variable([1.0])]}, {"a": keras.optimizers.SGD(1.0)}
    optimizers["a"].build(weights["a"])
    assert bool(loss_scaling.apply_together(optimizers, {"a": [tf.constant([0.5])]}, weights))
    assert np.asarray(weights["a"][0]).tolist() == [0.5]


def test_gradient_for_penalty_matches_a_hand_computed_one():
    """Of x^3 at 2: 12, the same bits with the inner scale; and its own gradient, 6 x, passes."""
    x = tf.constant([[2.0, -1.0]])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3, 1)
        slope = loss_scaling.gradient_for_penalty(tape, y, x)
    assert slope.numpy().tolist() == [[12, 3]]
    assert outer.gradient(slope, x).numpy().tolist() == [[12, -6]]


@pytest.mark.parametrize("small", [1.0, 2.0**-14])
def test_gradient_penalty_in_float16_equals_float32(small):
    """At initialisation, and for slopes that are too small for float16 without scaling."""
    penalties = {}
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)), tf.float32)
    for precision in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(0)
        options = dict(width=16, generator_channels=4, discriminator_channels=8, normalisation="none")
        network = build_gan(**options, precision=precision).discriminator
        network.trainable_variables[-2].assign(small * network.trainable_variables[-2])  # of the last layer
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = network(images, training=True)
        slopes = loss_scaling.gradient_for_penalty(tape, logits, images)
        penalties[precision] = float(tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3))))
    assert penalties["mixed_float16"] == pytest.approx(penalties["float32"], rel=0.02, abs=0)

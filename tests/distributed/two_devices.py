"""On two logical CPU devices, which are set before TensorFlow wakes: tests/test_distribution.py runs these tests.

python -m pytest tests/two_devices.py
"""

import importlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import train
from common import variables
from common.distribute import distribution, replicas
from common.errors import InputError
from common.images import write_png
from configs.check import check
from gan.layers import BatchNorm, MinibatchDeviation
from tests.support import acai_models
from tests.support.gan_models import build_gan, optimizers
from training import checkpoints, loop
from training.run_directory import RunDirectory

PROCESSOR = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(PROCESSOR, [tf.config.LogicalDeviceConfiguration()] * 2)
flags.FLAGS.mark_as_parsed()
CPUS = ("CPU:0", "CPU:1")  # by name: a machine with a GPU has it too
ONE, TWO = (
    distribution.make_strategy("default"),
    distribution.make_strategy("mirrored", CPUS),
)  # once: processes number reductions
RATE = 1e-3
ACAI_OPTIONS = acai_models.FULL | dict(width=8)
GAN_OPTIONS = dict(noise_size=4, generator_channels=2, discriminator_channels=2)
TRICKS = dict(classes=3, ema_rate=0.5, replay_images=9, minibatch_deviation=True, soft_labels=0.2)
TRICKS |= dict(flipped_labels=0.3, instance_noise=0.3, instance_noise_steps=10, join_batches=True)
TRICKS |= dict(augment=("flip", "colour", "translation", "cutout"))


def on_both(function, *arrays):
    """What each of the two replicas gets from a function of arrays, as numpy."""

    @tf.function
    def run(*tensors):
        results = TWO.run(function, args=tensors)
        return tf.nest.map_structure(TWO.experimental_local_results, results)

    found = run(*map(tf.constant, arrays))
    return tf.nest.map_structure(np.asarray, found)


def batches(count, width, seed=0, size=8):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        images = rng.uniform(-1, 1, (size, width, width, 3)).astype(np.float32)
        yield {"image": tf.constant(images), "label": tf.constant(rng.integers(0, 3, size), tf.int32)}


def build(strategy, family, options, **settings):
    """A compiled model, with biases that are not 0 and so scores of a critic that are not."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = family(**options)
        model.compile(*(optimizers(RATE, **settings) if family is build_gan else (RATE,)))
    for optimizer in model.optimizers.values():
        if not hasattr(optimizer, "inner_optimizer"):
            optimizer.epsilon = 1e-3  # else a weight of almost no gradient moves by the sign of its rounding
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    return model


def stepped(strategy, model, data):
    """The logs of a step on each batch, and {name: array} of the state after them."""
    step = tf.function(lambda batch, **static: distribution.run_step(strategy, model.train_step, batch, **static))
    logs = [step(batch, **model.static_arguments(number)) for number, batch in enumerate(data)]
    state = {name: np.asarray(value) for name, value in model.state().items()}
    return [{name: float(value) for name, value in log.items()} for log in logs], state


def assert_same_training(family, options, width, steps, **settings):
    """Losses, weights, averages and moments of two devices are those of one, but for rounding."""
    models = [build(strategy, family, options, **settings) for strategy in (ONE, TWO)]
    start = {name: np.asarray(value).copy() for name, value in models[0].state().items()}
    (logs, state), (others, other_state) = (
        stepped(strategy, model, batches(steps, width)) for strategy, model in zip((ONE, TWO), models, strict=True)
    )
    for log, other in zip(logs, others, strict=True):
        assert log.keys() == other.keys()
        for name, value in log.items():
            assert other[name] == pytest.approx(value, rel=2e-5, abs=2e-6), name
    assert state.keys() == other_state.keys()
    for name, array in state.items():
        least = 2e-5 * np.abs(array).max()
        np.testing.assert_allclose(other_state[name], array, rtol=1e-4, atol=least, err_msg=name)
    moved = [name for name in state if np.any(state[name] != start[name])]
    assert len(moved) > 0.8 * len(state)
    assert_same_on_both_devices(models[1])


def assert_same_on_both_devices(model):
    """Every variable's two copies are the same bits: weights, averages, statistics, moments, counters, buffers."""
    compared = 0
    for name, variable in model.state().items():
        copies = [np.asarray(copy) for copy in getattr(variable, "value", variable).values]
        np.testing.assert_array_equal(*copies, err_msg=name)
        compared += len(copies) == 2
    assert compared == len(model.state())


# Rows


def test_rows_are_shared_out_in_pairs():
    first, second = on_both(replicas.take_own_rows, np.arange(12))
    assert first.tolist() == [0, 1, 2, 9, 10, 11] and second.tolist() == [3, 4, 5, 6, 7, 8]
    for rows in (first, second):
        assert (rows + rows[::-1] == 11).all()  # row i beside 11 - i


def test_halves():
    """The first halves of both parts are the whole first half; of the second each has its mirrors."""
    for rows in on_both(lambda rows: replicas.gather_first_half(replicas.take_own_rows(rows)[:3]), np.arange(12)):
        assert rows.tolist() == [0, 1, 2, 3, 4, 5]
    first, second = on_both(replicas.take_own_second_half, np.arange(6, 12))
    assert first.tolist() == [9, 10, 11] and second.tolist() == [6, 7, 8]


def test_draws_are_those_of_the_whole_batch():
    def draw(images):
        kind, shape = tf.random.stateless_uniform, (2, tf.shape(images)[0])
        return replicas.draw(kind, shape, tf.constant([3, 4]), axis=1, minval=1.0, maxval=2.0, alg="philox")

    whole = tf.random.stateless_uniform((2, 8), [3, 4], 1.0, 2.0, alg="philox").numpy()
    first, second = on_both(draw, np.zeros((4, 5)))
    np.testing.assert_array_equal(first, whole[:, [0, 1, 6, 7]])
    np.testing.assert_array_equal(second, whole[:, [2, 3, 4, 5]])


# Moments and gradients


def test_moments_of_the_whole_batch():
    """A mean far from 0, where a mean square less a squared mean would have no digit left."""
    values = np.random.default_rng(0).normal(1000, 1, (8, 3, 2)).astype(np.float32)
    found = on_both(lambda values: replicas.moments(replicas.take_own_rows(values), (0, 1)), values)
    expected = np.float64(values)
    for means, variances in zip(*found, strict=True):
        np.testing.assert_allclose(means, expected.mean((0, 1)), rtol=1e-6)
        np.testing.assert_allclose(variances, expected.var((0, 1)), rtol=1e-3)


@pytest.mark.parametrize("classes", [0, 3])
def test_batch_norm_and_deviation_see_the_whole_batch(classes):
    """Outputs, moving statistics and the gradient at the inputs, which passes through the other's rows too."""
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
    found = on_both(lambda *arrays: gradient(*shared, *arrays), inputs, weights, labels)
    for both, whole in zip(found, expected, strict=True):
        for part, rows in zip(both, ([0, 1, 6, 7], [2, 3, 4, 5]), strict=True):
            np.testing.assert_allclose(part, whole[rows], rtol=1e-4, atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(shared[0], name), getattr(alone[0], name), rtol=1e-5)


def test_shares_of_a_mean_are_what_an_optimizer_adds_up():
    """Gradients 1 and 3 at a rate of 0.5 move a weight by 0.5 * 2."""
    with TWO.scope():
        weight = keras.Variable([10.0])
        optimizer = keras.optimizers.SGD(0.5)
        optimizer.build([weight])
    gradients = np.float32([[1], [1], [1], [3], [3], [1]])

    def step(gradients):
        own = tf.reduce_mean(replicas.take_own_rows(gradients[:4]), 0)  # of rows 0, 3 and of rows 1, 2
        optimizer.apply(replicas.divide_by_replicas([2 * own - 1]), [weight])
        return own

    assert [part.item() for part in on_both(step, gradients)] == [2, 1]
    assert np.asarray(weight).item() == 10 - 0.5 * (3 + 1) / 2


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1.0])
def test_what_overflows_on_one_replica_is_known_to_all(bad):
    def finite():
        own = tf.where(replicas.replica_index() == 1, np.float32(bad), 1.0)
        return replicas.all_finite([tf.stack([own, 1.0]), tf.ones(2)])

    assert [bool(found) for found in on_both(finite)] == [bad == 1.0] * 2


@pytest.fixture
def reductions(monkeypatch):
    """A list to which every reduction between replicas adds what it reduces, once for both."""
    found = []
    kind = tf.distribute.ReplicaContext
    reduce = kind.all_reduce

    def counted(self, op, value, **options):
        if replicas.replica_index() == 0:
            found.append(value)
        return reduce(self, op, value, **options)

    monkeypatch.setattr(kind, "all_reduce", counted)
    return found


def test_a_batch_norm_takes_one_reduction_forward_and_one_back(reductions):
    with TWO.scope():
        norm = BatchNorm()
        norm.build((None, 2, 2, 4))

    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(norm(inputs, training=True)))
        forward = len(reductions)
        return tape.gradient(loss, inputs), tf.constant(forward)

    _, forward = on_both(gradient, np.random.default_rng(0).normal(size=(4, 2, 2, 4)).astype(np.float32))
    assert forward[0] == 1 and len(reductions) == 2


@pytest.mark.parametrize(("precision", "flags"), [("float32", 0), ("mixed_float16", 1)])
def test_an_acai_step_takes_one_reduction_a_network_and_one_flag_for_all(reductions, precision, flags):
    """The logs' mean is one more; no layer of an ACAI looks across the batch."""
    model = build(TWO, acai_models.build, ACAI_OPTIONS | dict(precision=precision))
    (batch,) = batches(1, 8)
    step = tf.function(lambda batch: distribution.run_step(TWO, model.train_step, batch), autograph=False)
    step.get_concrete_function(batch)
    assert len(model.optimizers) == 4 and len(reductions) == 4 + flags + 1


# Models


def test_acai_trains_as_on_one_device():
    assert_same_training(acai_models.build, ACAI_OPTIONS, 8, steps=3)


def test_conditional_gan_with_every_trick_trains_as_on_one_device():
    assert_same_training(build_gan, GAN_OPTIONS | TRICKS, 32, steps=3)


def test_batch_norms_of_both_networks_and_an_average_with_two_critic_steps():
    """The generator's statistics move in its own steps only, and its average follows them, on both devices."""
    assert_same_training(build_gan, GAN_OPTIONS | dict(critic_steps=2, ema_rate=0.5), 32, steps=4)


@pytest.mark.slow
def test_gan_with_separate_batches_trains_as_on_one_device():
    assert_same_training(build_gan, GAN_OPTIONS | dict(spherical_noise=True), 32, steps=2)


@pytest.mark.slow
def test_wasserstein_gan_trains_as_on_one_device():
    options = dict(
        normalisation="none", loss="wasserstein", gradient_penalty=10.0, critic_steps=2, weight_clip=0.2
    )
    assert_same_training(build_gan, GAN_OPTIONS | options, 32, steps=4, name="rmsprop")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options"),
    [(acai_models.build, ACAI_OPTIONS), (build_gan, GAN_OPTIONS | dict(normalisation="none"))],
)
def test_loss_scaling(family, options):
    """Row 3 is the second device's: an overflow there keeps both from the step, and halves both scales."""
    model = build(TWO, family, options | dict(precision="mixed_float16"))
    good, bad = batches(2, options.get("width", 32))
    image = bad["image"].numpy()
    image[3] = 1e6
    start = {name: np.asarray(value).copy() for name, value in model.state().items()}
    logs, state = stepped(TWO, model, [bad | {"image": tf.constant(image)}])
    kept = [name for name in start if "optimizer" not in name and "moving" not in name and name != "step"]
    if family is build_gan:  # its generator sees what the discriminator says, which has not moved either
        assert not np.isfinite(logs[0]["discriminator_loss"])
        kept = [name for name in kept if name.startswith("discriminator")]
    for name in kept:
        np.testing.assert_array_equal(state[name], start[name], err_msg=name)
    assert int(state["step"]) == 1
    scales = [np.asarray(optimizer.dynamic_scale) for optimizer in model.optimizers.values()]
    assert scales[-1] == 2**14  # from 2^15
    logs, state = stepped(TWO, model, [good])
    assert np.isfinite([*logs[0].values()]).all()
    assert all(np.isfinite(array).all() for array in state.values())
    assert sum(np.any(state[name] != start[name]) for name in kept) > 0.8 * len(kept)
    assert_same_on_both_devices(model)


# The loop


def test_loop_and_checkpoints(tmp_path):
    """Trained on one device, saved, restored on two; all copies are restored, and the logs are numbers."""
    data = [*batches(4, 8)]
    stream = tf.data.Dataset.from_tensor_slices({n: tf.stack([b[n] for b in data]) for n in data[0]})
    models = [build(strategy, acai_models.build, ACAI_OPTIONS) for strategy in (ONE, TWO)]
    logged = []

    class Recorder(loop.Callback):
        def on_scalars(self, step, scalars):
            logged.append((step, scalars))

    loop.train(models[0], stream, 2, 8, 1, [], False, ONE)
    files = checkpoints.Checkpoints(tmp_path / "checkpoints")
    files.save(2, models[0].state())
    variables.restore(models[1].state(), files.load_latest()[1], "the test")
    loop.train(models[1], stream.skip(2), 4, 8, 1, [Recorder()], False, TWO)
    loop.train(models[0], stream.skip(2), 4, 8, 1, [Recorder()], False, ONE)
    assert [step for step, _ in logged] == [3, 4, 3, 4]
    for (_, two), (_, one) in zip(logged[:2], logged[2:], strict=True):
        del one["images_per_second"], two["images_per_second"]
        assert two == pytest.approx(one, rel=2e-5, abs=2e-6)
    assert files.save(4, models[1].state())
    assert int(files.load_latest()[1]["step"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["acai.py:lines", "gan.py:cgan"])
def test_the_command(variant, tmp_path, monkeypatch):
    """Two steps on one device, resumed on two, with all that is shown and written beside them."""
    monkeypatch.setattr(distribution, "make_strategy", {"default": ONE, "mirrored": TWO}.get)
    for name in ("bird", "horse"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
            write_png(tmp_path / "images" / name / f"{number:02d}.png", pixels)
    file, _, argument = variant.partition(":")
    config = importlib.import_module(f"configs.{file[:-3]}").get_config(argument)
    config.train.update(dict(batch_size=8, log_every_kimg=0.008, pictures_every_kimg=0.016, precision="float32"))
    config.train.schedule = "constant"  # the runs differ in total_kimg
    if config.family == "gan":
        config.data.source, config.data.image_folder = "folder", str(tmp_path / "images")
        config.model.update(dict(generator_channels=2, discriminator_channels=2, noise_size=4))
    else:
        config.model.depth = config.model.critic_depth = config.model.latent_channels = 2
        config.train.bank_per_class = (6, 2)
    for strategy, kimg in (("default", 0.016), ("mirrored", 0.032)):
        config.train.strategy, config.train.total_kimg = strategy, kimg
        check(config)
        with RunDirectory(str(tmp_path / "run"), json.loads(config.to_json())) as run:
            train.train(config, run)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert (tmp_path / "run" / "release" / "weights.npz").exists()
    assert len([*(tmp_path / "run" / "pictures").glob("*-000000004.png")]) > 1


def test_batches_that_cannot_be_shared_out():
    distribution.check_batch_size(TWO, 8)
    distribution.check_batch_size(ONE, 7)
    with pytest.raises(InputError, match="multiple of 4.*2 devices.*6"):
        distribution.check_batch_size(TWO, 6)


def test_xla_is_for_one_device():
    assert distribution.supports_xla(ONE) and not distribution.supports_xla(TWO)

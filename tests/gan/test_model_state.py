"""A GAN's checkpoint state, exact resume, mixed precision, and its behaviour as a Keras model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.files import pack, unpack
from common.variables import restore
from gan import tricks
from tests.support.gan_models import (
    NOISE,
    SMALL,
    batch,
    build_gan,
    changed,
    make,
    optimizers,
    prefixes,
    snapshot,
)

EVERYTHING = dict(classes=3, normalisation="spectral", loss="hinge", replay_images=6, ema_rate=0.9, critic_steps=2)
EVERYTHING |= dict(instance_noise=0.1, instance_noise_steps=5, augment=("flip", "cutout"), spherical_noise=True)


# State


@pytest.mark.parametrize("options", [dict(), EVERYTHING], ids=["plain", "everything"])
def test_state_holds_every_variable_under_the_same_names_in_each_model(options):
    first, second = make(**options), make(**options)
    assert list(first.state()) == list(second.state())
    state_ids = {id(variable) for variable in first.state().values()}
    assert len(state_ids) == len(first.state())
    variables = [*first.variables, *(v for optimizer in first.optimizers.values() for v in optimizer.variables)]
    assert {id(variable) for variable in variables} == state_ids


def test_release_state_is_the_released_generator():
    for options in (dict(), EVERYTHING):
        model = make(**options)
        released = model.release_state()
        assert prefixes(released) == {"generator"}
        assert {id(v) for v in released.values()} == {id(v) for v in model.released_generator.variables}


@pytest.mark.parametrize(
    ("options", "compiler"),
    [
        (EVERYTHING, "none"),
        pytest.param(
            dict(minibatch_deviation=True, soft_labels=0.1, ema_rate=0.5), "none", marks=pytest.mark.slow
        ),
        pytest.param(EVERYTHING, "xla", marks=pytest.mark.slow),
    ],
)
def test_training_resumes_bit_identically_from_restored_state(options, compiler):
    """The state includes spectral norms, replay, averages and batch norms."""
    model, fresh = make(**options), make(seed=5, **options)
    steps = [
        m.train_step if compiler == "none" else tf.function(m.train_step, jit_compile=True, autograph=False)
        for m in (model, fresh)
    ]
    for step in range(2):
        steps[0](batch(step), **model.static_arguments(step))
    restore(fresh.state(), unpack(pack(model.state()), "a test"), "a test")
    for step in range(2, 4):
        expected, resumed = (run(batch(step), **model.static_arguments(step)) for run in steps)
        assert {name: float(v) for name, v in resumed.items()} == {name: float(v) for name, v in expected.items()}
    assert changed(snapshot(model), snapshot(fresh)) == set()
    assert int(fresh.step) == 4
    assert int(fresh.optimizers["discriminator"].iterations) == 4
    assert int(fresh.optimizers["generator"].iterations) == 4 // options.get("critic_steps", 1)


def test_steps_are_a_function_of_seed_and_step():
    logs = []
    for step, seed in ((0, 0), (0, 0), (1, 0), (0, 1)):
        model = make(instance_noise=0.1, instance_noise_steps=10**9)
        model.seed = seed
        model.step.assign(step)
        logs.append(float(model.train_step(batch())["generator_loss"]))
    assert logs[0] == logs[1] and len(set(logs)) == 3


# Precision


OPTIONS = dict(classes=3, ema_rate=0.5)
TOLERANCE = {"float32": 1e-4, "mixed_float16": 2e-2, "mixed_bfloat16": 6e-2}
VARIANTS = {
    "batch": dict(),
    "spectral": dict(normalisation="spectral", loss="hinge", architecture="residual", up="resize"),
    "penalty": dict(normalisation="none", loss="wasserstein", gradient_penalty=10.0),
}


@pytest.fixture(scope="module", autouse=True)
def same_noise():
    """Fixes the noise, because XLA draws other numbers from a seed than eager TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tricks, "draw_gaussian_noise", lambda *_: tf.constant(NOISE))
        patch.setattr(tricks, "draw_spherical_noise", lambda *_: tf.constant(NOISE))
        yield


def set_scales(model, scale):
    """Sets all loss scales: at the default initial scale the large weights of these tests overflow."""
    for optimizer in model.optimizers.values():
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer.dynamic_scale.assign(scale)


def losses_of(logs):
    return {
        name: float(value) for name, value in logs.items() if name.endswith(("_loss", "_penalty", "diversity"))
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "precision"),
    [("batch", "float32"), *((v, f"mixed_{p}") for v in VARIANTS for p in ("float16", "bfloat16"))],
)
def test_precisions_agree_under_xla(variant, precision, monkeypatch):
    exact, model = (make(**OPTIONS, **VARIANTS[variant], precision=p) for p in ("float32", precision))
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_, **__: tf.constant([0.1, 0.9, 0.4, 0.6]))
    set_scales(model, 2.0**6)
    train_step = tf.function(model.train_step, jit_compile=True, autograph=False)
    for step in range(2):
        expected, losses = (losses_of(run(batch(step))) for run in (exact.train_step, train_step))
        assert expected.keys() == losses.keys() and len(expected) >= 3
        for name, value in expected.items():
            tolerance = TOLERANCE[precision]
            assert losses[name] == pytest.approx(value, rel=tolerance, abs=2 * tolerance), (name, step)
    scaled = isinstance(model.optimizers["generator"], keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")
    assert [int(optimizer.iterations) for optimizer in model.optimizers.values()] == [2, 2]
    assert all(np.isfinite(value).all() for value in snapshot(model).values())


@pytest.fixture(scope="module")
def float16():
    model = make(**OPTIONS, precision="mixed_float16")
    return model, tf.function(model.train_step, jit_compile=True, autograph=False), snapshot(model)


@pytest.fixture
def fresh_float16(float16):
    model, train_step, start = float16
    for name, variable in model.state().items():
        variable.assign(start[name])
    return model, train_step


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_an_overflow_skips_only_the_step_of_its_network(fresh_float16, name):
    model, train_step = fresh_float16
    other = {"generator": "discriminator", "discriminator": "generator"}[name]
    average = model.released_generator.variables[0]
    average.assign(average + 1)  # so that an update of the average would show
    set_scales(model, 2.0**6)
    model.optimizers[name].dynamic_scale.assign(2.0**120)
    before = snapshot(model)
    train_step(batch())
    after = snapshot(model)
    names = {n for n in changed(before, after) if before[n].ndim and "moving" not in n}
    expected = (
        {other, f"{other}_optimizer"} if name == "generator" else {"trained_generator", "generator_optimizer"}
    )
    assert prefixes(names) - {"generator"} == expected
    assert ("generator" in prefixes(names)) == (name == "discriminator")  # "generator" is the average
    assert float(model.optimizers[name].dynamic_scale) == 2.0**119
    assert float(model.optimizers[other].dynamic_scale) == 2.0**6
    assert [int(model.optimizers[n].iterations) for n in (name, other)] == [0, 1]
    assert int(model.step) == 1


@pytest.mark.slow
def test_gradients_do_not_depend_on_the_loss_scale(fresh_float16):
    """Compares gradients, read from the first moments, at two scales that differ by a factor of 64."""
    model, train_step = fresh_float16
    start, moments = snapshot(model), []
    for scale in (2.0, 2.0**7):
        for name, variable in model.state().items():
            variable.assign(start[name])
        set_scales(model, scale)
        train_step(batch())
        inner = [o.inner_optimizer for o in model.optimizers.values()]
        assert [int(o.iterations) for o in inner] == [1, 1]
        moments.append([np.asarray(v).copy() for o in inner for v in o.variables[2::2]])
    for low, high in zip(*moments, strict=True):
        np.testing.assert_allclose(low, high, rtol=0.1, atol=0.03 * max(np.abs(high).max(), 1e-3))


# As a Keras model


def test_fit_logs_finite_losses_and_no_stray_loss():
    model = make(ema_rate=0.5)
    model.compile(*optimizers(), jit_compile=False)
    data = tf.data.Dataset.from_tensors(batch()).repeat()
    history = model.fit(data, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history
    assert model.metrics == [] and "loss" not in history
    assert np.isfinite([value for column in history.values() for value in column]).all()
    assert int(model.step) == 4


def test_each_network_learns_while_the_other_is_fixed():
    model, data = make(normalisation="none"), batch()
    model.compile(*optimizers(0.0, discriminator_rate=1e-2))
    train_step = tf.function(model.train_step, autograph=False)
    logs = [train_step(data, generator=False) for _ in range(30)]
    assert float(logs[-1]["discriminator_loss"]) < 0.3 * float(logs[0]["discriminator_loss"])
    assert float(logs[-1]["real_accuracy"]) == float(logs[-1]["fake_accuracy"]) == 1
    model.compile(*optimizers(1e-2, discriminator_rate=0.0))
    train_step = tf.function(model.train_step, autograph=False)
    logs = [train_step(data) for _ in range(60)]
    assert float(logs[-1]["generator_loss"]) < 0.5 * float(logs[0]["generator_loss"])


def test_class_weights_between_two_classes_give_other_images():
    model = make(classes=3, ema_rate=0.5)
    ends = [np.asarray(model([NOISE, np.float32([w] * 4)])) for w in ([1, 0, 0], [0, 0, 1], [0.5, 0, 0.5])]
    assert ends[0].shape == (4, 16, 16, 3) and np.abs(ends[0]).max() <= 1
    assert min(np.abs(ends[a] - ends[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        dict(architecture="stylegan"),
        dict(loss="wgan"),
        dict(gradient_penalty=-1.0, normalisation="none"),
        dict(gradient_penalty=1.0, minibatch_deviation=True, normalisation="none"),
        dict(gradient_penalty=1.0, normalisation="batch"),
        dict(weight_clip=-0.1),
        dict(critic_steps=0),
        dict(ema_rate=1.0),
        dict(ema_rate=-0.1),
        dict(soft_labels=0.7),
        dict(augment=("zoom",)),
        dict(normalisation="layer"),
        dict(up="nearest"),
        dict(width=20),
    ],
)
def test_a_wrong_choice_is_named(wrong):
    with pytest.raises(ValueError, match="must|needs") as error:
        build_gan(**SMALL | wrong)
    received = str(error.value).rpartition("Received: ")[2]
    expected = {
        "normalisation=batch": "BatchNorm",
        "minibatch_deviation=True": "MinibatchDeviation",
        "augment=('zoom',)": "zoom",
    }
    shown = [expected.get(f"{name}={value}", str(value)) for name, value in wrong.items()]
    assert any(text in received for text in shown)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="optimizer must be one of .*'sgd'"):
        optimizers(name="sgd")

"""The precision setting, mixed policies against float32, and steps that overflow."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import networks
from common import release
from common.backend import compiler
from common.backend.precision import PRECISIONS, resolve
from common.images import to_uint8
from common.variables import weights_by_name
from tests.support.acai_models import adversary, build

NETWORKS = ("autoencoder", "critic", "classifier", "discriminator")
# Relative. float16 rounds to 2^-11 and bfloat16 to 2^-8, and a loss is the mean of many rounded values.
TOLERANCE = {"mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}


def make(precision, **options):
    keras.utils.set_random_seed(0)
    model = build(
        depth=4, discriminator_channels=4, adversarial_weight=0.1, ema_rate=0.5, precision=precision, **options
    )
    model.weights_of("critic")[-1].assign([0.3, 0.4])
    model.compile(1e-3, {"discriminator": 2e-4})
    return model


def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant([0, 1, 2, 1], tf.int32)}


def snapshot(model):
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def scales(model):
    return {name: float(optimizer.dynamic_scale) for name, optimizer in model.optimizers.items()}


def set_scales(model, scale):
    for optimizer in model.optimizers.values():
        optimizer.dynamic_scale.assign(scale)


# The setting


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("has_bfloat16", "fastest"), [(False, "float32"), (True, "mixed_bfloat16")])
def test_resolve_on_a_cpu(precision, has_bfloat16, fastest, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.setattr(compiler, "has_bfloat16", lambda: has_bfloat16)
    assert resolve(precision) == (fastest if precision == "auto" else precision)


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "AUTO", "", None])
def test_resolve_refuses_other_names(precision):
    with pytest.raises(ValueError, match="one of .*mixed_float16"):
        resolve(precision)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([(7, 0)], "mixed_float16"),  # V100
        ([(8, 9)], "mixed_float16"),
        ([(9, 0)], "mixed_float16"),  # the newest that TensorFlow's wheels support
        ([(6, 1)], "float32"),
        ([(7, 5), (8, 0)], "mixed_float16"),
        ([(7, 0), (6, 1)], "float32"),  # all GPUs must be fast
        ([None], "float32"),  # an unknown GPU
    ],
)
def test_auto_on_gpus(capabilities, expected, monkeypatch):
    details = {f"gpu{i}": {} if c is None else {"compute_capability": c} for i, c in enumerate(capabilities)}
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: list(details) if kind == "GPU" else ["cpu"]
    )
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    assert resolve("auto") == expected
    assert resolve("mixed_bfloat16") == "mixed_bfloat16"


# Mixed policies against float32


@pytest.fixture(scope="module", autouse=True)
def same_mixes():
    """All steps use the same mixes. XLA draws other numbers from a seed than eager TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.random, "stateless_uniform", lambda *_, **__: tf.constant([0.1, 0.5, 0.02, 0.3]))
        yield


COMPILED = [pytest.param(False, id="graph"), pytest.param(True, id="XLA", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=COMPILED)
def float16(request):
    """A mixed_float16 model, its traced step, and its state before the first step."""
    model = make("mixed_float16")
    return model, tf.function(model.train_step, jit_compile=request.param, autograph=False), snapshot(model)


@pytest.fixture
def fresh_float16(float16):
    model, train_step, start = float16
    for name, variable in model.state().items():
        variable.assign(start[name])
    return model, train_step


@pytest.fixture(scope="module")
def float32_losses():
    model = make("float32")
    return [losses_of(model.train_step(batch())) for _ in range(2)]


def losses_of(logs):
    return {name: float(value) for name, value in logs.items() if name.endswith("_loss") or "regulariser" in name}


def assert_near(losses, expected, tolerance):
    assert len(expected) == 7
    for name, value in expected.items():  # the adversarial loss is a mean around 0
        assert losses[name] == pytest.approx(value, rel=tolerance, abs=tolerance / 100), name


@pytest.mark.parametrize("compiled", COMPILED)
def test_mixed_bfloat16_agrees_with_float32(float32_losses, compiled):
    model = make("mixed_bfloat16")
    train_step = tf.function(model.train_step, jit_compile=compiled, autograph=False)
    for expected in float32_losses:  # before and after a step
        assert_near(losses_of(train_step(batch())), expected, TOLERANCE["mixed_bfloat16"])
    assert not any(isinstance(o, keras.optimizers.LossScaleOptimizer) for o in model.optimizers.values())
    assert adversary(model, "critic").one_backward_pass


def test_bfloat16_gradients_have_the_direction_of_float32_ones():
    """Those are the paper's, see test_model.py."""
    (_, expected), (_, gradients) = (make(p).gradients(batch()) for p in ("float32", "mixed_bfloat16"))
    assert gradients.keys() == {*NETWORKS}
    for name in NETWORKS:
        a, b = (np.concatenate([np.ravel(g) for g in each[name]]) for each in (gradients, expected))
        assert a @ b > 0.995 * np.linalg.norm(a) * np.linalg.norm(b) > 0, name
        assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=0.03), name


def test_pictures_of_the_bundled_decoder_differ_by_two_grey_levels_at_most_in_bfloat16():
    """Searches and generate.py decode in float32."""
    config, weights, bank, _ = release.read(release.resolve("pegasus"), "acai")
    decoders = [networks.decoder(32, 8, 16, 32, dtype=dtype) for dtype in ("float32", "mixed_bfloat16")]
    for decoder in decoders:
        for name, variable in weights_by_name("decoder", decoder).items():
            variable.assign(weights[name])
    latents = tf.cast(bank["latents"][::40], tf.float32)
    exact, rounded = (to_uint8(decoder(latents).numpy()).astype(int) for decoder in decoders)
    assert 0 < np.abs(exact - rounded).max() <= 2 and exact.std() > 30


def test_mixed_float16_agrees_with_float32(fresh_float16, float32_losses):
    model, train_step = fresh_float16
    for expected in float32_losses:
        logs = train_step(batch())
        assert_near(losses_of(logs), expected, TOLERANCE["mixed_float16"])
        assert float(logs["loss_scale"]) == 2.0**15
    assert {
        name for name, o in model.optimizers.items() if isinstance(o, keras.optimizers.LossScaleOptimizer)
    } == {*NETWORKS}
    assert not adversary(model, "critic").one_backward_pass


def test_the_loss_scale_cancels(fresh_float16):
    """Steps at two scales, one 64 times the other, leave equal gradients in the moments."""
    model, train_step = fresh_float16
    start, first_moments = snapshot(model), []
    for scale in (2.0**6, 2.0**12):
        for name, variable in model.state().items():
            variable.assign(start[name])
        set_scales(model, scale)
        train_step(batch())
        first_moments.append(
            [np.asarray(v).copy() for o in model.optimizers.values() for v in o.inner_optimizer.variables[2:]]
        )
    for low, high in zip(*first_moments, strict=True):
        np.testing.assert_allclose(low, high, rtol=0.1, atol=0.02 * np.abs(high).max())


# Overflows


def overflow_by_scale(model):
    set_scales(model, 2.0**120)


def overflow_in_the_classifier(model):
    """Its logits become infinite; the gradients of the other networks stay finite."""
    model.latent_classifier.variables[1].assign([np.inf, 0, 0])


def overflow_in_the_critic(model):
    """One weight beyond float16's 65504."""
    kernel = adversary(model, "critic").network.variables[2]
    kernel.assign(1e6 * tf.ones_like(kernel))


@pytest.mark.parametrize("overflow", [overflow_by_scale, overflow_in_the_classifier, overflow_in_the_critic])
def test_an_overflow_skips_the_step_of_all_networks(fresh_float16, overflow):
    model, train_step = fresh_float16
    first_average = model.released.encoder.variables[0]
    first_average.assign(first_average + 1)  # so that a step of the average would show
    overflow(model)
    before, old_scales = snapshot(model), scales(model)
    train_step(batch())
    after, new_scales = snapshot(model), scales(model)
    assert new_scales == {name: scale / 2 for name, scale in old_scales.items()}
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name for name in changed if before[name].ndim} == set()  # no weight, no average, no moment
    assert after["step"] == before["step"] + 1
    assert [int(optimizer.iterations) for optimizer in model.optimizers.values()] == [0] * 4


def test_the_next_finite_step_moves_all_networks(fresh_float16):
    model, train_step = fresh_float16
    overflow_by_scale(model)
    train_step(batch())
    set_scales(model, 2.0**10)
    before = snapshot(model)
    train_step(batch())
    after = snapshot(model)
    for prefix in ("encoder", "decoder", "trained_encoder", "trained_decoder", *NETWORKS[1:]):
        names = [name for name in before if name.startswith(f"{prefix}/")]
        assert names and any(not np.array_equal(before[name], after[name]) for name in names), prefix
    assert [int(optimizer.iterations) for optimizer in model.optimizers.values()] == [1] * 4
    assert set(scales(model).values()) == {2.0**10}


def test_a_discriminator_that_joins_after_an_overflow_has_its_own_loss_scale():
    """Its optimizer did not see the overflow in a step before the discriminator joined."""
    gradients = []
    for overflows in (False, True):
        model = make("mixed_float16", discriminator=dict(from_step=1))
        if overflows:
            set_scales(model, 2.0**12)
            model.latent_classifier.variables[1].assign([np.inf, 0, 0])
            model.train_step(batch(), **model.static_arguments(0))
            assert scales(model)["autoencoder"] == 2.0**11
            model.latent_classifier.variables[1].assign([0, 0, 0])
            model.step.assign(0)  # the same mixes in both
        model.train_step(batch(), **model.static_arguments(1))
        optimizer = model.optimizers["discriminator"].inner_optimizer
        gradients.append([np.asarray(v).copy() for v in optimizer.variables[2::2]])
    for direct, joined in zip(*gradients, strict=True):
        np.testing.assert_allclose(joined, direct, rtol=0.1, atol=0.02 * np.abs(direct).max())

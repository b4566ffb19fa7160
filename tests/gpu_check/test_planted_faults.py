"""Checks of layers, steps and GANs fail for a device that computes something wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gpu_check import devices, gans, layers, steps, twins
from gpu_check.bounds import CheckFailed, CheckSkipped
from tests.support.gpu_check_sizes import DEVICE, TINY


def second_faulty(make, spoil):
    """A function like `make` whose results from the second on, those on the device, are spoilt."""
    made = []

    def makes(*args, **options):
        made.append(make(*args, **options))
        if len(made) > 1:
            spoil(made[-1])
        return made[-1]

    return makes


def test_device_fails_for_an_old_gpu():
    with pytest.raises(CheckFailed, match="capability must be at least 6.0. Received: 5.2"):
        devices.judged_capability((5, 2))
    assert devices.judged_capability((7, 5)) == {"capability": "7.5", "warnings": []}
    for capability in ((6, 1), (12, 0)):
        assert devices.judged_capability(capability)["warnings"]


def test_memory(monkeypatch):
    monkeypatch.setattr(devices, "PRODUCT", "print({0!r})")
    with pytest.raises(CheckSkipped, match="CPU"):
        devices.memory(DEVICE, TINY)
    monkeypatch.setattr(devices, "product", lambda device: None)
    said = ["3000", "15000"]
    monkeypatch.setattr(devices, "nvidia_smi", lambda *fields: said)
    assert devices.memory("GPU:0", TINY) == {"used_mib": "3000", "total_mib": "15000"}
    said[0] = "14000"
    with pytest.raises(CheckFailed, match="memory in use, by all processes, must be at most 0.5. Received: 0.933"):
        devices.memory("GPU:0", TINY)
    said[:] = ["unknown", "unknown"]
    assert devices.memory("GPU:0", TINY)["used_mib"] == "unknown"
    monkeypatch.setattr(devices, "PRODUCT", "raise MemoryError('out of memory on {0}')")
    with pytest.raises(CheckFailed, match="second process .* Received: MemoryError: out of memory on CPU:0"):
        devices.memory(DEVICE, TINY)


def test_a_wrong_product_and_a_wrong_place(monkeypatch):
    with pytest.raises(CheckFailed, match="must lie on GPU:0. Received: CPU:0"):
        devices.require_on("GPU:0", {"x": tf.ones(2)})
    monkeypatch.setattr(tf, "reduce_sum", lambda x: x[0, 0])
    with pytest.raises(CheckFailed, match="must sum to"):
        devices.product(DEVICE)


class Faulty(keras.layers.Layer):
    """x -> a x and a statistic, of which one part is off by a thousandth where `wrong` names it."""

    wrong = ""

    def build(self, shape):
        self.scale = self.add_weight((), "ones", name="scale")
        self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

    def call(self, inputs):
        off = {name: 1.001 if name == self.wrong else 1.0 for name in ("outputs", "input", "scale", "seen")}
        self.seen.assign(tf.cast(off["seen"], tf.float32))

        @tf.custom_gradient
        def multiply(x, a):
            return x * a * off["outputs"], lambda dy: (off["input"] * a * dy, off["scale"] * tf.reduce_sum(x * dy))

        return multiply(inputs, tf.convert_to_tensor(self.scale))


@pytest.mark.parametrize("wrong", ["", "outputs", "input", "scale", "seen"])
def test_layers_fails_for_a_wrong_part(wrong, monkeypatch):
    make = second_faulty(lambda channels, dtype: Faulty(dtype=dtype), lambda layer: setattr(layer, "wrong", wrong))
    monkeypatch.setattr(layers, "LAYERS", {"Faulty": (make, ["maps"])})
    if not wrong:
        assert layers.layers(DEVICE, TINY)["layers"] == 1
        return
    with pytest.raises(CheckFailed, match=f"error of .*{wrong}.* of Faulty in float32.* at most 0.0001"):
        layers.layers(DEVICE, TINY)


def test_variables_fails_for_types_and_places(monkeypatch):
    monkeypatch.setattr(steps, "every_trick", lambda *_: steps.classifier("plain"))
    monkeypatch.setattr(steps, "spectral", lambda *_: steps.classifier("plain"))
    with monkeypatch.context() as patch:
        plain = steps.classifier

        def with_host_variable(architecture):
            model = plain(architecture)
            step = model.state
            model.state = lambda: step() | {"counter": keras.Variable(0, dtype="int32")}
            return model

        patch.setattr(steps, "classifier", with_host_variable)
        with pytest.raises(CheckFailed, match="counter must be int64 or a float. Received: int32"):
            steps.variables(DEVICE, TINY)
    monkeypatch.setattr(steps, "on", lambda device, make: make())
    with pytest.raises(CheckFailed, match="must lie on GPU:0. Received: CPU:0"):
        steps.variables("GPU:0", TINY)


def spoil_critic(model):
    model.optimizers["critic"].beta_1 = 0.5


def spoil_seed(model):
    model.seed += 1


def spoil_average(model):
    model.ema_rate = 0.09


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_critic, "change of critic/"),
        pytest.param(spoil_seed, "error of .*_loss", marks=pytest.mark.slow),
        pytest.param(spoil_average, "change of encoder/", marks=pytest.mark.slow),
    ],
)
def test_acai_step_fails_for_another_step(spoil, message, monkeypatch):
    monkeypatch.setattr(steps, "acai", second_faulty(steps.acai, spoil))
    with pytest.raises(CheckFailed, match=message):
        steps.acai_step(DEVICE, TINY)


def spoil_critic_weight(model):
    model.adversaries[0].mix_weight = 0.0  # a term of the autoencoder's loss is lost


def spoil_loss_scale(model):
    for optimizer in model.optimizers.values():
        optimizer.dynamic_scale.assign(2.0**100)


@pytest.mark.parametrize("spoil", [spoil_critic_weight, pytest.param(spoil_loss_scale, marks=pytest.mark.slow)])
def test_compiled_step_fails_for_wrong_gradients(spoil, monkeypatch):
    monkeypatch.setattr(steps, "acai", second_faulty(steps.acai, spoil))
    with pytest.raises(CheckFailed, match="cosine of the .*'s gradient .* must be at least 0.99"):
        steps.compiled_step(DEVICE, TINY)


def test_overflow_fails_without_loss_scaling(monkeypatch):
    monkeypatch.setattr(steps, "acai", lambda sizes, precision: twins.acai(sizes, "float32"))
    with pytest.raises(CheckFailed, match="must not change by an overflow in the images|must halve"):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize(
    ("forgetful", "message"),
    [("halving", "must halve all"), pytest.param("moving", "must change by", marks=pytest.mark.slow)],
)
def test_overflow_fails_for_other_scales_or_no_step(forgetful, message, monkeypatch):
    def make(sizes, precision):
        model = twins.acai(sizes, precision)
        if forgetful == "moving":  # every step overflows
            model.latent_classifier.trainable_variables[0].assign(np.full((64, 3), np.inf))
        return model

    monkeypatch.setattr(steps, "acai", make)
    if forgetful == "halving":
        monkeypatch.setattr(steps, "scales", lambda model: {"critic": 2.0**15})
    with pytest.raises(CheckFailed, match=message):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize("name", ["power_iteration", "sigma"])
def test_gans_fails_for_a_wrong_spectral_norm(name, monkeypatch):
    right = getattr(gans.SpectralConv2D, name)
    wrong = {"power_iteration": lambda self: None, "sigma": lambda self: 1.01 * right(self)}[name]
    monkeypatch.setattr(gans.SpectralConv2D, name, wrong)
    with pytest.raises(CheckFailed, match="sigma or u of SpectralConv2D"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_for_another_step_and_for_nan(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(gans, "every_trick", second_faulty(gans.every_trick, spoil_seed))
        gans.every_trick.__name__ = "every_trick"
        with pytest.raises(CheckFailed, match="in a step of the GAN 'every_trick' must be at most"):
            gans.gans(DEVICE, TINY)
    monkeypatch.setattr(gans, "compare_training", lambda *_: {})
    monkeypatch.setattr(gans, "take_steps", lambda *_: [{"generator_loss": np.nan}])
    with pytest.raises(CheckFailed, match="logs of the GAN 'every_trick' .* Received: .*generator_loss"):
        gans.gans(DEVICE, TINY)


def spoil_penalty(model):
    model.penalties[0].weight = 10.1


def test_gans_fails_for_another_gradient_penalty(monkeypatch):
    make = second_faulty(gans.spectral, spoil_penalty)
    with pytest.raises(CheckFailed, match="change of discriminator"):
        twins.compare_training(lambda: make(TINY), DEVICE, TINY, 1)

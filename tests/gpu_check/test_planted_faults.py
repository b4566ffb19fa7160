"""Checks of layers, steps and GANs fail for a device that computes something wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gpu_check import comparison, devices, gans, layers, steps
from gpu_check.bounds import CheckFailed, CheckSkipped
from tests.support.gpu_check_sizes import DEVICE, TINY


def spoil_device_copy(make, spoil):
    """A function like `make` that spoils all its results but the first, which is the reference on the CPU."""
    results = []

    def make_and_spoil(*args, **options):
        results.append(make(*args, **options))
        if len(results) > 1:
            spoil(results[-1])
        return results[-1]

    return make_and_spoil


def test_device_fails_for_an_old_gpu():
    with pytest.raises(CheckFailed, match="capability must be at least 6.0. Received: 5.2"):
        devices.check_capability((5, 2))
    assert devices.check_capability((7, 5)) == {"capability": "7.5", "warnings": []}
    for capability in ((6, 1), (12, 0)):
        assert devices.check_capability(capability)["warnings"]


def test_memory_fails_for_a_full_gpu_or_a_failing_second_process(monkeypatch):
    monkeypatch.setattr(devices, "PRODUCT", "print({0!r})")
    with pytest.raises(CheckSkipped, match="CPU"):
        devices.memory(DEVICE, TINY)
    monkeypatch.setattr(devices, "check_product", lambda device: None)
    answer = ["3000", "15000"]
    monkeypatch.setattr(devices, "nvidia_smi", lambda *fields: answer)
    assert devices.memory("GPU:0", TINY) == {"used_mib": "3000", "total_mib": "15000"}
    answer[0] = "14000"
    with pytest.raises(CheckFailed, match="memory in use, by all processes, must be at most 0.5. Received: 0.933"):
        devices.memory("GPU:0", TINY)
    answer[:] = ["unknown", "unknown"]
    assert devices.memory("GPU:0", TINY)["used_mib"] == "unknown"
    monkeypatch.setattr(devices, "PRODUCT", "raise MemoryError('out of memory on {0}')")
    with pytest.raises(CheckFailed, match="second process .* Received: MemoryError: out of memory on CPU:0"):
        devices.memory(DEVICE, TINY)


def test_a_wrong_product_and_a_wrong_device_fail(monkeypatch):
    with pytest.raises(CheckFailed, match="must be on GPU:0. Received: CPU:0"):
        devices.require_device("GPU:0", {"x": tf.ones(2)})
    monkeypatch.setattr(tf, "reduce_sum", lambda x: x[0, 0])
    with pytest.raises(CheckFailed, match="must sum to"):
        devices.check_product(DEVICE)


class Faulty(keras.layers.Layer):
    """Multiplies by a scale and sets a statistic; the part that `wrong` names has an error of a thousandth."""

    wrong = ""

    def build(self, shape):
        self.scale = self.add_weight((), "ones", name="scale")
        self.statistic = self.add_weight((), "zeros", trainable=False, name="statistic")

    def call(self, inputs):
        off = {name: 1.001 if name == self.wrong else 1.0 for name in ("outputs", "input", "scale", "statistic")}
        self.statistic.assign(tf.cast(off["statistic"], tf.float32))

        @tf.custom_gradient
        def multiply(x, a):
            return x * a * off["outputs"], lambda dy: (off["input"] * a * dy, off["scale"] * tf.reduce_sum(x * dy))

        return multiply(inputs, tf.convert_to_tensor(self.scale))


@pytest.mark.parametrize("wrong", ["", "outputs", "input", "scale", "statistic"])
def test_layers_fails_for_a_wrong_part(wrong, monkeypatch):
    make = spoil_device_copy(
        lambda channels, dtype: Faulty(dtype=dtype), lambda layer: setattr(layer, "wrong", wrong)
    )
    monkeypatch.setattr(layers, "LAYERS", {"Faulty": (make, ["maps"])})
    if not wrong:
        assert layers.layers(DEVICE, TINY)["layers"] == 1
        return
    with pytest.raises(CheckFailed, match=f"error of .*{wrong}.* of Faulty in float32.* at most 0.0001"):
        layers.layers(DEVICE, TINY)


def test_variables_fails_for_host_types_and_a_wrong_device(monkeypatch):
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
    monkeypatch.setattr(steps, "build_on", lambda device, make: make())
    with pytest.raises(CheckFailed, match="must be on GPU:0. Received: CPU:0"):
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
def test_acai_step_fails_for_a_spoilt_model(spoil, message, monkeypatch):
    monkeypatch.setattr(steps, "acai", spoil_device_copy(steps.acai, spoil))
    with pytest.raises(CheckFailed, match=message):
        steps.acai_step(DEVICE, TINY)


def spoil_critic_weight(model):
    model.adversaries[0].mix_weight = 0.0  # a term of the autoencoder's loss is lost


def spoil_loss_scale(model):
    for optimizer in model.optimizers.values():
        optimizer.dynamic_scale.assign(2.0**100)


@pytest.mark.parametrize("spoil", [spoil_critic_weight, pytest.param(spoil_loss_scale, marks=pytest.mark.slow)])
def test_compiled_step_fails_for_wrong_gradients(spoil, monkeypatch):
    monkeypatch.setattr(steps, "acai", spoil_device_copy(steps.acai, spoil))
    with pytest.raises(CheckFailed, match="cosine of the .*'s gradient .* must be at least 0.99"):
        steps.compiled_step(DEVICE, TINY)


def test_overflow_fails_without_loss_scaling(monkeypatch):
    monkeypatch.setattr(steps, "acai", lambda sizes, precision: comparison.acai(sizes, "float32"))
    with pytest.raises(CheckFailed, match="overflow in the images must not change|must halve"):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("halving", "must halve all"),
        pytest.param("stepping", "after overflows must change", marks=pytest.mark.slow),
    ],
)
def test_overflow_fails_without_halving_or_without_a_later_step(missing, message, monkeypatch):
    def make(sizes, precision):
        model = comparison.acai(sizes, precision)
        if missing == "stepping":  # every step overflows
            model.latent_classifier.trainable_variables[0].assign(np.full((64, 3), np.inf))
        return model

    monkeypatch.setattr(steps, "acai", make)
    if missing == "halving":
        monkeypatch.setattr(steps, "loss_scales", lambda model: {"critic": 2.0**15})
    with pytest.raises(CheckFailed, match=message):
        steps.overflow(DEVICE, TINY)


@pytest.mark.parametrize("name", ["power_iteration", "sigma"])
def test_gans_fails_for_a_wrong_spectral_norm(name, monkeypatch):
    right = getattr(gans.SpectralConv2D, name)
    wrong = {"power_iteration": lambda self: None, "sigma": lambda self: 1.01 * right(self)}[name]
    monkeypatch.setattr(gans.SpectralConv2D, name, wrong)
    with pytest.raises(CheckFailed, match="sigma or u of SpectralConv2D"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_for_a_spoilt_model_and_for_nan(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(gans, "every_trick", spoil_device_copy(gans.every_trick, spoil_seed))
        gans.every_trick.__name__ = "every_trick"
        with pytest.raises(CheckFailed, match="in a step of the GAN 'every_trick' must be at most"):
            gans.gans(DEVICE, TINY)
    monkeypatch.setattr(gans, "compare_training", lambda *_: {})
    monkeypatch.setattr(gans, "take_steps", lambda *_: [{"generator_loss": np.nan}])
    with pytest.raises(CheckFailed, match="logs of the GAN 'every_trick' .* Received: .*generator_loss"):
        gans.gans(DEVICE, TINY)


def spoil_penalty(model):
    model.penalties[0].weight = 10.1


def test_a_wrong_gradient_penalty_fails(monkeypatch):
    make = spoil_device_copy(gans.spectral, spoil_penalty)
    with pytest.raises(CheckFailed, match="change of discriminator"):
        comparison.compare_training(lambda: make(TINY), DEVICE, TINY, 1)

"""Checks of variables and of ACAI's training step fail for a model that is wrong on the device."""

import keras
import numpy as np
import pytest

from gpu_check import comparison, steps
from gpu_check.bounds import CheckFailed
from tests.gpu_check.small_checks import DEVICE, TINY, spoil_all_but_the_first

# Variables


@pytest.fixture
def no_gans(monkeypatch):
    """Replaces GANs, which take long to build, by classifiers."""
    for name in ("every_trick", "spectral"):
        monkeypatch.setattr(steps, name, lambda *_: steps.classifier("plain"))


def test_variables_fails_for_a_type_that_tensorflow_keeps_on_the_host(no_gans, monkeypatch):
    make = steps.classifier

    def make_with_counter(architecture):
        model = make(architecture)
        state = model.state() | {"counter": keras.Variable(0, dtype="int32")}
        model.state = lambda: state
        return model

    monkeypatch.setattr(steps, "classifier", make_with_counter)
    with pytest.raises(CheckFailed, match="counter must be int64 or a float. Received: int32"):
        steps.variables(DEVICE, TINY)


def test_variables_fails_for_variables_on_another_device(no_gans, monkeypatch):
    monkeypatch.setattr(steps, "build_on", lambda device, make: make())
    with pytest.raises(CheckFailed, match="must be on GPU:0. Received: CPU:0"):
        steps.variables("GPU:0", TINY)


# A step in float32


def test_acai_step_fails_for_another_optimizer(monkeypatch):
    def change_momentum(model):
        model.optimizers["critic"].beta_1 = 0.5

    monkeypatch.setattr(steps, "acai", spoil_all_but_the_first(steps.acai, change_momentum))
    with pytest.raises(CheckFailed, match="change of critic/"):
        steps.acai_step(DEVICE, TINY)


@pytest.mark.slow
def test_acai_step_fails_for_another_average(monkeypatch):
    def change_average(model):
        model.ema_rate = 0.09

    monkeypatch.setattr(steps, "acai", spoil_all_but_the_first(steps.acai, change_average))
    with pytest.raises(CheckFailed, match="change of encoder/"):
        steps.acai_step(DEVICE, TINY)


def test_a_step_fails_for_another_gradient_penalty(monkeypatch):
    def change_penalty(model):
        model.penalties[0].weight = 10.1

    make = spoil_all_but_the_first(steps.spectral, change_penalty)
    with pytest.raises(CheckFailed, match="change of discriminator"):
        comparison.compare_training(lambda: make(TINY), DEVICE, TINY, 1)


# A compiled step in float16


def test_compiled_step_fails_without_a_term_of_the_loss(monkeypatch):
    def leave_out_critic(model):
        model.adversaries[0].mix_weight = 0.0

    monkeypatch.setattr(steps, "acai", spoil_all_but_the_first(steps.acai, leave_out_critic))
    with pytest.raises(CheckFailed, match="cosine of the autoencoder's gradient .* must be at least 0.99"):
        steps.compiled_step(DEVICE, TINY)


@pytest.mark.slow
def test_compiled_step_fails_for_gradients_that_overflow(monkeypatch):
    def raise_loss_scale(model):
        for optimizer in model.optimizers.values():
            optimizer.dynamic_scale.assign(2.0**100)

    monkeypatch.setattr(steps, "acai", spoil_all_but_the_first(steps.acai, raise_loss_scale))
    with pytest.raises(CheckFailed, match="cosine of the .*'s gradient .* must be at least 0.99. Received: nan"):
        steps.compiled_step(DEVICE, TINY)


# Overflows


def test_overflow_fails_without_loss_scaling(monkeypatch):
    monkeypatch.setattr(steps, "acai", lambda sizes, precision: comparison.acai(sizes, "float32"))
    with pytest.raises(CheckFailed, match="overflow in the images must not change|must halve"):
        steps.overflow(DEVICE, TINY)


def test_overflow_fails_for_a_constant_loss_scale(monkeypatch):
    monkeypatch.setattr(steps, "loss_scales", lambda model: {"critic": 2.0**15})
    with pytest.raises(CheckFailed, match="must halve all"):
        steps.overflow(DEVICE, TINY)


@pytest.mark.slow
def test_overflow_fails_if_no_later_step_is_taken(monkeypatch):
    def make_overflowing(sizes, precision):
        model = comparison.acai(sizes, precision)
        model.latent_classifier.trainable_variables[0].assign(np.full((64, 3), np.inf))
        return model

    monkeypatch.setattr(steps, "acai", make_overflowing)
    with pytest.raises(CheckFailed, match="after overflows must change"):
        steps.overflow(DEVICE, TINY)

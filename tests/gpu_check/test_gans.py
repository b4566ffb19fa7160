"""The check of GANs fails for wrong spectral norms, wrong steps and NaN."""

import numpy as np
import pytest

from gpu_check import gans
from gpu_check.bounds import CheckFailed
from tests.gpu_check.small_checks import DEVICE, TINY, spoil_all_but_the_first


def test_gans_fails_for_a_wrong_spectral_norm(monkeypatch):
    sigma = gans.SpectralConv2D.sigma
    monkeypatch.setattr(gans.SpectralConv2D, "sigma", lambda layer: 1.01 * sigma(layer))
    with pytest.raises(CheckFailed, match="sigma or u of SpectralConv2D"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_without_power_iteration(monkeypatch):
    monkeypatch.setattr(gans.SpectralConv2D, "power_iteration", lambda layer: None)
    with pytest.raises(CheckFailed, match="sigma or u of SpectralConv2D"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_for_other_random_numbers(monkeypatch):
    def change_seed(model):
        model.seed += 1

    make = spoil_all_but_the_first(gans.every_trick, change_seed)
    make.__name__ = "every_trick"
    monkeypatch.setattr(gans, "every_trick", make)
    with pytest.raises(CheckFailed, match="error of .*_loss in a step of the GAN 'every_trick' must be at most"):
        gans.gans(DEVICE, TINY)


def test_gans_fails_for_nan_in_float16(monkeypatch):
    monkeypatch.setattr(gans, "compare_training", lambda *_: {})
    monkeypatch.setattr(gans, "take_steps", lambda *_: [{"generator_loss": np.nan}])
    with pytest.raises(CheckFailed, match="logs of the GAN 'every_trick' .* Received: .*generator_loss"):
        gans.gans(DEVICE, TINY)

"""The check of training on two devices fails for copies that differ or do not change."""

import numpy as np
import pytest

from gpu_check import mirrored
from gpu_check.bounds import CheckFailed
from tests.gpu_check.small_checks import DEVICE, TINY


def both(value):
    """Equal copies of a variable on two devices."""
    return [np.float32([value]), np.float32([value])]


BEFORE = {"kernel": both(1), "moving_mean": both(0)}
AFTER = {"kernel": both(2), "moving_mean": both(0.5), "step": both(2)}


def test_equal_copies_that_changed_pass():
    assert mirrored.compare_copies("GAN", BEFORE, AFTER) == {"GAN_variables": 3}


def test_copies_that_differ_fail():
    after = AFTER | {"moving_mean": [np.float32([0.5]), np.float32([0.75])]}
    with pytest.raises(CheckFailed, match="copies of moving_mean of the GAN must be equal. .* difference of 0.25"):
        mirrored.compare_copies("GAN", BEFORE, after)


def test_variables_that_do_not_change_fail():
    after = AFTER | {"moving_mean": BEFORE["moving_mean"]}
    with pytest.raises(CheckFailed, match="most variables .* must change. Received: 1 of 2"):
        mirrored.compare_copies("GAN", BEFORE, after)


def test_a_single_device_fails():
    with pytest.raises(CheckFailed, match="2 replicas. Received: 1"):
        mirrored.mirrored(DEVICE, TINY)

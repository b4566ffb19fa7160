"""What holds for every test: TensorFlow's start-up chatter is silenced before anything imports it."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module")
def parents():
    """acai.candidates.Parents of random codes, nine of either class."""
    from acai import candidates

    random = np.random.default_rng(5)
    codes = [random.normal(size=(9, 2, 4, 4, 3)).astype(np.float32) for _ in range(2)]
    evidence = [random.normal(size=(9, 2, 4, 4)) for _ in range(2)]
    chosen, rows = [np.array([1, 3, 5]), np.arange(9)], [np.arange(9), np.arange(9, 18)]
    borders = [candidates.border(side) for side in codes]
    return candidates.Parents(rows, codes, chosen, borders, evidence, random.normal(size=(18, 5)), 1.0)

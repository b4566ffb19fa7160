"""Networks are applied in full batches."""

import numpy as np
import pytest

from common.inference import in_batches


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 130])
def test_batches_are_full_and_in_order(count):
    sizes = []

    def double(inputs):
        sizes.append(len(inputs))
        return 2 * inputs

    inputs = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    np.testing.assert_array_equal(in_batches(double, inputs), 2 * inputs)
    assert sizes == [64] * max(1, -(-count // 64))

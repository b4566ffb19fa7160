"""Fixtures of the tests of gpu_check."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def eager_functions():
    """Runs tf.functions eagerly, because tracing would take most of the time; slow tests use real processes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)

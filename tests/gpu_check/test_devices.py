"""Checks of a device's properties, memory and products fail when they should."""

import pytest
import tensorflow as tf

from common.errors import InputError
from gpu_check import devices
from gpu_check.bounds import CheckFailed, CheckSkipped
from tests.gpu_check.small_checks import DEVICE, TINY


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_missing_gpu_is_an_input_error():
    with pytest.raises(InputError, match="Received: GPU:0, but TensorFlow lists no GPU.*make install GPU=1"):
        devices.start_device("GPU:0")


def test_an_old_gpu_fails():
    with pytest.raises(CheckFailed, match="capability must be at least 6.0. Received: 5.2"):
        devices.check_capability((5, 2))


def test_unusual_gpus_cause_a_warning():
    assert devices.check_capability((7, 5)) == {"capability": "7.5", "warnings": []}
    for capability in ((6, 1), (12, 0)):
        assert len(devices.check_capability(capability)["warnings"]) == 1


# Memory


@pytest.fixture
def gpu_memory(monkeypatch):
    """What nvidia-smi answers, [used, total]; the products are not computed."""
    answer = ["3000", "15000"]
    monkeypatch.setattr(devices, "PRODUCT", "print({0!r})")
    monkeypatch.setattr(devices, "check_product", lambda device: None)
    monkeypatch.setattr(devices, "nvidia_smi", lambda *fields: answer)
    return answer


def test_memory_is_skipped_for_a_cpu(gpu_memory):
    with pytest.raises(CheckSkipped, match="CPU"):
        devices.memory("CPU:0", TINY)


def test_memory_passes_for_a_share_below_a_half(gpu_memory):
    assert devices.memory("GPU:0", TINY) == {"used_mib": "3000", "total_mib": "15000"}


def test_memory_fails_for_a_full_gpu(gpu_memory):
    gpu_memory[0] = "14000"
    with pytest.raises(CheckFailed, match="memory in use, by all processes, must be at most 0.5. Received: 0.933"):
        devices.memory("GPU:0", TINY)


def test_memory_passes_without_an_answer_of_nvidia_smi(gpu_memory):
    gpu_memory[:] = ["unknown", "unknown"]
    assert devices.memory("GPU:0", TINY)["used_mib"] == "unknown"


def test_memory_fails_if_a_second_process_fails(gpu_memory, monkeypatch):
    monkeypatch.setattr(devices, "PRODUCT", "raise MemoryError('out of memory on {0}')")
    with pytest.raises(CheckFailed, match="second process .* Received: MemoryError: out of memory on GPU:0"):
        devices.memory("GPU:0", TINY)


# Tensors


def test_a_tensor_on_another_device_fails():
    with pytest.raises(CheckFailed, match="must be on GPU:0. Received: CPU:0"):
        devices.require_device("GPU:0", {"x": tf.ones(2)})


def test_a_wrong_product_fails(monkeypatch):
    monkeypatch.setattr(tf, "reduce_sum", lambda x: x[0, 0])
    with pytest.raises(CheckFailed, match="must sum to"):
        devices.check_product(DEVICE)

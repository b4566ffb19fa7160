"""Every check passes with a CPU in place of the GPU."""

import json

import pytest

from gpu_check import runner
from tests.gpu_check.small_checks import DEVICE, TINY

IN_PROCESS = (
    "device",
    "layers",
    "variables",
    "acai_step",
    "compiled_step",
    "overflow",
    "gans",
    "release",
    "speed",
)


@pytest.mark.parametrize("name", IN_PROCESS)
def test_check_passes_in_this_process(name):
    figures = runner.load_check(name)(DEVICE, TINY)
    assert figures and json.dumps(figures)


@pytest.mark.slow
@pytest.mark.parametrize("name", runner.CHECKS)
def test_check_passes_in_its_process_on_a_second_cpu(name):
    result = runner.run_check(name, "CPU:1")
    assert result["status"] == ("skipped" if name == "memory" else "passed"), result


@pytest.mark.gpu
@pytest.mark.parametrize("name", runner.CHECKS)
def test_check_passes_on_a_gpu(name):
    result = runner.run_check(name, "GPU:0")
    assert result["status"] == "passed", result

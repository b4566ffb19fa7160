"""When XLA compiles a step, and what traced code knows of it."""

import platform
import types

import pytest
import tensorflow as tf

from common.backend import compiler


@pytest.fixture
def machine(monkeypatch):
    """A function that simulates a processor and a number of GPUs."""

    def pretend(processor, gpus=0):
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"] * gpus)

    return pretend


@pytest.mark.parametrize(
    ("processor", "gpus", "policy", "expected"),
    [
        ("x86_64", 0, "float32", False),
        ("AMD64", 0, "float32", False),
        ("x86_64", 0, "mixed_float16", True),
        ("x86_64", 0, "mixed_bfloat16", True),
        ("x86_64", 1, "float32", True),
        ("x86_64", 2, "mixed_float16", True),
        ("arm64", 0, "float32", True),
    ],
)
def test_auto_depends_on_processor_gpu_and_precision(processor, gpus, policy, expected, machine):
    machine(processor, gpus)
    assert compiler.resolve("auto", policy) is expected


def test_auto_compiles_what_winograd_speeds_up(machine):
    machine("x86_64")
    assert compiler.resolve("auto", "float32", winograd=True) is True
    assert compiler.resolve("off", "float32", winograd=True) is False


def test_resolve_for_reads_the_models_policy_and_winograd(machine):
    machine("x86_64")
    float32, float16 = types.SimpleNamespace(name="float32"), types.SimpleNamespace(name="mixed_float16")
    for policy, winograd, expected in [(float32, False, False), (float32, True, True), (float16, False, True)]:
        model = types.SimpleNamespace(dtype_policy=policy, winograd=winograd)
        assert compiler.resolve_for(model, "auto") is expected
        assert compiler.resolve_for(model, "off") is False
    assert compiler.resolve_for(types.SimpleNamespace(dtype_policy=float32), "auto") is False


def test_traced_code_knows_whether_xla_compiles_it_for_a_cpu(machine):
    machine("x86_64")
    assert not compiler.targets_cpu_with_xla()
    with compiler.tracing(True):
        assert compiler.targets_cpu_with_xla()
        with pytest.raises(KeyError), compiler.tracing(False):
            assert not compiler.targets_cpu_with_xla()
            raise KeyError
        assert compiler.targets_cpu_with_xla()
        machine("x86_64", gpus=1)
        assert not compiler.targets_cpu_with_xla()
    machine("x86_64")
    assert not compiler.targets_cpu_with_xla()


def test_traced_code_knows_whether_onednn_runs_it(machine):
    machine("x86_64")
    assert compiler.targets_onednn()
    with compiler.tracing(True):
        assert not compiler.targets_onednn()
    machine("x86_64", gpus=1)
    assert not compiler.targets_onednn()
    machine("arm64")
    assert not compiler.targets_onednn()


@pytest.mark.parametrize(("choice", "expected"), [("on", True), ("off", False)])
def test_explicit_choice_is_kept(choice, expected, machine):
    for gpus in (0, 1):
        machine("x86_64", gpus)
        assert compiler.resolve(choice, "float32") is compiler.resolve(choice, "mixed_float16") is expected


@pytest.mark.parametrize("choice", [True, "yes", "", None])
def test_other_choices_are_refused(choice):
    with pytest.raises(ValueError, match="one of .*auto.*Received"):
        compiler.resolve(choice, "float32")

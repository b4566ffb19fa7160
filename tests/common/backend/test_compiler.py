"""When XLA compiles a step, and what traced code knows of it."""

import platform
import types

import pytest
import tensorflow as tf

from common.backend import compiler


@pytest.fixture
def machine(monkeypatch):
    """A function that simulates a processor, its extensions and a number of GPUs."""

    def pretend(processor, gpus=0, flags=("avx2",)):
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.setattr(compiler, "cpu_flags", lambda: frozenset(flags))
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"] * gpus)

    return pretend


BFLOAT16 = ("avx2", "avx512_bf16")


@pytest.mark.parametrize(
    ("processor", "gpus", "flags", "policy", "expected", "reason"),
    [
        ("x86_64", 0, (), "float32", False, "oneDNN is faster"),
        ("AMD64", 0, (), "float32", False, "oneDNN is faster"),
        ("x86_64", 0, BFLOAT16, "float32", False, "oneDNN is faster"),
        ("x86_64", 0, BFLOAT16, "mixed_bfloat16", False, "bfloat16 instructions"),
        ("x86_64", 0, (), "mixed_bfloat16", True, "no instructions for bfloat16"),
        ("x86_64", 0, BFLOAT16, "mixed_float16", True, "no instructions for float16"),
        ("x86_64", 1, (), "float32", True, "GPU"),
        ("x86_64", 1, BFLOAT16, "mixed_bfloat16", True, "GPU"),
        ("x86_64", 2, (), "mixed_float16", True, "GPU"),
        ("arm64", 0, BFLOAT16, "float32", True, "no oneDNN"),
        ("arm64", 0, BFLOAT16, "mixed_bfloat16", True, "no oneDNN"),
    ],
)
def test_auto_depends_on_processor_gpu_and_precision(processor, gpus, flags, policy, expected, reason, machine):
    machine(processor, gpus, flags)
    compiled, why = compiler.resolve("auto", policy)
    assert compiled is expected and reason in why


def test_auto_compiles_what_winograd_speeds_up(machine):
    machine("x86_64", flags=BFLOAT16)
    assert compiler.resolve("auto", "float32", winograd=True)[0] is True
    assert compiler.resolve("auto", "mixed_bfloat16", winograd=True)[0] is False
    assert compiler.resolve("off", "float32", winograd=True)[0] is False


def test_resolve_for_reads_the_models_policy_and_winograd(machine):
    machine("x86_64")
    float32, float16 = types.SimpleNamespace(name="float32"), types.SimpleNamespace(name="mixed_float16")
    for policy, winograd, expected in [(float32, False, False), (float32, True, True), (float16, False, True)]:
        model = types.SimpleNamespace(dtype_policy=policy, winograd=winograd)
        assert compiler.resolve_for(model, "auto")[0] is expected
        assert compiler.resolve_for(model, "off")[0] is False
    assert compiler.resolve_for(types.SimpleNamespace(dtype_policy=float32), "auto")[0] is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sha\nflags\t: fpu\n", True),
        ("flags\t\t: fpu avx512f avx512_bf16_like\n", False),
        ("model name\t: avx512_bf16\n", False),
        (None, False),
    ],
)
def test_bfloat16_instructions_are_read_from_linux(text, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(compiler, "CPU_INFO", str(file))
    compiler.cpu_flags.cache_clear()
    assert compiler.has_bfloat16() is expected
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert not compiler.has_bfloat16()
    compiler.cpu_flags.cache_clear()


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
        for policy in ("float32", "mixed_float16"):
            assert compiler.resolve(choice, policy) == (expected, f"jit_compile is {choice}")


@pytest.mark.parametrize("choice", [True, "yes", "", None])
def test_other_choices_are_refused(choice):
    with pytest.raises(ValueError, match="one of .*auto.*Received"):
        compiler.resolve(choice, "float32")

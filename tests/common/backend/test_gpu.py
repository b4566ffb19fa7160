"""Messages about GPUs, with simulated GPUs and errors, and overflows in float16."""

import ctypes
import glob
import json
import types

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import configs.acai
import train
import training.acai
from common.backend import compiler, gpu, precision
from common.distribute import distribution
from common.errors import InputError
from training import loop
from training.run_directory import RunDirectory

flags.FLAGS.mark_as_parsed()
T4, A100, BLACKWELL = ("Tesla T4", (7, 5)), ("A100", (8, 0)), ("RTX 5090", (12, 0))


@pytest.fixture
def gpus(monkeypatch):
    """A function that simulates GPUs, each a (name, compute capability), and device files."""

    def simulate(*devices, files=()):
        details = [dict(zip(("device_name", "compute_capability"), gpu, strict=True)) for gpu in devices]
        for name in ("list_physical_devices", "get_visible_devices"):
            monkeypatch.setattr(
                tf.config, name, lambda kind=None: [*range(len(devices))] if kind == "GPU" else ["CPU"]
            )
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
        monkeypatch.setattr(glob, "glob", lambda pattern: [file for file in files if file[:8] == pattern[:8]])
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return simulate


@pytest.mark.parametrize(
    ("devices", "replicas", "expected"),
    [
        ([], 1, "2 CPU cores"),
        ([T4], 1, "1 x Tesla T4 (7.5)"),
        ([A100, A100], 2, "2 x A100 (8.0)"),
        ([T4, A100], 2, "2 x Tesla T4 (7.5), A100 (8.0)"),
        ([T4], 4, "4 devices, here 1 x Tesla T4 (7.5)"),
        ([("GPU", None)], 1, "1 x GPU (unknown)"),
    ],
)
def test_devices_are_named(gpus, monkeypatch, devices, replicas, expected):
    gpus(*[(name, capability or ()) for name, capability in devices])
    monkeypatch.setattr(gpu.os, "cpu_count", lambda: 2)
    assert gpu.describe_devices(types.SimpleNamespace(num_replicas_in_sync=replicas)) == expected


def test_gpu_that_tensorflow_does_not_find_gives_a_warning(gpus, caplog, monkeypatch):
    gpus(files=["/dev/nvidia0"])
    gpu.warn_about_gpus()
    (message,) = caplog.messages
    assert message.startswith("/dev/nvidia0 exists") and "make install GPU=1" in message
    assert "pip install -e .[gpu]" in message and "\n" not in message
    caplog.clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # hidden on purpose
    gpu.warn_about_gpus()
    gpus()
    gpu.warn_about_gpus()
    gpus(T4, files=["/dev/nvidia0"])
    gpu.warn_about_gpus()
    assert not caplog.messages


@pytest.mark.parametrize(
    ("device", "warned"), [(T4, False), (A100, False), (BLACKWELL, True), (("P100", (6, 0)), True)]
)
def test_capabilities_without_compiled_code_give_a_warning(gpus, caplog, device, warned):
    gpus(device)
    gpu.warn_about_gpus()
    assert len(caplog.messages) == warned
    if warned:
        major, minor = device[1]
        assert f"{major}.{minor} is outside 7.0 to 9.0" in caplog.messages[0]


def test_capability_range_is_that_of_the_installed_wheel():
    """If the wheel has code for GPUs, its newest architecture is the end of our range."""
    built_for = tf.sysconfig.get_build_info().get("cuda_compute_capabilities")
    if not built_for:
        pytest.skip("a TensorFlow without CUDA")
    capabilities = [int(name.partition("_")[2]) for name in built_for]
    assert max(capabilities) == 10 * gpu.COMPILED_FOR[1][0] + gpu.COMPILED_FOR[1][1]
    assert min(capabilities) <= 10 * gpu.COMPILED_FOR[0][0]
    assert gpu.COMPILED_FOR[0] == precision.TENSOR_CORES


AUTOTUNER = tf.errors.InternalError(None, None, "Autotuner could not find any supported configs for HLO:\n %conv")


def test_too_old_cudnn_is_explained(gpus, monkeypatch):
    gpus(T4)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: types.SimpleNamespace(cudnnGetVersion=lambda: 90300))
    with pytest.raises(InputError) as error, gpu.explain_gpu_errors(compiled=True):
        raise AUTOTUNER
    message = str(error.value)
    for part in ("Autotuner", "cuDNN 9.3.0", "make install GPU=1", "--config.train.jit_compile=off"):
        assert part in message
    assert "\n" not in message
    with pytest.raises(InputError) as error, gpu.explain_gpu_errors(compiled=False):
        raise AUTOTUNER
    assert "jit_compile" not in str(error.value)


def test_exhausted_gpu_memory_is_explained(gpus):
    gpus(T4)
    with (
        pytest.raises(InputError, match="enough memory.*OOM when allocating.*batch_size"),
        gpu.explain_gpu_errors(True),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def test_other_errors_are_not_changed(gpus):
    gpus(T4)
    with pytest.raises(tf.errors.InvalidArgumentError), gpu.explain_gpu_errors(True):
        raise tf.errors.InvalidArgumentError(None, None, "a bug of ours")
    gpus()
    with pytest.raises(tf.errors.InternalError), gpu.explain_gpu_errors(True):
        raise AUTOTUNER


def test_cudnn_version_is_formatted(monkeypatch):
    for number, version in ((92400, "9.24.0"), (90501, "9.5.1")):
        library = types.SimpleNamespace(cudnnGetVersion=lambda number=number: number)
        monkeypatch.setattr(ctypes, "CDLL", lambda name, library=library: library)
        assert gpu.cudnn_version() == version

    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpu.cudnn_version() == "unknown"


@pytest.mark.parametrize(
    ("policy", "enabled"), [("float32", False), ("mixed_float16", True), ("mixed_bfloat16", True)]
)
def test_explicit_float32_is_not_rounded_to_tf32(policy, enabled):
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        tf.config.experimental.enable_tensor_float_32_execution(not enabled)
        precision.set_tensor_float_32(policy)
        assert tf.config.experimental.tensor_float_32_execution_enabled() is enabled
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def test_batches_are_prefetched_to_a_single_gpu_only(monkeypatch):
    stream, copies = tf.data.Dataset.range(3), []
    strategy = distribution.make_strategy("default")
    assert distribution.prefetch_to_device(strategy, stream) is stream
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [types.SimpleNamespace(name="GPU:0")])
    monkeypatch.setattr(
        tf.data.experimental,
        "prefetch_to_device",
        lambda name, buffer_size: lambda stream: copies.append((name, buffer_size)) or stream,
    )
    assert (
        distribution.prefetch_to_device(types.SimpleNamespace(num_replicas_in_sync=2), stream) is stream
        and not copies
    )
    distribution.prefetch_to_device(strategy, stream)
    assert copies == [("GPU:0", 2)]


# Through the loop and train.py


def small_config(policy):
    config = configs.acai.get_config("lines")
    config.train.update(
        dict(batch_size=4, precision=policy, total_kimg=0.02, log_every_kimg=0.004, jit_compile="off")
    )
    config.model.depth = config.model.critic_depth = config.model.latent_channels = 2
    return config


@pytest.mark.parametrize("policy", ["mixed_float16", "float32"])
def test_forward_overflow_error_names_the_precision(tmp_path, monkeypatch, policy):
    """A weight is beyond float16's 65504, or infinite; no loss scale helps."""

    def overflowing(*arguments, build=training.acai.build):
        model = build(*arguments)
        kernel = model.adversaries[0].network.variables[2]
        kernel.assign(tf.fill(kernel.shape, 1e6 if policy == "mixed_float16" else np.inf))
        return model

    monkeypatch.setattr(training.acai, "build", overflowing)
    config = small_config(policy)
    with RunDirectory(str(tmp_path), json.loads(config.to_json())) as run:
        with pytest.raises(InputError, match="is (nan|inf) at .* kimg; ") as error:
            train.train(config, run)
    assert isinstance(error.value.__cause__, loop.NonFiniteError)
    assert ("--config.train.precision=mixed_bfloat16" in str(error.value)) == (policy == "mixed_float16")
    assert "--config.train.learning_rate" in str(error.value)


def test_first_step_that_fails_on_the_gpu_is_explained(tmp_path, monkeypatch, gpus):
    """The loop raises TensorFlow's InternalError, on one GPU."""

    def fail(*arguments):
        gpus(T4)
        raise AUTOTUNER

    monkeypatch.setattr(loop, "compile_step", fail)
    config = small_config("float32")
    with RunDirectory(str(tmp_path), json.loads(config.to_json())) as run:
        with pytest.raises(InputError, match="The GPU must be able to run a training step. Received: Autotuner"):
            train.train(config, run)


@pytest.mark.parametrize(
    ("has_bfloat16", "precision", "reason"),
    [(False, "float32", "oneDNN is faster"), (True, "mixed_bfloat16", "oneDNN uses this processor's bfloat16")],
)
def test_start_line_names_devices_precision_and_xla(
    has_bfloat16, precision, reason, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(compiler, "has_onednn", lambda: True)
    monkeypatch.setattr(compiler, "has_bfloat16", lambda: has_bfloat16)
    config = small_config("auto")
    config.train.jit_compile = "auto"
    with caplog.at_level("INFO", logger="absl"), RunDirectory(str(tmp_path), json.loads(config.to_json())) as run:
        train.train(config, run)
    devices = gpu.describe_devices(distribution.make_strategy("default"))
    [line] = [message for message in caplog.messages if message.startswith("training on")]
    assert line.startswith(f"training on {devices}, {precision}, XLA off ({reason}")
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["train"]["precision"] == precision
    assert stored["runs_on"] == {"devices": devices, "xla": False}
    released = json.loads((tmp_path / "release" / "config.json").read_text())
    assert released["train"]["precision"] == precision and "runs_on" not in released


@pytest.mark.slow
def test_bfloat16_run_that_moves_to_another_processor_keeps_its_precision(tmp_path, caplog, monkeypatch):
    """XLA compiles its further steps, which is said."""
    monkeypatch.setattr(compiler, "has_onednn", lambda: True)
    for has_bfloat16, kimg in ((True, 0.02), (False, 0.04)):
        monkeypatch.setattr(compiler, "has_bfloat16", lambda has_bfloat16=has_bfloat16: has_bfloat16)
        config = small_config("auto")
        config.train.update(dict(jit_compile="auto", schedule="constant", total_kimg=kimg))
        with RunDirectory(str(tmp_path), json.loads(config.to_json())) as run:
            config.train.precision = run.config["train"]["precision"]
            train.train(config, run)
            assert run.config["train"]["precision"] == "mixed_bfloat16"
            assert run.config["runs_on"]["xla"] is not has_bfloat16
    assert "the bits of further steps differ from those before: xla False to True" in caplog.messages

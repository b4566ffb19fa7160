"""common.cli.import_tensorflow: settings of the user's Keras and TensorFlow have no effect on results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common import cli
from tests.support.running_commands import FLAGS

ROOT = Path(__file__).parents[2]
GARBAGE = {  # ends imports, or chooses other instructions of the processor
    "TQDM_MININTERVAL": "abc",
    "TQDM_POSITION": "abc",
    "NUMPY_MADVISE_HUGEPAGE": "abc",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "abc",
    "TFDS_RETRY_TRIES": "abc",
    "PYTHONWARNINGS": "default,err",  # Python takes any beginning of "error"
}


def write_keras_settings(home, settings):
    """Writes a keras.json and returns the variables that let Keras read it."""
    (home / ".keras").mkdir()
    (home / ".keras" / "keras.json").write_text(json.dumps(settings))
    return {"HOME": str(home), "KERAS_HOME": str(home / ".keras")}


@pytest.mark.slow
def test_settings_that_would_end_the_import_of_keras_are_not_read(tmp_path):
    variables = write_keras_settings(tmp_path, {"floatx": "bfloat16", "image_data_format": {}})
    command = [sys.executable, "-c", "from common import cli; cli.import_tensorflow()"]
    options = dict(cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=600)
    result = subprocess.run(command, **options)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_training_has_the_same_bits_whatever_the_users_settings_are(tmp_path):
    settings = {"floatx": "float16", "image_data_format": "channels_first", "backend": "torch", "epsilon": 0.1}
    variables = {
        "KERAS_BACKEND": "torch",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_CONFIG": "garbage",  # only with several machines it is read, and refused
        "CUDA_VISIBLE_DEVICES": "7",
        "OMP_NUM_THREADS": "abc",
        "MPLBACKEND": "nonsense",
        "XLA_FLAGS": "--no_such_flag",
    }
    variables |= GARBAGE | write_keras_settings(tmp_path, settings)
    weights = []
    for environment in ({}, variables):
        workdir = tmp_path / f"run{len(weights)}"
        command = [
            sys.executable,
            ROOT / "train.py",
            *FLAGS,
            "--config.train.total_kimg=0.04",
            f"--workdir={workdir}",
        ]
        options = dict(env=os.environ | environment, capture_output=True, text=True, timeout=1800)
        result = subprocess.run(command, **options)
        assert result.returncode == 0, result.stderr
        weights.append((workdir / "release" / "weights.npz").read_bytes())
    assert weights[0] == weights[1]


@pytest.mark.parametrize("command", ["train.py", "generate.py", "evaluate.py"])
def test_garbage_in_variables_of_libraries_ends_no_import(tmp_path, command):
    options = dict(cwd=tmp_path, env=os.environ | GARBAGE, capture_output=True, text=True, timeout=300)
    result = subprocess.run([sys.executable, ROOT / command, "--help"], **options)
    assert (result.returncode, result.stderr) == (0, "")


def test_garbage_in_variables_of_libraries_is_named(tmp_path):
    text = "from common import cli; import numpy, tqdm; cli.set_variables()"
    environment = os.environ | GARBAGE | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    ignored = sorted(GARBAGE.keys() - {"PYTHONWARNINGS"})
    assert result.returncode == 0 and result.stderr.endswith(f": {', '.join(ignored)}\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TFDS_RETRY_NOISE", "abc"),
        ("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python"),
        ("KERAS_BACKEND", "torch"),
        ("KERAS_HOME", "/keras"),
        ("KERAS_NNX_ENABLED", "1"),
        ("TF_ENABLE_ONEDNN_OPTS", "0"),
        ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2"),
        ("XLA_FLAGS", "--xla_cpu_enable_fast_math=true"),
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("DNNL_MAX_CPU_ISA", "AVX2"),
        ("TF_SET_ONEDNN_FPMATH_MODE", "BF16"),
        ("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL", "2"),
        ("TF2_BEHAVIOR", "0"),
        ("TF_USE_LEGACY_KERAS", "1"),
        ("NVIDIA_TF32_OVERRIDE", "1"),
        ("AUTOGRAPH_STRICT_CONVERSION", "1"),
    ],
)
def test_variables_that_change_results_are_ignored_with_a_warning(monkeypatch, caplog, name, value):
    environment = {"PATH": "/bin", "TFDS_DATA_DIR": "/data", "XDG_CACHE_HOME": "/cache"}
    monkeypatch.setattr(os, "environ", environment | {name: value})
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cli.set_variables()
    ours = {"KERAS_BACKEND": "tensorflow", "KERAS_NNX_ENABLED": "0", "TF2_BEHAVIOR": "1"}
    ours |= {"KERAS_HOME": "/cache/pegasus-acai/keras"}  # where no keras.json of the user's is
    ours |= {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    assert os.environ == environment | ours
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TF_CONFIG", "{}"),
        ("TF_CPP_MIN_LOG_LEVEL", "0"),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "false"),
        ("TF_GPU_ALLOCATOR", "cuda_malloc_async"),
        ("TF_NUM_INTRAOP_THREADS", "1"),
        ("XLA_FLAGS", "--xla_gpu_cuda_data_dir=/cuda"),
        ("TF_ENABLE_ONEDNN_OPTS", "1"),
        ("TF_VAR_name", "of Terraform"),
        ("CUDA_VISIBLE_DEVICES", "1"),
    ],
)
def test_variables_that_do_not_are_kept(monkeypatch, caplog, name, value):
    monkeypatch.setattr(os, "environ", {name: value})
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cli.set_variables()
    assert os.environ[name] == value and not caplog.records

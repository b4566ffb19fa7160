"""common.cli: `run`, `import_tensorflow` and one-line messages, each in a new process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError, one_line

STAND_IN = """
class config:
    class threading:
        set_intra_op_parallelism_threads = lambda count: print("threads", count)
    class experimental:
        enable_op_determinism = lambda: print("deterministic")
        enable_tensor_float_32_execution = lambda enabled: print("tf32", enabled)
    list_physical_devices = lambda kind: {gpus}
    set_visible_devices = lambda devices, kind: print("visible", devices, kind)
    list_logical_devices = lambda: print("started")
"""
ROOT = Path(__file__).parents[2]


def program(text, environment=None):
    command = [sys.executable, "-c", f"from common import cli as command\n{text}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_run_does_not_catch_other_errors():
    assert program("command.run(lambda: print('done'))").returncode == 0
    result = program("command.run(lambda: 1 / 0)")
    assert result.returncode == 1 and "ZeroDivisionError" in result.stderr  # a bug keeps its traceback
    result = program("def main(): raise KeyboardInterrupt\ncommand.run(main)")
    assert result.returncode == 130 and result.stderr == "stopped by Ctrl-C\n"
    result = program("def main(): raise command.InputError('a\\nb   c')\ncommand.run(main)")
    assert result.returncode == 2 and result.stderr == "error: a b c\n"


def test_python_without_docstrings_is_refused():
    result = program("command.run(lambda: print('done'))", os.environ | {"PYTHONOPTIMIZE": "2"})
    assert (result.returncode, result.stdout) == (2, "") and result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: Python must keep docstrings")
    assert program("command.run(lambda: print('done'))", os.environ | {"PYTHONOPTIMIZE": "1"}).returncode == 0


def test_closed_pipe_is_not_an_error():
    text = "from common import cli as command; command.run(lambda: print('x' * 10**6, flush=True))"
    shell = f'"{sys.executable}" -c "{text}" | head -c 1; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "x", "")


@pytest.mark.parametrize(("level", "heard"), [(None, ""), ("0", "chatter\n")])
def test_start_up_messages_of_tensorflow_are_hidden(tmp_path, level, heard):
    """Messages are hidden, including those of C++ code, unless the environment asks for them."""
    (tmp_path / "keras.py").touch()
    (tmp_path / "tensorflow.py").write_text("import os\nos.write(2, b'chatter\\n')\nfrom t import config\n")
    (tmp_path / "t.py").write_text(STAND_IN.format(gpus=[]))
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})
    result = program("import sys\ncommand.import_tensorflow()\nprint('after', file=sys.stderr)", environment)
    assert result.returncode == 0 and result.stderr == heard + "after\n"
    (tmp_path / "t.py").write_text("")  # now the import fails: the chatter may tell why
    result = program("command.import_tensorflow()", environment)
    assert result.returncode == 1 and "chatter\n" in result.stderr and "ImportError" in result.stderr


@pytest.mark.parametrize("module", ["sklearn", "matplotlib"])
def test_only_the_import_of_keras_does_not_find_modules_that_are_not_used(tmp_path, module):
    (tmp_path / f"{module}.py").write_text("")
    (tmp_path / "tensorflow.py").write_text(STAND_IN.format(gpus=[]))
    (tmp_path / "keras.py").write_text(
        f"try:\n    import {module}\nexcept ImportError:\n    print('not result')\n"
    )
    text = f"command.import_tensorflow()\nimport {module}\nprint({module}.__name__)"
    result = program(text, os.environ | {"PYTHONPATH": str(tmp_path)})
    assert result.stderr == ""
    assert (result.stdout.splitlines()[0], result.stdout.splitlines()[-1]) == ("not result", module)


@pytest.mark.parametrize(
    ("processor", "value", "expected"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "1"), ("arm64", None, "None")],
)
def test_onednn_is_on_where_tensorflow_has_it(tmp_path, processor, value, expected):
    """By default TensorFlow uses it with AVX-512 only. The environment cannot turn it off."""
    (tmp_path / "keras.py").touch()
    variable = "import os\nprint(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))\n"
    (tmp_path / "tensorflow.py").write_text(variable + STAND_IN.format(gpus=[]))
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({"TF_ENABLE_ONEDNN_OPTS": value} if value else {})
    pretend = f"import platform\nplatform.machine = lambda: '{processor}'\n"
    result = program(pretend + "command.import_tensorflow()", environment)
    assert result.stdout.splitlines()[0] == expected


@pytest.mark.parametrize(
    ("options", "gpus", "expected"),
    [
        ("", 0, ["tf32 False", "visible [] GPU", "started"]),
        ("", 2, ["tf32 False", "visible ['gpu0'] GPU", "started"]),
        ("one_core=True", 0, ["threads 1", "tf32 False", "visible [] GPU", "started"]),
        ("one_core=True", 1, ["tf32 False", "visible ['gpu0'] GPU", "started"]),
        ("'mirrored'", 2, ["tf32 False", "started"]),  # all GPUs
        ("'multi_worker'", 2, ["tf32 False"]),  # and the devices wait for the cluster
        ("deterministic=True", 1, ["deterministic", "tf32 False", "visible ['gpu0'] GPU", "started"]),
    ],
)
def test_device_settings_are_made_before_initialization(tmp_path, options, gpus, expected):
    (tmp_path / "keras.py").touch()
    (tmp_path / "tensorflow.py").write_text(STAND_IN.format(gpus=[f"gpu{i}" for i in range(gpus)]))
    result = program(f"command.import_tensorflow({options})", os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (result.stdout.splitlines(), result.stderr) == (expected, "")


@pytest.mark.parametrize(
    ("environment", "options", "expected"),
    [
        ({}, "", "true None"),
        ({"TF_FORCE_GPU_ALLOW_GROWTH": "false"}, "", "false None"),
        ({}, "deterministic=True", "true --xla_gpu_deterministic_ops=true"),
        (
            {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_gpu_cuda_data_dir=/cuda"},
            "deterministic=True",
            "true --xla_gpu_cuda_data_dir=/cuda --xla_gpu_deterministic_ops=true",
        ),
    ],
)
def test_environment_is_set_before_tensorflow_is_imported(tmp_path, environment, options, expected):
    """GPU memory is allocated on demand, unless the environment says otherwise."""
    (tmp_path / "keras.py").touch()
    variables = "import os\nprint(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'], os.environ.get('XLA_FLAGS'))\n"
    (tmp_path / "tensorflow.py").write_text(variables + STAND_IN.format(gpus=[]))
    others = {k: v for k, v in os.environ.items() if k not in ("TF_FORCE_GPU_ALLOW_GROWTH", "XLA_FLAGS")}
    result = program(f"command.import_tensorflow({options})", others | environment | {"PYTHONPATH": str(tmp_path)})
    assert result.stdout.splitlines()[0] == expected


@pytest.mark.slow
def test_xla_knows_the_flag_for_determinism():
    """XLA ends the process if it does not know a flag."""
    text = "command.import_tensorflow(deterministic=True)\nimport tensorflow as tf\n"
    text += "print(int(tf.function(lambda x: 2 * x, jit_compile=True)(tf.constant(3))))"
    result = program(text, os.environ)
    assert (result.returncode, result.stdout) == (0, "6\n"), result.stderr


def test_one_line_shortens_and_escapes_messages():
    assert one_line(KeyError("no 'depht'\nDid you mean \"depth\"?")) == "no 'depht' Did you mean \"depth\"?"
    assert one_line(AttributeError(KeyError("'a'\nis new"))) == "'a' is new"  # of ml_collections
    assert one_line(KeyError("'a' is not 'b'")) == "'a' is not 'b'"
    assert one_line(KeyError("a", "b")) == "('a', 'b')" and one_line(KeyError(3)) == "3"
    for text in ("Received: 'x'", "'a' must be 'b'", '"a"', "C:\\new\\'s", "'", ""):
        assert one_line(InputError(text)) == one_line(text) == text
    text = "bad config: Traceback (most recent call last):\n  File\n    x = 1\nValueError: Received: 'y'\n"
    assert one_line(ValueError(text)) == "bad config: ValueError: Received: 'y'"

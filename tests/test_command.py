"""common.command by itself, in processes of its own: `run`, `import_tensorflow` and messages of one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.command import InputError, one_line

ROOT = Path(__file__).parents[1]


def program(text, environment=None):
    command = [sys.executable, "-c", f"from common import command\n{text}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_run_passes_on_what_is_not_bad_input():
    assert program("command.run(lambda: print('done'))").returncode == 0
    result = program("command.run(lambda: 1 / 0)")
    assert result.returncode == 1 and "ZeroDivisionError" in result.stderr  # a bug keeps its traceback
    result = program("def main(): raise KeyboardInterrupt\ncommand.run(main)")
    assert result.returncode == 130 and result.stderr == "stopped by Ctrl-C\n"
    result = program("def main(): raise command.InputError('a\\nb   c')\ncommand.run(main)")
    assert result.returncode == 2 and result.stderr == "error: a b c\n"


def test_a_closed_pipe_is_no_error():
    text = "from common import command; command.run(lambda: print('x' * 10**6, flush=True))"
    shell = f'"{sys.executable}" -c "{text}" | head -c 1; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "x", "")


@pytest.mark.parametrize(("level", "heard"), [(None, ""), ("0", "chatter\n")])
def test_chatter_of_tensorflow(tmp_path, level, heard):
    """It is held back, also what C++ writes to the file descriptor, unless someone asked for it."""
    (tmp_path / "keras.py").write_text("")
    (tmp_path / "tensorflow.py").write_text("import os\nos.write(2, b'chatter\\n')\nfrom t import config\n")
    (tmp_path / "t.py").write_text("class config:\n    list_logical_devices = staticmethod(lambda: [])\n")
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})
    result = program("import sys\ncommand.import_tensorflow()\nprint('after', file=sys.stderr)", environment)
    assert result.returncode == 0 and result.stderr == heard + "after\n"
    (tmp_path / "t.py").write_text("")  # now the import fails: the chatter may tell why
    result = program("command.import_tensorflow()", environment)
    assert result.returncode == 1 and "chatter\n" in result.stderr and "ImportError" in result.stderr


def test_keras_does_not_find_scikit_learn_and_others_do(tmp_path):
    (tmp_path / "sklearn.py").write_text("")
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "keras.py").write_text("try:\n    import sklearn\nexcept ImportError:\n    print('not found')\n")
    text = "command.import_tensorflow(machines=True)\nimport sklearn\nprint(sklearn.__name__)"
    found = program(text, os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (found.stdout, found.stderr) == ("not found\nsklearn\n", "")


@pytest.mark.parametrize(
    ("processor", "own", "expected"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "0"), ("arm64", None, "None")],
)
def test_onednn_is_on_where_tensorflow_has_it(tmp_path, processor, own, expected):
    """By itself TensorFlow turns it on with AVX-512 only. Who has said so keeps it off."""
    (tmp_path / "keras.py").write_text("")
    (tmp_path / "tensorflow.py").write_text("import os\nprint(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))\n")
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({"TF_ENABLE_ONEDNN_OPTS": own} if own else {})
    pretend = f"import platform\nplatform.machine = lambda: '{processor}'\n"
    assert program(pretend + "command.import_tensorflow(True)", environment).stdout == f"{expected}\n"


@pytest.mark.parametrize(
    ("one_core", "gpus", "expected"), [(False, 0, "woken"), (True, 0, "1 thread woken"), (True, 1, "woken")]
)
def test_an_operation_has_one_core_before_the_devices_wake(tmp_path, one_core, gpus, expected):
    """Where steps go by towers and there is no GPU."""
    (tmp_path / "keras.py").write_text("")
    (tmp_path / "tensorflow.py").write_text(
        "class config:\n"
        "    class threading:\n"
        "        set_intra_op_parallelism_threads = lambda count: print(count, 'thread', end=' ')\n"
        f"    list_physical_devices = lambda kind: ['gpu'] * {gpus}\n"
        "    list_logical_devices = lambda: print('woken')\n"
    )
    found = program(f"command.import_tensorflow(one_core={one_core})", os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (found.stdout, found.stderr) == (f"{expected}\n", "")


def test_one_line():
    assert one_line(KeyError("no 'depht'\nDid you mean \"depth\"?")) == "no 'depht' Did you mean \"depth\"?"
    assert one_line(InputError("Received: 'x'")) == "Received: 'x'"
    text = "bad config: Traceback (most recent call last):\n  File\n    x = 1\nValueError: Received: 'y'\n"
    assert one_line(ValueError(text)) == "bad config: ValueError: Received: 'y'"

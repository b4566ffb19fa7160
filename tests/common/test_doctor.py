"""common/doctor.py: what it says of sound and broken installations. TensorFlow is a stand-in."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from common import doctor
from common.backend import compiler, gpu

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["python", "commit", "tensorflow", "keras", "numpy", "GPUs"]
NAMES += ["processor", "memory", "CIFAR-10", "free disk", "cache folder"]


def stand_in(tmp_path, monkeypatch, source):
    """Makes `import tensorflow` run `source` in other processes."""
    (tmp_path / "tensorflow.py").write_text(source)
    (tmp_path / "keras.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_the_command_prints_a_line_for_each_part_and_leaves_nothing_behind(tmp_path):
    stubs, home = tmp_path / "stubs", tmp_path / "home"
    stubs.mkdir(), home.mkdir()
    (stubs / "tensorflow.py").write_text("raise ImportError('a library is missing')")
    environment = os.environ | {"PYTHONPATH": f"{stubs}{os.pathsep}{ROOT}", "HOME": str(home)}
    environment = {k: v for k, v in environment.items() if k not in ("XDG_CACHE_HOME", "TFDS_DATA_DIR")}
    command = [sys.executable, "-B", "-m", "common.doctor"]
    result = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split(":", 1) for line in result.stdout.splitlines()]
    assert [name for name, _ in lines] == NAMES
    texts = {name: text.strip() for name, text in lines}
    assert "TensorFlow cannot be imported: ImportError: a library is missing" in texts["GPUs"]
    assert texts["CIFAR-10"].startswith(f"not in {home}/tensorflow_datasets;")
    assert texts["cache folder"].startswith(f"{home}/.cache/pegasus-acai, writable")
    assert texts["free disk"].endswith(f" GB in {home}")
    assert not [*home.iterdir()]


def test_the_command_works_without_any_library(tmp_path):
    """As with the system's Python before an installation; site-packages are off."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
         "from common import doctor; doctor.main()"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == NAMES
    assert "not installed for this Python; make install" in lines[NAMES.index("tensorflow")]
    assert "ModuleNotFoundError" in lines[NAMES.index("CIFAR-10")]


def test_without_a_network(monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("a connection was made")

    stand_in(tmp_path, monkeypatch, "raise ImportError")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert "a connection was made" not in " ".join(text for _, text in doctor.describe())


@pytest.mark.parametrize(
    "source, expected",
    [
        ("import os; os.abort()", "importing TensorFlow ends Python: Aborted"),
        ("import time; time.sleep(60)", "importing TensorFlow did not end in 1 s"),
        ("raise SystemExit('two\\nlines')", "TensorFlow cannot be imported: lines"),
    ],
)
def test_an_import_of_tensorflow_that_ends_badly(monkeypatch, tmp_path, source, expected):
    stand_in(tmp_path, monkeypatch, source)
    monkeypatch.setattr(doctor, "TIMEOUT", 1 if "sleep" in source else 100)
    assert doctor.gpus() == f"unknown, {expected}"


GPU_STAND_IN = """
class config:
    list_physical_devices = staticmethod(lambda kind: DEVICES)
    class experimental:
        get_device_details = staticmethod(lambda device: device)
"""


@pytest.mark.parametrize(
    "devices, driver, expected",
    [
        ([], [], "none"),
        ([], ["/dev/nvidia0"], "none, although /dev/nvidia0 exists; make install GPU=1 installs CUDA and cuDNN"),
        (
            [{"device_name": "NVIDIA L4", "compute_capability": (8, 9)}, {}],
            ["/dev/nvidia0"],
            "NVIDIA L4 (compute capability 8.9), GPU (compute capability unknown); cuDNN 9.24.0",
        ),
    ],
)
def test_gpus(monkeypatch, tmp_path, devices, driver, expected):
    stand_in(tmp_path, monkeypatch, f"DEVICES = {devices!r}{GPU_STAND_IN}")
    monkeypatch.setattr(gpu, "driver_files", lambda: driver)
    monkeypatch.setattr(gpu, "cudnn_version", lambda: "9.24.0")
    assert doctor.gpus() == expected


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("fpu avx avx2 avx512_bf16", "Some CPU, 3 cores, avx avx2 avx512_bf16, instructions for bfloat16"),
        ("fpu avx", "Some CPU, 3 cores, avx, no known instructions for bfloat16"),
        ("fpu", "Some CPU, 3 cores, extensions unknown, no known instructions for bfloat16"),
    ],
)
def test_processor(monkeypatch, tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n")
    monkeypatch.setattr(compiler, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(compiler.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 3)
    compiler.cpu_flags.cache_clear()
    try:
        assert doctor.processor() == expected
    finally:
        compiler.cpu_flags.cache_clear()


def test_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert doctor.data_set().startswith(f"not in {tmp_path};")
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    assert doctor.data_set().startswith(f"3.0.2 in {tmp_path}, damaged or incomplete (")
    splits = '[{"name": "train", "shardLengths": ["1"]}, {"name": "test", "shardLengths": ["1"]}]'
    (folder / "dataset_info.json").write_text(f'{{"fileFormat": "tfrecord", "splits": {splits}}}')
    for split in ("train", "test"):
        (folder / f"cifar10-{split}.tfrecord-00000-of-00001").touch()
    assert doctor.data_set() == f"3.0.2 in {tmp_path}"
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder / "dataset_info.json"))
    assert "Received a file" in doctor.attempt(doctor.data_set)


def test_a_cache_folder_that_cannot_be_written_to(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")  # not writable to root, either
    assert doctor.cache().startswith("/proc/pegasus-acai cannot be written to (")
    (tmp_path / "pegasus-acai").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert doctor.cache().startswith(f"{tmp_path}/pegasus-acai, writable, ") and "not made" not in doctor.cache()


def test_commit(monkeypatch, tmp_path):
    def git(*words):
        settings = ["-c", "user.name=a", "-c", "user.email=b", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True, text=True)

    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert doctor.commit() == "unknown, git: fatal: not a git repository (or any of the parent directories): .git"
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert doctor.commit() == f"{head}, no changed files"
    (tmp_path / "new").touch()
    assert doctor.commit() == f"{head}, 1 changed files"
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.setattr(doctor, "ROOT", inner)
    assert doctor.commit() == f"{inner} is not a clone"


def test_an_exception_becomes_one_line():
    def fail():
        raise RuntimeError("first\nsecond")

    assert doctor.attempt(fail) == "unknown (RuntimeError: first second)"


def test_versions_are_those_of_the_installed_libraries():
    import numpy

    assert doctor.version("numpy") == numpy.__version__

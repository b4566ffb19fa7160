"""Describes this machine and installation for a bug report: make doctor, or python -m common.doctor

It changes nothing, uses no network and always ends with status 0. It imports the requirements only where it uses
them, and TensorFlow in another process, so that it can describe an installation that is broken.
"""

import functools
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("tensorflow", "keras", "numpy")
EXTENSIONS = ("avx", "avx2", "fma", "avx512f", "avx512_bf16")  # that TensorFlow's wheels or oneDNN use
TIMEOUT = 300  # seconds for the import of TensorFlow
LIST_GPUS = """
import json
import tensorflow as tf
import keras
gpus = tf.config.list_physical_devices("GPU")
print(json.dumps([tf.config.experimental.get_device_details(gpu) for gpu in gpus]))
"""


def describe():
    """Yields (name, description) of each line of the report, both str of one line."""
    parts = {"python": python, "commit": commit}
    parts |= {name: functools.partial(version, name) for name in LIBRARIES}
    parts |= {"GPUs": gpus, "processor": processor, "memory": memory, "CIFAR-10": data_set}
    parts |= {"free disk": free_disk, "cache folder": cache}
    for name, function in parts.items():
        yield name, attempt(function)


def attempt(function):
    """Returns what the function returns, or the exception that it raises, as one line."""
    try:
        return " ".join(function().split())
    except Exception as error:
        return " ".join(f"unknown ({type(error).__name__}: {error})".split())


def python():
    return f"{platform.python_version()} at {sys.executable}, {platform.platform()}"


def commit():
    """The checked-out commit of this project."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    try:
        if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != ROOT:
            return f"{ROOT} is not a clone"
        changed = len(git("status", "--porcelain").splitlines())
        return f"{git('rev-parse', 'HEAD').strip()}, {changed or 'no'} changed files"
    except subprocess.CalledProcessError as error:
        return f"unknown, git: {error.stderr.strip()}"


def version(library):
    """The installed version of a library. Importing it is not needed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed for this Python; make install, or pip install -c constraints.txt -e ., installs it"


def gpus():
    """The GPUs that TensorFlow sees, or why it cannot be imported."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
    command, options = [sys.executable, "-c", LIST_GPUS], {"cwd": ROOT, "env": environment, "errors": "replace"}
    try:
        result = subprocess.run(command, capture_output=True, timeout=TIMEOUT, **options)
    except subprocess.TimeoutExpired:
        return f"unknown, importing TensorFlow did not end in {TIMEOUT} s"
    if result.returncode < 0:
        return f"unknown, importing TensorFlow ends Python: {signal.strsignal(-result.returncode)}"
    if result.returncode:
        return f"unknown, TensorFlow cannot be imported: {result.stderr.strip().splitlines()[-1]}"
    from common.backend import gpu

    names = [
        f"{details.get('device_name', 'GPU')} (compute capability {gpu.format_capability(details)})"
        for details in json.loads(result.stdout.splitlines()[-1])
    ]
    if names:
        return f"{', '.join(names)}; cuDNN {gpu.cudnn_version()}"
    files = gpu.driver_files()
    return f"none, although {files[0]} exists; make install GPU=1 installs CUDA and cuDNN" if files else "none"


def processor():
    """Name, cores and the instructions that decide how fast a training is."""
    from common.backend import compiler

    name = platform.processor() or platform.machine()
    try:
        lines = Path(compiler.CPU_INFO).read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:  # not Linux
        pass
    flags = [flag for flag in EXTENSIONS if flag in compiler.cpu_flags()]
    bfloat16 = "instructions" if compiler.has_bfloat16() else "no known instructions"
    return f"{name}, {os.cpu_count()} cores, {' '.join(flags) or 'extensions unknown'}, {bfloat16} for bfloat16"


def memory():
    from common.backend.memory import total_bytes

    return f"{total_bytes() / 2**30:.1f} GiB"


def data_set():
    """Whether CIFAR-10 is prepared, and where; it is not downloaded."""
    from common.data.cifar10 import find_cifar10

    folder, version, damage = find_cifar10()
    if version is None:
        return f"not in {folder}; train.py downloads it there, or pass --data_dir or set TFDS_DATA_DIR"
    return f"{version} in {folder}" + (f", damaged or incomplete ({damage})" if damage else "")


def free_disk():
    return f"{shutil.disk_usage('.').free / 1e9:.1f} GB in {os.getcwd()}"


def cache():
    """Whether files can be written to the cache folder, or to the folder in which it would be made."""
    from common.files import cache_folder

    folder = Path(cache_folder())
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return f"{folder} cannot be written to ({error.strerror}: {existing})"
    free = shutil.disk_usage(existing).free / 1e9
    return f"{folder}, writable, {free:.1f} GB free" + ("" if existing == folder else ", not made yet")


def main():
    sys.stdout.reconfigure(errors="backslashreplace")  # paths may have characters that the terminal cannot show
    for name, text in describe():
        print(f"{name + ':':<20}{text}", flush=True)


if __name__ == "__main__":
    main()

"""Describes the devices of a training, and explains errors of GPUs."""

import contextlib
import ctypes
import glob
import os

from absl import logging

from common.errors import InputError, one_line

DEVICE_FILES = ("/dev/nvidia[0-9]*", "/dev/dxg")  # of the drivers on Linux and in WSL 2 on Windows
COMPILED_FOR = (7, 0), (9, 0)  # compute capabilities, with fast float16, that TensorFlow's wheels are compiled for


def describe_devices(strategy):
    """Describes the devices of a tf.distribute.Strategy, e.g. "1 x Tesla T4 (7.5)"."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    devices = f"{os.cpu_count()} CPU cores"
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = {f"{d.get('device_name', 'GPU')} ({format_capability(d)})": None for d in details}
        devices = f"{len(gpus)} x {', '.join(names)}"
    if strategy.num_replicas_in_sync > max(1, len(gpus)):
        devices = f"{strategy.num_replicas_in_sync} devices, here {devices}"
    return devices


def format_capability(details):
    """Formats a device's compute capability, e.g. "7.5"; "unknown" if TensorFlow does not know it."""
    return ".".join(map(str, details.get("compute_capability", ()))) or "unknown"


def driver_files():
    """Returns the paths of the device files that GPU drivers have made on this machine."""
    return [file for pattern in DEVICE_FILES for file in glob.glob(pattern)]


def warn_about_gpus():
    """Warns of GPUs that TensorFlow does not find, or that its wheels are not compiled for."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    present = driver_files()
    if present and not gpus and os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in ("", "-1"):
        logging.warning(
            "%s exists, but TensorFlow finds no GPU and trains on the CPU: make install GPU=1, or "
            "pip install -e .[gpu], installs CUDA and cuDNN; nvidia-smi shows whether the driver works",
            present[0],
        )
    for gpu in gpus:
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", COMPILED_FOR[0])
        if not COMPILED_FOR[0] <= capability <= COMPILED_FOR[1]:
            logging.warning(
                "compute capability %d.%d is outside 7.0 to 9.0, for which TensorFlow is compiled: older GPUs "
                "have no fast float16, and newer ones compile each operation at first use, which can take long",
                *capability,
            )


@contextlib.contextmanager
def explain_gpu_errors(compiled):
    """Turns GPU errors within the context into one line with advice; does nothing without a GPU.

    Args:
        compiled: whether XLA compiles the steps.

    Raises:
        InputError: the GPU's memory is exhausted, or a library cannot run a step, such as a cuDNN that is too old
            for XLA.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, tf.errors.InternalError, tf.errors.UnknownError) as error:
        if not tf.config.list_physical_devices("GPU"):
            raise
        message = one_line(error)[:300]
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise InputError(
                f"The GPU must have enough memory for a training step. Received: {message}; lower "
                "--config.train.batch_size or end other programs on the GPU (nvidia-smi lists them)."
            ) from error
        advice = " or add --config.train.jit_compile=off" if compiled else ""
        raise InputError(
            f"The GPU must be able to run a training step. Received: {message} (cuDNN {cudnn_version()}); install "
            f"cuDNN 9.24 or newer (make install GPU=1){advice}."
        ) from error


def cudnn_version():
    """Returns the version of the cuDNN library, e.g. "9.24.0"; "unknown" if it cannot be loaded."""
    try:
        number = ctypes.CDLL("libcudnn.so.9").cudnnGetVersion()
    except (OSError, AttributeError):
        return "unknown"
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"

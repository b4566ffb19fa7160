"""Start of the device, and the checks of its properties and of its memory."""

import os
import platform
import subprocess
import sys

from common import cli
from common.backend import gpu
from gpu_check.bounds import BOUNDS, CheckSkipped, at_most, require

LOGICAL_MIB = 2048  # memory of each of two logical GPUs on one physical GPU
PRODUCT = "from gpu_check import devices; devices.start_device({0!r}); print(devices.check_product({0!r}))"


def start_device(device, replicas=1):
    """Imports TensorFlow and starts the device as trainings do, without TF32.

    Args:
        device: "GPU:0", "CPU:0" or, for a second logical CPU, "CPU:1".
        replicas: 1 or 2 devices; logical devices replace missing physical ones.

    Raises:
        InputError: if TensorFlow lists no GPU.
    """
    cli.import_tensorflow("multi_worker")  # this strategy does not start the devices yet
    import tensorflow as tf

    gpus, logical = tf.config.list_physical_devices("GPU"), tf.config.LogicalDeviceConfiguration
    if device == "GPU:0" and not gpus:
        raise cli.InputError(
            "--device must be a device that TensorFlow lists. Received: GPU:0, but TensorFlow lists no GPU; "
            "`make install GPU=1` installs what it needs for one"
        )
    tf.config.set_visible_devices(gpus[:replicas] if device == "GPU:0" else [], "GPU")
    if device == "GPU:0" and replicas > len(gpus):
        parts = [logical(memory_limit=LOGICAL_MIB) for _ in range(replicas)]
        tf.config.set_logical_device_configuration(gpus[0], parts)
    elif device == "CPU:1" or device == "CPU:0" and replicas > 1:
        cpus = tf.config.list_physical_devices("CPU")
        parts = [logical() for _ in range(max(replicas, 1 + (device == "CPU:1")))]
        tf.config.set_logical_device_configuration(cpus[0], parts)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.list_logical_devices()


def require_device(device, tensors):
    """Raises CheckFailed unless all of {name: tensor or variable} are on the device."""
    for name, tensor in tensors.items():
        place = str(tensor.device).partition("device:")[2]
        require(place == device, f"{name} must be on {device}. Received: {place or 'no device'}")


def device(device, sizes):
    """Reports the device and the versions; fails for a GPU for which TensorFlow's wheels have no code."""
    import keras
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    figures = {
        "name": platform.processor() or platform.machine(),
        "driver": nvidia_smi("driver_version")[0],
        "cuda": str(build.get("cuda_version", "none")),
        "cudnn": f"{gpu.cudnn_version()} (built for {build.get('cudnn_version', 'none')})",
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "warnings": [],
    }
    if device.startswith("CPU"):
        return figures
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    figures["name"] = details.get("device_name", "unknown")
    return figures | check_capability(details.get("compute_capability", (0, 0)))


def check_capability(capability):
    """Checks a compute capability, a pair of ints; returns {"capability": str, "warnings": list of str}."""
    lowest, (first, last) = BOUNDS["lowest capability"], BOUNDS["usual capabilities"]
    text = ".".join(map(str, capability))
    require(capability >= lowest, f"compute capability must be at least {lowest[0]}.{lowest[1]}. Received: {text}")
    usual = first <= capability <= last
    warning = f"compute capability {text} is outside 7.0 to 9.0: without float16 cores, or newer than TensorFlow"
    return {"capability": text, "warnings": [] if usual else [warning]}


def nvidia_smi(*fields):
    """Queries fields of the GPU with nvidia-smi; returns a list of str, "unknown" if it does not answer."""
    number = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    query = ["nvidia-smi", f"--id={number}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ["unknown"] * len(fields)
    return answer.stdout.strip().split(", ")


def memory(device, sizes):
    """Multiplies matrices in this and a second process at once: the GPU must have memory for both."""
    check_product(device)
    program = [sys.executable, "-c", PRODUCT.format(device)]
    second = subprocess.run(program, capture_output=True, text=True)
    last = cli.one_line((second.stderr.strip().splitlines() or ["nothing on stderr"])[-1])
    require(second.returncode == 0, f"a second process must be able to use {device}. Received: {last[:300]}")
    if device.startswith("CPU"):
        raise CheckSkipped("no process reserves a CPU's memory in advance; both processes' products are correct")
    used, total = nvidia_smi("memory.used", "memory.total")
    if used.isdigit() and total.isdigit():
        at_most("memory share", int(used) / int(total), "share of the GPU's memory in use, by all processes,")
    return {"used_mib": used, "total_mib": total}


def check_product(device):
    """Multiplies two matrices of ones on the device, checks the product and returns its sum."""
    import tensorflow as tf

    with tf.device(device):
        result = tf.ones((256, 512)) @ tf.ones((512, 128))
        require_device(device, {"a product": result})
        total = float(tf.reduce_sum(result))
    require(total == 256 * 512 * 128, f"a product of ones must sum to {256 * 512 * 128}. Received: {total}")
    return total

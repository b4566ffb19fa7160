"""What the device is, which of it TensorFlow takes, and how a check's process wakes it."""

import os
import platform
import subprocess
import sys

from common import cli
from common.backend import gpu
from gpu_check.bounds import BOUNDS, CheckSkipped, at_most, require

LOGICAL_MIB = 2048  # memory of each of two logical GPUs on one
PRODUCT = "from gpu_check import devices; devices.wake({0!r}); print(devices.product({0!r}))"


def wake(device, replicas=1):
    """Imports TensorFlow and starts the device as a training has it; float32 means float32, not TF32.

    Args:
        device: "GPU:0", "CPU:0" or, for a second logical CPU, "CPU:1".
        replicas: 2: two such devices, real ones where there are, else logical ones.

    Raises:
        InputError: when TensorFlow lists no GPU.
    """
    cli.import_tensorflow("multi_worker")  # which does not start the devices
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


def require_on(device, tensors):
    """Raises CheckFailed unless all of {name: tensor or variable} lie on the device."""
    for name, tensor in tensors.items():
        place = str(tensor.device).partition("device:")[2]
        require(place == device, f"{name} must lie on {device}. Received: {place or 'no device'}")


def device(device, sizes):
    """Names the device and the versions; fails for a GPU that TensorFlow's wheels hold no code for."""
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
    return figures | judged_capability(details.get("compute_capability", (0, 0)))


def judged_capability(capability):
    """{"capability", "warnings"} of a compute capability, a pair of ints; CheckFailed for one that is too low."""
    lowest, (first, last) = BOUNDS["lowest capability"], BOUNDS["usual capabilities"]
    text = ".".join(map(str, capability))
    require(capability >= lowest, f"compute capability must be at least {lowest[0]}.{lowest[1]}. Received: {text}")
    usual = first <= capability <= last
    warning = f"compute capability {text} is outside 7.0 to 9.0: without float16 cores, or newer than TensorFlow"
    return {"capability": text, "warnings": [] if usual else [warning]}


def nvidia_smi(*fields):
    """What nvidia-smi says of fields of the GPU, a list of str; "unknown" for each where it says nothing."""
    number = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    query = ["nvidia-smi", f"--id={number}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ["unknown"] * len(fields)
    return found.stdout.strip().split(", ")


def memory(device, sizes):
    """Multiplies two matrices here and at the same time in a second process: the GPU must have room for both."""
    product(device)
    program = [sys.executable, "-c", PRODUCT.format(device)]
    second = subprocess.run(program, capture_output=True, text=True)
    last = cli.one_line((second.stderr.strip().splitlines() or ["nothing on stderr"])[-1])
    require(second.returncode == 0, f"a second process must be able to use {device}. Received: {last[:300]}")
    if device.startswith("CPU"):
        raise CheckSkipped("no process takes a CPU's memory in advance; the products in two processes are right")
    used, total = nvidia_smi("memory.used", "memory.total")
    if used.isdigit() and total.isdigit():
        at_most("memory share", int(used) / int(total), "share of the GPU's memory in use, by all processes,")
    return {"used_mib": used, "total_mib": total}


def product(device):
    """The sum of a product of two matrices of ones on the device, checked."""
    import tensorflow as tf

    with tf.device(device):
        result = tf.ones((256, 512)) @ tf.ones((512, 128))
        require_on(device, {"a product": result})
        found = float(tf.reduce_sum(result))
    require(found == 256 * 512 * 128, f"a product of ones must sum to {256 * 512 * 128}. Received: {found}")
    return found

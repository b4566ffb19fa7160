"""Resolves precision settings to Keras dtype policies."""

from common.backend import compiler

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
TENSOR_CORES = (7, 0)  # the first compute capability with fast float16


def resolve(precision):
    """Returns the name of the Keras dtype policy for one of PRECISIONS.

    "auto" is mixed_float16 if every GPU has compute capability 7.0 or newer, mixed_bfloat16 on a CPU with
    instructions for it, and otherwise float32.

    Raises:
        ValueError: precision is not one of PRECISIONS.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}. Received: {precision!r}.")
    if precision != "auto":
        return precision
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "mixed_bfloat16" if compiler.has_bfloat16() else "float32"
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    capable = [detail.get("compute_capability", (0, 0)) >= TENSOR_CORES for detail in details]
    return "mixed_float16" if all(capable) else "float32"


def set_tensor_float_32(policy):
    """Allows a GPU to round the factors of float32 products to 10 bits (TF32), unless the policy is "float32".

    By default TensorFlow allows it for every policy, on GPUs of compute capability 8.0 or newer.
    """
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(policy != "float32")

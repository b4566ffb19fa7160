"""Which Keras dtype policy a precision setting means on this machine."""

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
TENSOR_CORES = (7, 0)  # the compute capability from which float16 is fast


def resolve(precision):
    """One of PRECISIONS -> a Keras dtype policy name.

    "auto" is mixed_float16 when every GPU has compute capability 7.0 or newer, else float32 (a CPU, an old
    or an unknown GPU).

    Raises:
        ValueError: for any other name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}. Received: {precision!r}.")
    if precision != "auto":
        return precision
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    capable = [detail.get("compute_capability", (0, 0)) >= TENSOR_CORES for detail in details]
    return "mixed_float16" if gpus and all(capable) else "float32"


def set_tensor_float_32(policy):
    """Lets a GPU round factors in float32 products to 10 bits (TF32), unless the policy asks for float32.

    GPUs of compute capability 8.0 or newer do so by default, also where "float32" is asked for by name.
    """
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(policy != "float32")

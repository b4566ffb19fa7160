"""Whether XLA compiles a training step, or TensorFlow runs its own operations one by one."""

import platform

CHOICES = ("auto", "on", "off")


def resolve(jit_compile, policy):
    """One of CHOICES and the name of a Keras dtype policy -> whether to compile with XLA.

    "auto" is off for float32 on an x86 CPU, whose convolutions oneDNN runs up to three times as fast as XLA, and
    on elsewhere: on a GPU, and under mixed precision, which oneDNN does not speed up. Raises ValueError for any
    other choice.
    """
    if jit_compile not in CHOICES:
        raise ValueError(f"jit_compile is required to be one of {CHOICES}. Received: {jit_compile!r}.")
    if jit_compile != "auto":
        return jit_compile == "on"
    import tensorflow as tf

    return policy != "float32" or not has_onednn() or bool(tf.config.list_physical_devices("GPU"))


def has_onednn():
    """Whether TensorFlow can run its convolutions by oneDNN: on x86 processors."""
    return platform.machine().lower() in ("x86_64", "amd64")

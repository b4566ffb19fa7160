"""Decides whether XLA compiles a training step, and tells the code being traced."""

import contextlib
import contextvars
import platform

CHOICES = ("auto", "on", "off")
_compiled = contextvars.ContextVar("whether XLA compiles the function being traced", default=False)


def resolve(jit_compile, policy, winograd=False):
    """Returns whether to compile a step with XLA.

    "auto" is off for float32 on an x86 CPU, where oneDNN's convolutions are up to three times as fast as XLA's. It
    is on otherwise: on a GPU, with mixed precision, which oneDNN does not speed up, and for Winograd convolutions,
    which are faster only with XLA.

    Args:
        jit_compile: one of CHOICES.
        policy: name of a Keras dtype policy.
        winograd: whether `common.backend.winograd` can do most of the work.

    Raises:
        ValueError: jit_compile is not one of CHOICES.
    """
    if jit_compile not in CHOICES:
        raise ValueError(f"jit_compile must be one of {CHOICES}. Received: {jit_compile!r}.")
    if jit_compile != "auto":
        return jit_compile == "on"
    return winograd or policy != "float32" or not has_onednn() or has_gpu()


def resolve_for(model, jit_compile):
    """As `resolve`, for a model's `dtype_policy` and, if it has one, attribute `winograd`."""
    return resolve(jit_compile, model.dtype_policy.name, getattr(model, "winograd", False))


def keep_order_of_sums():
    """Keeps TensorFlow from reordering sums, so that the same step gives the same bits.

    Otherwise its graph optimizer merges sums and adds their terms in the order in which memory becomes free.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


@contextlib.contextmanager
def tracing(compiled):
    """Context for tracing a function: `targets_cpu_with_xla` and `targets_onednn` see whether XLA compiles it."""
    token = _compiled.set(compiled)
    try:
        yield
    finally:
        _compiled.reset(token)


def targets_cpu_with_xla():
    """Whether XLA will compile the function being traced, for a CPU."""
    return _compiled.get() and not has_gpu()


def targets_onednn():
    """Whether oneDNN will run the function being traced."""
    return not _compiled.get() and has_onednn() and not has_gpu()


def has_gpu():
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def has_onednn():
    """Whether TensorFlow can use oneDNN, which is on x86 processors."""
    return platform.machine().lower() in ("x86_64", "amd64")

"""Whether XLA compiles a training step, or TensorFlow runs its own operations one by one."""

import contextlib
import contextvars
import platform

CHOICES = ("auto", "on", "off")
_compiled = contextvars.ContextVar("whether XLA compiles what is traced", default=False)


def resolve(jit_compile, policy, winograd=False):
    """Whether to compile a step with XLA.

    "auto" is off for float32 on an x86 CPU, whose convolutions oneDNN runs up to three times as fast as XLA, and
    on elsewhere: on a GPU, under mixed precision, which oneDNN does not speed up, and where Winograd's way with
    convolutions, which pays with XLA only, makes up for it.

    Args:
        jit_compile: one of CHOICES.
        policy: the name of a Keras dtype policy.
        winograd: whether most of the work can be done by `common.backend.winograd`.

    Raises:
        ValueError: for any other choice.
    """
    if jit_compile not in CHOICES:
        raise ValueError(f"jit_compile is required to be one of {CHOICES}. Received: {jit_compile!r}.")
    if jit_compile != "auto":
        return jit_compile == "on"
    return winograd or policy != "float32" or not has_onednn() or has_gpu()


def resolve_for(model, jit_compile):
    """`resolve` of what a model says of itself: its `dtype_policy` and, where it has one, `winograd`."""
    return resolve(jit_compile, model.dtype_policy.name, getattr(model, "winograd", False))


def keep_order_of_sums():
    """Has TensorFlow add up as written, that the same step gives the same bits.

    Its optimizer else makes one sum of several, which it adds in the order in which their memory comes free.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


@contextlib.contextmanager
def tracing(compiled):
    """Within it what is traced can know, by `targets_cpu_with_xla`, whether XLA compiles it."""
    token = _compiled.set(compiled)
    try:
        yield
    finally:
        _compiled.reset(token)


def targets_cpu_with_xla():
    """Whether XLA compiles what is traced now, and for a CPU."""
    return _compiled.get() and not has_gpu()


def targets_onednn():
    """Whether oneDNN's own operations run what is traced now."""
    return not _compiled.get() and has_onednn() and not has_gpu()


def has_gpu():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def has_onednn():
    """Whether TensorFlow can run its convolutions by oneDNN: on x86 processors."""
    return platform.machine().lower() in ("x86_64", "amd64")

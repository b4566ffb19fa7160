"""Decides whether XLA compiles a training step, and tells the code being traced."""

import contextlib
import contextvars
import functools
import platform
from pathlib import Path

CHOICES = ("auto", "on", "off")
CPU_INFO = "/proc/cpuinfo"  # of Linux
_compiled = contextvars.ContextVar("whether XLA compiles the function being traced", default=False)


def resolve(jit_compile, policy, winograd=False):
    """Decides whether to compile a step with XLA, and says why.

    "auto" is off on an x86 CPU where oneDNN is faster: in float32, and in mixed_bfloat16 if the processor has
    instructions for bfloat16. It is on for float32's Winograd convolutions, which are faster only with XLA.

    Args:
        jit_compile: one of CHOICES.
        policy: name of a Keras dtype policy.
        winograd: whether `common.backend.winograd` can do most of the work in float32.

    Returns:
        (bool, reason): the reason is a phrase for a log.

    Raises:
        ValueError: jit_compile is not one of CHOICES.
    """
    if jit_compile not in CHOICES:
        raise ValueError(f"jit_compile must be one of {CHOICES}. Received: {jit_compile!r}.")
    if jit_compile != "auto":
        return jit_compile == "on", f"jit_compile is {jit_compile}"
    if has_gpu():
        return True, "faster on GPUs"
    if not has_onednn():
        return True, "this processor has no oneDNN"
    if policy == "mixed_bfloat16" and has_bfloat16():
        return False, "oneDNN uses this processor's bfloat16 instructions"
    if policy != "float32":
        return True, f"this processor has no instructions for {policy.removeprefix('mixed_')}"
    return winograd, "faster for Winograd convolutions" if winograd else "oneDNN is faster"


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


def has_bfloat16():
    """Whether oneDNN can use instructions for bfloat16 convolutions.

    AMD has them since Zen 4, Intel since Cooper Lake (AVX512_BF16). Elsewhere than on Linux the answer is no.
    """
    return has_onednn() and "avx512_bf16" in cpu_flags()


@functools.cache
def cpu_flags():
    """Names of the processor's extensions, as Linux lists them; none if it does not."""
    try:
        lines = Path(CPU_INFO).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), []))

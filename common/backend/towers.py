"""Towers: parts of a batch that a CPU works on side by side, one per core.

By default TensorFlow runs each operation on all cores, which then wait for the slowest of them, a hundred times a
step. With one core per operation and one tower per core they wait once: on two cores a step is 1.2 to 1.3 times as
fast. `common.distribute.replicas` says which rows of the batch a tower gets. XLA does not run operations side by
side, so steps that it compiles have one tower.
"""

import os

from common.backend import compiler

MIN_IMAGES = 8  # per tower


def plan(count, batch_size, strategy="default", jit_compile="auto", precision="auto"):
    """Number of towers that a training will use on a CPU. Needs no TensorFlow.

    Args:
        count: number of towers; 0: one per core, see `towers_per_cores`.
        batch_size: images per step.
        strategy: one of `common.distribute.cluster.STRATEGIES`; all but "default" have one tower.
        jit_compile: one of `common.backend.compiler.CHOICES`.
        precision: one of `common.backend.precision.PRECISIONS`.
    """
    by_onednn = compiler.has_onednn() and precision in ("auto", "float32")
    by_onednn = by_onednn or compiler.has_bfloat16() and precision == "mixed_bfloat16"
    if strategy != "default" or jit_compile == "on" or not by_onednn:
        return 1
    return count or towers_per_cores(batch_size)


def towers_per_cores(batch_size):
    """One tower per core if the batch can be divided so, else 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if batch_size % (2 * cores) == 0 and batch_size >= MIN_IMAGES * cores else 1


def resolve(count, batch_size):
    """Number of towers of a step: 1 unless `common.cli.import_tensorflow` gave each operation one core.

    Args:
        count, batch_size: see `plan`.
    """
    import tensorflow as tf

    one_core = tf.config.threading.get_intra_op_parallelism_threads() == 1
    return (count or towers_per_cores(batch_size)) if one_core else 1

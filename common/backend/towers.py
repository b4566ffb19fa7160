"""Training steps by towers: parts of a batch beside each other on a CPU, one a core.

By itself TensorFlow does each operation on all cores, which then wait for the last of them, some hundred times a
step. Where an operation has one core and a batch goes by as many towers as there are cores, they wait once: on two
cores that is 1.2 to 1.3 times as fast. What of the batch a tower has: `common.distribute.replicas`. With XLA
nothing runs
beside anything, so steps that it compiles have one tower.
"""

import os

from common.backend import compiler

LEAST_IMAGES = 8  # of a tower


def wanted(train):
    """How many the "train" section of a config asks for, before TensorFlow is there; 1: it has none."""
    count = train.get("towers", 1)
    alone = train.get("strategy", "default") == "default"
    if not alone or train.jit_compile == "on" or train.precision not in ("auto", "float32"):
        return 1
    return (count or by_cores(train.batch_size)) if compiler.has_onednn() else 1


def by_cores(batch_size):
    """A tower a core where a batch can be shared out to as many; else 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores if batch_size % (2 * cores) == 0 and batch_size >= LEAST_IMAGES * cores else 1


def count(train):
    """As `wanted`, where an operation has one core, as `common.cli.import_tensorflow` sets it; else 1."""
    import tensorflow as tf

    return wanted(train) if tf.config.threading.get_intra_op_parallelism_threads() == 1 else 1

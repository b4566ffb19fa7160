"""Training on several devices or machines: strategies, distributed steps, and synchronization between steps.

The same batch gives the same step as on one device, within float32 rounding, see `common.distribute.replicas`.
Several machines run the same program, each with the whole stream of batches. Only the chief, worker 0, has a run
directory.
"""

import contextlib
import faulthandler
import os
import sys
import zlib

import tensorflow as tf

from common.data import batches
from common.distribute import replicas
from common.errors import InputError, one_line

ANOTHER_MACHINE = "another machine"
WAIT_SECONDS = 600  # for all workers to start
LOST_WORKER_ERRORS = (  # TensorFlow's errors after another worker ended
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


def make_strategy(name, devices=None):
    """Creates the tf.distribute.Strategy for one device, all devices of this machine, or TF_CONFIG's workers.

    "multi_worker" must be created before TensorFlow initializes its devices. It waits for all workers. Python code
    cannot run meanwhile, so a message announces the time limit, after which the process ends with status 1.

    Args:
        name: one of `common.distribute.cluster.STRATEGIES`. "mirrored" uses all GPUs or, if there are none, all
            logical CPUs. For a single device it is the default strategy: MirroredStrategy would gain nothing, and
            TensorFlow fails to compile its steps under loss scaling.
        devices: names such as "CPU:0" for "mirrored"; None: as above.

    Raises:
        InputError: the workers cannot connect.
    """
    tf.get_logger().setLevel("ERROR")  # otherwise it reports every reduction
    if name == "multi_worker":
        print(f"waiting for all workers of TF_CONFIG, {WAIT_SECONDS} seconds at most", file=sys.stderr, flush=True)
        with open(os.devnull, "w") as null:
            faulthandler.dump_traceback_later(WAIT_SECONDS, exit=True, file=null)
            try:
                return tf.distribute.MultiWorkerMirroredStrategy()
            except tf.errors.OpError as error:
                raise InputError(
                    "TF_CONFIG must name a free port here, and all other workers must answer. Received: "
                    f"{one_line(error)[:300]}"
                ) from error
            finally:
                faulthandler.cancel_dump_traceback_later()
    if name == "mirrored":
        logical_devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        devices = devices or [device.name for device in logical_devices]
        if len(devices) > 1:
            return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def supports_xla(strategy):
    """Whether XLA can compile a step; it cannot compile TensorFlow's reductions between replicas."""
    return strategy.num_replicas_in_sync == 1


def check_batch_size(strategy, batch_size):
    """Raises InputError unless the rows of a batch can be divided among the devices in pairs."""
    devices = strategy.num_replicas_in_sync
    if devices > 1 and batch_size % (2 * devices):
        raise InputError(
            f"--config.train.batch_size must be a multiple of {2 * devices}, two for each of "
            f"{devices} devices. Received: {batch_size}"
        )


def run_step(strategy, step, batch, **static):
    """Runs a step on a batch and returns its logs, means over the replicas.

    Args:
        strategy: tf.distribute.Strategy.
        step: function of a batch, (batch, **static) -> {name: tensor []}.
        batch: {name: tensor [B, ...]}; uint8 images are converted to floats on the device of the step.
        static: keyword arguments of the step.
    """
    if strategy.num_replicas_in_sync == 1:
        return strategy.run(step, args=(convert_images(batch),), kwargs=static)
    names = []

    def replica_step(batch):
        with tf.device("CPU:0"):  # copies only the replica's own rows to its device
            rows = {name: replicas.take_own_rows(values) for name, values in batch.items()}
        logs = step(convert_images(rows), **static)
        names[:] = logs
        return replicas.mean(tf.stack([tf.cast(value, tf.float32) for value in logs.values()]))

    means = strategy.experimental_local_results(strategy.run(replica_step, args=(batch,)))[0]
    return dict(zip(names, tf.unstack(means), strict=True))


def convert_images(batch):
    """Returns a batch with its images, if it has any, as float32 in [-1, 1]."""
    return batch | {"image": batches.as_floats(batch["image"])} if "image" in batch else batch


def prefetch_to_device(strategy, stream):
    """Makes a tf.data.Dataset copy batches to a single GPU ahead of time; without one, returns it unchanged."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus or strategy.num_replicas_in_sync > 1:  # each of several replicas copies its own rows
        return stream
    return stream.apply(tf.data.experimental.prefetch_to_device(gpus[0].name, buffer_size=2))


# Synchronization between steps


def to_int(variable):
    """Returns the value of an integer variable, even if it has a copy on each device."""
    return int(tf.convert_to_tensor(variable))


def is_multi_worker(strategy):
    """Whether a strategy has several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def copy_from_chief(strategy, variables):
    """Assigns the values of the chief's variables, such as those of its checkpoint, to all other workers'."""

    def chief_values(values):
        values = tf.identity(values) if replicas.replica_index() == 0 else tf.zeros_like(values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    if is_multi_worker(strategy):
        flat = [tf.reshape(tf.cast(v, tf.float64), [-1]) for v in variables]  # exact for float32 and for steps
        values = strategy.run(chief_values, args=(tf.concat(flat, 0),))
        values = tf.split(strategy.experimental_local_results(values)[0], [len(part) for part in flat])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(tf.cast(tf.reshape(value, variable.shape), variable.dtype))


def broadcast_choice(strategy, choices, own):
    """Returns one of `choices`, a sequence: `own` or, on several machines, the chief's."""
    index = tf.Variable(choices.index(own), dtype=tf.int64)
    copy_from_chief(strategy, [index])
    return choices[int(index)]


def signal_exchange(strategy):
    """Returns a function that tells whether this or any other machine has received a signal, and which.

    Its arguments are the name of the signal received here, or None, and whether to exchange it now. On several
    machines all must exchange at the same steps; in between it returns None. It returns ANOTHER_MACHINE where only
    another machine has received one.
    """

    @tf.function
    def mean(value):
        return strategy.experimental_local_results(strategy.run(replicas.mean, args=(value,)))[0]

    def exchange(received, due=True):
        if not is_multi_worker(strategy):
            return received
        if not due:
            return None
        any_received = mean(tf.constant(float(received is not None))) > 0
        return received or (ANOTHER_MACHINE if any_received else None)

    return exchange


def wait_for_all(strategy):
    """Waits until all machines have called this function."""
    signal_exchange(strategy)(None)


def check_identical(strategy, text):
    """Raises InputError unless all machines call this with the same text, such as the config."""
    digest = zlib.crc32(text.encode())
    if is_multi_worker(strategy):
        means = strategy.run(replicas.mean, args=(tf.constant(digest, tf.float64),))
        if float(strategy.experimental_local_results(means)[0]) != digest:
            raise InputError(
                "All machines of TF_CONFIG must have the same config and number of images. Received: different "
                "ones; start all with the same command and the same data."
            )


@contextlib.contextmanager
def explain_lost_workers(strategy):
    """Turns the loss of another worker within the context into an InputError.

    It is detected by a broken connection, or by ten seconds without a heartbeat.
    """
    try:
        yield
    except LOST_WORKER_ERRORS as error:
        if not is_multi_worker(strategy):
            raise
        raise InputError(
            f"All workers of TF_CONFIG must run until the end. Received: {type(error).__name__}, because another "
            "worker ended; its output says why. Start all again with the same command, which resumes from the "
            "last checkpoint."
        ) from error

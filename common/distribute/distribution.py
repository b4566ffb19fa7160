"""Training on several devices of one machine, or on several machines, as on one: who takes part, and when.

The same batch gives the same step, within float32 rounding; how, stands in `common.distribute.replicas`.
Several machines run
the same program, each on the whole stream of batches; the chief, number 0, alone has a run directory.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import zlib

import tensorflow as tf

from common.data import batches
from common.distribute import replicas
from common.errors import InputError, one_line

WAIT_SECONDS = 600  # for all workers to come
LOST = (  # what TensorFlow says of a worker that is no longer there
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


def make_strategy(name, devices=None):
    """The tf.distribute.Strategy of a name: of one device, of all of this machine, or of TF_CONFIG's workers.

    "multi_worker" is made before anything else wakes TensorFlow's devices. It waits for all workers and, as
    nothing in Python runs meanwhile, says beforehand for how long: after that the process ends, with status 1.

    Args:
        name: of common.distribute.cluster.STRATEGIES. "mirrored" is of all GPUs or, without any, of all logical
        CPUs; where
            that is a single one, it is the default strategy: MirroredStrategy of one device gains nothing, and
            TensorFlow fails to compile its steps under loss scaling.
        devices: names such as "CPU:0" of those that "mirrored" takes; None: as above.

    Raises:
        InputError: for workers that do not find together.
    """
    tf.get_logger().setLevel("ERROR")  # it would tell of every reduction
    if name == "multi_worker":
        print(f"waiting for all workers of TF_CONFIG, {WAIT_SECONDS} seconds at most", file=sys.stderr, flush=True)
        with open(os.devnull, "w") as nowhere:
            faulthandler.dump_traceback_later(WAIT_SECONDS, exit=True, file=nowhere)
            try:
                return tf.distribute.MultiWorkerMirroredStrategy()
            except tf.errors.OpError as error:
                raise InputError(
                    "A free port here and every other worker's answer are required by TF_CONFIG. Received: "
                    f"{one_line(error)[:300]}"
                ) from error
            finally:
                faulthandler.cancel_dump_traceback_later()
    if name == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        devices = devices or [device.name for device in found]
        if len(devices) > 1:
            return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def supports_xla(strategy):
    """Whether XLA may compile a step: TensorFlow's reductions between replicas are not for it."""
    return strategy.num_replicas_in_sync == 1


def check_batch_size(strategy, batch_size):
    """InputError unless a batch can be shared out in pairs of rows."""
    devices = strategy.num_replicas_in_sync
    if devices > 1 and batch_size % (2 * devices):
        raise InputError(
            f"--config.train.batch_size is required to be a multiple of {2 * devices}, two for each of "
            f"{devices} devices. Received: {batch_size}"
        )


def run_step(strategy, step, batch, **static):
    """One step on a batch, a dict of [B, ...]; its logs are means over the replicas, a dict of [].

    Images that are still uint8 become floats on the device of the step.
    """
    if strategy.num_replicas_in_sync == 1:
        return strategy.run(step, args=(convert_images(batch),), kwargs=static)
    names = []

    def part(batch):
        with tf.device("CPU:0"):  # only the replica's own rows go to its device
            rows = {name: replicas.take_own_rows(values) for name, values in batch.items()}
        logs = step(convert_images(rows), **static)
        names[:] = logs
        return replicas.mean(tf.stack([tf.cast(value, tf.float32) for value in logs.values()]))

    means = strategy.experimental_local_results(strategy.run(part, args=(batch,)))[0]
    return dict(zip(names, tf.unstack(means), strict=True))


def convert_images(batch):
    """A batch whose images, where it has any, are float32 in [-1, 1]."""
    return batch | {"image": batches.as_floats(batch["image"])} if "image" in batch else batch


def prefetch_to_device(strategy, stream):
    """A tf.data.Dataset whose next batches are copied to a GPU while it works; else it stays as it is."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus or strategy.num_replicas_in_sync > 1:  # each of several replicas takes its own rows
        return stream
    return stream.apply(tf.data.experimental.prefetch_to_device(gpus[0].name, buffer_size=2))


# Between steps


def to_int(variable):
    """What a whole number's variable holds, also one that has a copy on each device."""
    return int(tf.convert_to_tensor(variable))


def is_multi_worker(strategy):
    """Whether a strategy is of several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def copy_from_chief(strategy, variables):
    """Gives variables everywhere the values that the first replica has: those of the chief's checkpoint."""

    def chiefs(values):
        values = tf.identity(values) if replicas.replica_index() == 0 else tf.zeros_like(values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    if is_multi_worker(strategy):
        held = [tf.reshape(tf.cast(v, tf.float64), [-1]) for v in variables]  # which holds float32 and steps
        values = strategy.run(chiefs, args=(tf.concat(held, 0),))
        values = tf.split(strategy.experimental_local_results(values)[0], [len(part) for part in held])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(tf.cast(tf.reshape(value, variable.shape), variable.dtype))


def broadcast_choice(strategy, choices, own):
    """One of `choices`, a sequence: `own` or, on several machines, that of the chief."""
    number = tf.Variable(choices.index(own), dtype=tf.int64)
    copy_from_chief(strategy, [number])
    return choices[int(number)]


def signal_exchange(strategy):
    """A function of a signal or None: it or, on several machines, what any of them has received.

    They only speak of it where its second argument says so, at the same moments on all; elsewhere it is None.
    """

    @tf.function
    def share(number):
        return strategy.experimental_local_results(strategy.run(replicas.mean, args=(number,)))[0]

    def any_says(received, asked=True):
        if not is_multi_worker(strategy):
            return received
        if not asked:
            return None
        somewhere = share(tf.constant(float(received is not None))) > 0
        return received or (signal.SIGTERM if somewhere else None)

    return any_says


def wait_for_all(strategy):
    """Returns when all machines have called it."""
    signal_exchange(strategy)(None)


def check_identical(strategy, text):
    """InputError unless all machines call this with the same text: what has to be equal for one training."""
    digest = zlib.crc32(text.encode())
    if is_multi_worker(strategy):
        shares = strategy.run(replicas.mean, args=(tf.constant(digest, tf.float64),))
        if float(strategy.experimental_local_results(shares)[0]) != digest:
            raise InputError(
                "The same config and number of images are required on every machine of TF_CONFIG. Received: "
                "others on another one; start all with the same command and the same data."
            )


@contextlib.contextmanager
def explain_lost_workers(strategy):
    """Within it the end of another worker is an InputError, which this one ends with too.

    It is noticed by the broken connection, or by ten seconds without a heartbeat.
    """
    try:
        yield
    except LOST as error:
        if not is_multi_worker(strategy):
            raise
        raise InputError(
            f"All workers of TF_CONFIG are required until the end. Received: {type(error).__name__}, the end of "
            "another, which says why; start all again with the same command: they go on from the last checkpoint."
        ) from error

"""Several devices train as one would: the same batch gives the same step, within float32 rounding.

A step of R replicas shares out the rows of its batch of B: replica r has rows r h to (r + 1) h - 1, h = B / 2R,
and their mirrors B - 1 - i, in order. So its part reversed pairs the rows that the whole batch reversed does,
which is how ACAI mixes. What is random is drawn for the whole batch, of which each replica takes its rows. Means
over the batch are means of the replicas' means, since the parts are of one size.

In a step of one replica every function here hands back what it got and adds no operation.
"""

import contextlib
import signal
import zlib

import tensorflow as tf

from common.command import InputError

LOST = (  # what TensorFlow says of a worker that is no longer there
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


def make(name, devices=None):
    """The tf.distribute.Strategy of a name: of one device, of all of this machine, or of TF_CONFIG's workers.

    "multi_worker" is made before anything else wakes TensorFlow's devices, and waits for all workers.

    Args:
        name: of common.cluster.STRATEGIES.
        devices: of "mirrored"; None: all GPUs or, without any, all logical CPUs, of which there is one.
    """
    tf.get_logger().setLevel("ERROR")  # it would tell of every reduction
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy(devices or [device.name for device in found])
    return tf.distribute.get_strategy()


def may_compile(strategy):
    """Whether XLA may compile a step: TensorFlow's reductions between replicas are not for it."""
    return strategy.num_replicas_in_sync == 1


def check_batch(strategy, batch_size):
    """InputError unless a batch can be shared out in pairs of rows."""
    replicas = strategy.num_replicas_in_sync
    if replicas > 1 and batch_size % (2 * replicas):
        raise InputError(
            f"--config.train.batch_size is required to be a multiple of {2 * replicas}, two for each of "
            f"{replicas} devices. Received: {batch_size}"
        )


def run(strategy, step, batch, **static):
    """One step on a batch, a dict of [B, ...]; its logs are means over the replicas, a dict of []."""
    if strategy.num_replicas_in_sync == 1:
        return strategy.run(step, args=(batch,), kwargs=static)
    names = []

    def part(batch):
        with tf.device("CPU:0"):  # only the replica's own rows go to its device
            rows = {name: own_rows(values) for name, values in batch.items()}
        logs = step(rows, **static)
        names[:] = logs
        return mean(tf.stack([tf.cast(value, tf.float32) for value in logs.values()]))

    means = strategy.experimental_local_results(strategy.run(part, args=(batch,)))[0]
    return dict(zip(names, tf.unstack(means), strict=True))


# Between steps


def number(variable):
    """What a whole number's variable holds, also one that has a copy on each device."""
    return int(tf.convert_to_tensor(variable))


def on_machines(strategy):
    """Whether a strategy is of several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def copy_from_chief(strategy, variables):
    """Gives variables everywhere the values that the first replica has: those of the chief's checkpoint."""

    def chiefs(values):
        values = tf.identity(values) if own_number() == 0 else tf.zeros_like(values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    if on_machines(strategy):
        held = [tf.reshape(tf.cast(v, tf.float64), [-1]) for v in variables]  # which holds float32 and steps
        values = strategy.run(chiefs, args=(tf.concat(held, 0),))
        values = tf.split(strategy.experimental_local_results(values)[0], [len(part) for part in held])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(tf.cast(tf.reshape(value, variable.shape), variable.dtype))


def agreement(strategy):
    """A function of a signal or None: it or, on several machines, what any of them has received.

    They only speak of it where its second argument says so, at the same moments on all; elsewhere it is None.
    """

    @tf.function
    def share(number):
        return strategy.experimental_local_results(strategy.run(mean, args=(number,)))[0]

    def any_says(received, asked=True):
        if not on_machines(strategy):
            return received
        if not asked:
            return None
        somewhere = share(tf.constant(float(received is not None))) > 0
        return received or (signal.SIGTERM if somewhere else None)

    return any_says


def wait_for_all(strategy):
    """Returns when all machines have called it."""
    agreement(strategy)(None)


def check_same(strategy, text):
    """InputError unless all machines call this with the same text: what has to be equal for one training."""
    digest = zlib.crc32(text.encode())
    if on_machines(strategy):
        shares = strategy.run(mean, args=(tf.constant(digest, tf.float64),))
        if float(strategy.experimental_local_results(shares)[0]) != digest:
            raise InputError(
                "The same config and number of images are required on every machine of TF_CONFIG. Received: "
                "others on another one; start all with the same command and the same data."
            )


@contextlib.contextmanager
def together(strategy):
    """Within it the end of another worker is an InputError, which this one ends with too.

    It is noticed by the broken connection, or by ten seconds without a heartbeat.
    """
    try:
        yield
    except LOST as error:
        if not on_machines(strategy):
            raise
        cause = str(error).strip().splitlines()[-1][:200]
        raise InputError(
            f"All workers of TF_CONFIG are required until the end. Received: the end of another one ({cause}). "
            "Start all again with the same command: they go on from the last checkpoint."
        ) from error


# Within a step


def several():
    """The replica context of a step of several replicas, else None."""
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def replicas():
    """How many there are in the step that calls, else 1."""
    context = several()
    return context.num_replicas_in_sync if context else 1


def own_number():
    """The number of the replica whose step this is, an int."""
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def own_rows(values, axis=0):
    """This replica's rows of what stands for a whole batch along `axis`."""
    if not several():
        return values
    parts, own = tf.split(values, 2 * replicas(), axis), own_number()
    return tf.concat([parts[own], parts[-1 - own]], axis)


def draw(function, shape, seed, axis=0, **options):
    """`function(shape, seed, **options)`, one of tf.random.stateless_*, at this replica's rows of the whole batch.

    Args:
        function: it.
        shape: of what is wanted here.
        seed: int64 [2].
        axis: of the rows in `shape`.
    """
    if several():
        shape = tf.unstack(shape)
        shape[axis] *= replicas()
    return own_rows(function(shape, seed, **options), axis)


def mean(values):
    """The mean over replicas of what each has in `values`; gradients pass."""
    context = several()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(values)) if context else values


def moments(values, axes):
    """(mean, variance) over `axes` of the whole batch, the first of them its rows; gradients pass."""
    middle = mean(tf.reduce_mean(values, axes))  # two passes: a mean square less a squared mean loses digits
    return middle, mean(tf.reduce_mean(tf.square(values - middle), axes))


def variance(values):
    """The variance over the rows of the whole batch; gradients pass."""
    return moments(values, [0])[1] if several() else tf.math.reduce_variance(values, 0)


def first_half(values):
    """The first half [B / 2, ...] of the whole batch, from the first half [h, ...] of this replica's part."""
    context = several()
    return context.all_gather(tf.identity(values), 0) if context else values


def own_second_half(values):
    """The second half [h, ...] of this replica's part, from what stands for the whole batch's [B / 2, ...]."""
    return tf.split(values, replicas())[-1 - own_number()] if several() else values


def average(gradients):
    """The gradients of one network, such that an optimizer, which adds them up over replicas, gets their mean.

    One that is not finite on any replica is NaN on all, so that under loss scaling all of them skip the step.
    """
    context = several()
    if not context:
        return gradients
    total = mean(tf.add_n([tf.reduce_sum(tf.cast(gradient, tf.float32)) for gradient in gradients]))
    share = tf.where(tf.math.is_finite(total), 1 / replicas(), float("nan"))
    return [tf.cast(share, gradient.dtype) * gradient for gradient in gradients]

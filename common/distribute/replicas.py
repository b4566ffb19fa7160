"""Within a training step: what the replicas of a batch, one a device or one a CPU's core, have to do as one.

The batch's rows are shared out in pairs: of R replicas and B rows replica r has rows r h to (r + 1) h - 1, with
h = B / 2R, and their mirrors B - 1 - i, in order. So its part reversed pairs the rows that the whole batch
reversed does, which is how ACAI mixes. What is random is drawn for the whole batch, of which each replica takes
its rows. The parts are of one size, so a mean over the batch is the mean of the replicas' means.

In a step of one replica every function here hands back what it got and adds no operation.

On a CPU's cores they are called towers: TensorFlow runs their operations beside each other, on one device. They
have nothing to say to each other before the end, so what needs that, such as `mean`, is an error in them.
"""

import contextvars
import functools

import tensorflow as tf

_tower = contextvars.ContextVar("(own number, how many) of the tower that is being traced", default=None)


def run_in_towers(step, count, batch):
    """What `step` makes of a batch, a dict of [B, ...]: means over `count` towers, each on its rows of it.

    Args:
        step: function of a batch, whose result is a structure of tensors, each a mean over its rows.
        count: of towers, of which B is a multiple twice over.
    """
    if count == 1:
        return step(batch)
    results = []
    for number in range(count):
        token = _tower.set((number, count))
        try:
            results.append(step({name: take_own_rows(values) for name, values in batch.items()}))
        finally:
            _tower.reset(token)
    return tf.nest.map_structure(lambda *parts: functools.reduce(tf.add, parts) / count, *results)


def replica_context():
    """The replica context of a step of several replicas, else None."""
    if _tower.get():
        raise RuntimeError("Towers have nothing to say to each other within a step.")
    found = tf.distribute.get_replica_context()
    return found if found and found.num_replicas_in_sync > 1 else None


def num_replicas():
    """How many there are in the step that calls, else 1."""
    if _tower.get():
        return _tower.get()[1]
    return replica_context().num_replicas_in_sync if replica_context() else 1


def replica_index():
    """The number of the replica whose step it is, an int below `num_replicas`."""
    if _tower.get():
        return _tower.get()[0]
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def take_own_rows(values, axis=0):
    """This replica's rows of what stands for a whole batch along `axis`."""
    if num_replicas() == 1:
        return values
    parts, own = tf.split(values, 2 * num_replicas(), axis), replica_index()
    return tf.concat([parts[own], parts[-1 - own]], axis)


def draw(function, shape, seed, axis=0, **options):
    """`function(shape, seed, **options)`, one of tf.random.stateless_*, at this replica's rows of the whole batch.

    Args:
        function: it.
        shape: of what is wanted here.
        seed: int64 [2].
        axis: of the rows in `shape`.
    """
    if num_replicas() > 1:
        shape = tf.unstack(shape)
        shape[axis] *= num_replicas()
    return take_own_rows(function(shape, seed, **options), axis)


def gather_first_half(values):
    """The first half [B / 2, ...] of the whole batch, from the first half [h, ...] of this replica's part."""
    return replica_context().all_gather(tf.identity(values), 0) if replica_context() else values


def take_own_second_half(values):
    """The second half [h, ...] of this replica's part, from what stands for the whole batch's [B / 2, ...]."""
    return tf.split(values, num_replicas())[-1 - replica_index()] if replica_context() else values


def mean(values):
    """The mean over replicas of what each has in `values`; gradients pass."""
    return (
        replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(values))
        if replica_context()
        else values
    )


def gather(values):
    """What each of R replicas has in `values`, [R, ...], the same on all; one reduction, and gradients pass."""
    if not replica_context():
        return values[None]
    own = tf.reshape(
        tf.one_hot(replica_index(), num_replicas(), dtype=values.dtype), (-1, *[1] * len(values.shape))
    )
    return replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own * values)


def moments(values, axes):
    """(mean, variance) over `axes` of the whole batch, the first of them its rows; gradients pass.

    The moments of the replicas' parts are combined as by Chan, Golub and LeVeque (1979). A mean square minus a
    squared mean would lose digits, and a second pass over the values would cost a second reduction.
    """
    own_mean = tf.reduce_mean(values, axes)
    own_variance = tf.reduce_mean(tf.square(values - own_mean), axes)
    means, variances = tf.unstack(gather(tf.stack([own_mean, own_variance])), axis=1)  # each [R, ...]
    mean = tf.reduce_mean(means, 0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), 0)


def variance(values):
    """The variance over the rows of the whole batch; gradients pass."""
    return moments(values, [0])[1] if replica_context() else tf.math.reduce_variance(values, 0)


def divide_by_replicas(gradients):
    """A list of gradients over the number of replicas: a Keras optimizer adds them up, which gives the mean."""
    return [gradient / num_replicas() for gradient in gradients] if replica_context() else gradients


def all_finite(tensors):
    """Whether every number in a list of tensors is finite on all replicas, bool []; one reduction."""
    finite = tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))
    return mean(tf.cast(finite, tf.float32)) == 1.0 if replica_context() else finite

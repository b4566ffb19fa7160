"""Operations within a training step that divide a batch among replicas, or communicate between replicas.

Rows are divided in pairs: of R replicas and B rows, replica r has rows r h to (r + 1) h - 1, with h = B / 2R, and
their mirrors B - 1 - i, in order. So reversing a replica's part pairs the same rows as reversing the whole batch,
which is how ACAI mixes. Random numbers are drawn for the whole batch, and each replica takes its rows. The parts
have one size, so a mean over the batch is the mean of the replicas' means.

With one replica, every function returns its argument and adds no operation.

On the cores of a CPU the parts are called towers: TensorFlow runs their operations side by side on one device.
Towers cannot communicate within a step, so functions that would, such as `mean`, raise an error.
"""

import contextvars
import functools

import tensorflow as tf

_tower = contextvars.ContextVar("(index, count) of the tower that is being traced", default=None)


def run_in_towers(step, count, batch):
    """Runs a step in `count` towers, each on its own rows of a batch, and returns the mean of their results.

    Args:
        step: function of a batch that returns a structure of tensors, each a mean over rows.
        count: number of towers; B must be a multiple of 2 * count.
        batch: {name: tensor [B, ...]}.
    """
    if count == 1:
        return step(batch)
    results = []
    for index in range(count):
        token = _tower.set((index, count))
        try:
            results.append(step({name: take_own_rows(values) for name, values in batch.items()}))
        finally:
            _tower.reset(token)
    return tf.nest.map_structure(lambda *parts: functools.reduce(tf.add, parts) / count, *results)


def replica_context():
    """Returns the replica context of a step of several replicas, or None."""
    if _tower.get():
        raise RuntimeError("Towers cannot communicate within a step.")
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def num_replicas():
    """Number of replicas or towers in the current step; 1 outside a step."""
    if _tower.get():
        return _tower.get()[1]
    return replica_context().num_replicas_in_sync if replica_context() else 1


def replica_index():
    """Index of the current replica or tower, an int below `num_replicas()`."""
    if _tower.get():
        return _tower.get()[0]
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def take_own_rows(values, axis=0):
    """Returns this replica's rows, along `axis`, of values for the whole batch."""
    if num_replicas() == 1:
        return values
    parts, index = tf.split(values, 2 * num_replicas(), axis), replica_index()
    return tf.concat([parts[index], parts[-1 - index]], axis)


def draw(function, shape, seed, axis=0, **options):
    """Draws random numbers for the whole batch and returns this replica's rows.

    Args:
        function: one of tf.random.stateless_*.
        shape: of the result.
        seed: int64 [2].
        axis: of the rows in `shape`.
        options: keyword arguments of `function`.
    """
    if num_replicas() > 1:
        shape = tf.unstack(shape)
        shape[axis] *= num_replicas()
    return take_own_rows(function(shape, seed, **options), axis)


def gather_first_half(values):
    """Gathers the first half [B / 2, ...] of the whole batch from the first halves [h, ...] of all parts."""
    return replica_context().all_gather(tf.identity(values), 0) if replica_context() else values


def take_own_second_half(values):
    """Returns the second half [h, ...] of this replica's part from that of the whole batch, [B / 2, ...]."""
    return tf.split(values, num_replicas())[-1 - replica_index()] if replica_context() else values


def mean(values):
    """Returns the mean of `values` over replicas; differentiable."""
    context = replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(values)) if context else values


def gather(values):
    """Returns the `values` of all R replicas, [R, ...], with one reduction; differentiable."""
    if not replica_context():
        return values[None]
    selection = tf.one_hot(replica_index(), num_replicas(), dtype=values.dtype)  # [R]
    selection = tf.reshape(selection, (-1, *[1] * len(values.shape)))
    return replica_context().all_reduce(tf.distribute.ReduceOp.SUM, selection * values)


def moments(values, axes):
    """Returns (mean, variance) over `axes` of the whole batch, the first of which is its rows; differentiable.

    The moments of the parts are combined as by Chan, Golub and LeVeque (1979). The mean square minus the squared
    mean would lose precision, and a second pass over the values would need a second reduction.
    """
    own_mean = tf.reduce_mean(values, axes)
    own_variance = tf.reduce_mean(tf.square(values - own_mean), axes)
    means, variances = tf.unstack(gather(tf.stack([own_mean, own_variance])), axis=1)  # each [R, ...]
    mean = tf.reduce_mean(means, 0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), 0)


def variance(values):
    """Returns the variance over the rows of the whole batch; differentiable."""
    return moments(values, [0])[1] if replica_context() else tf.math.reduce_variance(values, 0)


def divide_by_replicas(gradients):
    """Divides gradients by the number of replicas, because Keras optimizers sum them, where the mean is wanted."""
    return [gradient / num_replicas() for gradient in gradients] if replica_context() else gradients


def all_finite(tensors):
    """Returns whether all tensors in a list are finite on all replicas, bool [], with one reduction."""
    finite = tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))
    return mean(tf.cast(finite, tf.float32)) == 1.0 if replica_context() else finite

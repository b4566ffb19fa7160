"""Loss scaling for mixed_float16 without branches, and joint steps of several optimizers.

Gradients below 6e-8 become 0 in float16, so losses are multiplied by a scale and gradients divided by it
(Micikevicius et al., "Mixed precision training", arXiv 1710.03740, section 3.2).
"""

import keras
import tensorflow as tf

from common.distribute import replicas

INNER_SCALE = 2.0**10  # of gradients that are part of a loss


class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Keras's dynamic loss scaling, without a conditional in the graph.

    Keras branches on whether all gradients are finite. This class always takes the inner optimizer's step. After
    an overflow, the gradients are 0 and `tf.where` restores weights and moments. The results have the same bits. A
    conditional would make a GPU wait for the host in every step, and XLA with MirroredStrategy cannot run one.
    """

    def apply(self, grads, trainable_variables, finite=None):
        """Takes a step unless a gradient is not finite, and updates the scale as Keras does.

        Args:
            grads: list of float32 tensors, multiplied by `dynamic_scale`.
            trainable_variables: the variables that the optimizer was built with, in the order of `grads`.
            finite: bool [], equal on all replicas; None: whether all `grads` are finite on all replicas.
        """
        finite = replicas.all_finite(grads) if finite is None else finite
        scale = tf.convert_to_tensor(self.dynamic_scale)
        variables = [v.value for v in (*trainable_variables, *self.inner_optimizer.variables)]
        before = [tf.identity(variable) for variable in variables]
        unscaled = [tf.where(finite, gradient / scale, 0.0) for gradient in grads]
        self.inner_optimizer.apply(unscaled, trainable_variables)
        restore_unless(finite, variables, before)
        grows = finite & (self.step_counter == self.dynamic_growth_steps - 1)
        self.step_counter.assign(tf.where(finite & ~grows, self.step_counter + 1, 0))
        self.dynamic_scale.assign(scale * tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5))


def restore_unless(finite, variables, before):
    """Assigns to each variable its value in `before`, unless `finite`, bool [], is true."""

    def restore(variable, old, finite):
        return variable.assign(tf.where(finite, variable, old))

    def restore_all(strategy, finite, before):
        for variable, old in zip(variables, before, strict=True):
            strategy.extended.update(variable, restore, args=(old, finite), group=False)

    # As in Keras's optimizers, each device updates its own copy.
    merge_call = tf.__internal__.distribute.interim.maybe_merge_call
    merge_call(restore_all, tf.distribute.get_strategy(), finite, before)


def wrap_for_policy(optimizer, policy):
    """Wraps an optimizer for loss scaling if `policy`, a Keras dtype policy name, is "mixed_float16"."""
    return LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer


def apply_together(optimizers, gradients, variables):
    """Takes a step with each optimizer, or with none if any gradient overflowed under loss scaling.

    Args:
        optimizers: {name: Keras optimizer}.
        gradients: {name: list of tensors} for some of them, multiplied by the optimizer's loss scale. On several
            replicas each is the gradient of a mean over the replica's own rows.
        variables: {name: list of variables}.

    Returns:
        bool []: whether the steps were taken.
    """
    options, finite = {}, tf.constant(True)
    if any(isinstance(optimizers[name], LossScaleOptimizer) for name in gradients):
        finite = replicas.all_finite([gradient for group in gradients.values() for gradient in group])
        options = {"finite": finite}
    for name, group in gradients.items():
        optimizers[name].apply(replicas.divide_by_replicas(group), variables[name], **options)
    return finite


def gradient_for_penalty(tape, outputs, inputs):
    """Returns the gradient of the sum of `outputs` at `inputs`, for use in a loss such as a gradient penalty.

    It is multiplied by INNER_SCALE on its way through float16 layers, because the gradients of single pixels are
    so small that float16 has few digits for them. The factor is a power of two, so float32 results keep their
    bits.
    """
    return tape.gradient(outputs, inputs, INNER_SCALE * tf.ones_like(outputs)) / INNER_SCALE

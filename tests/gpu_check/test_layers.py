"""The check of layers fails for a device on which one part of a layer is a thousandth too large."""

import keras
import pytest
import tensorflow as tf

from gpu_check import layers
from gpu_check.bounds import CheckFailed
from tests.gpu_check.small_checks import DEVICE, TINY, spoil_all_but_the_first


class Multiply(keras.layers.Layer):
    """Multiplies by a weight of 1 and sets a statistic to 1. The part named `wrong` is 1.001 times as large."""

    wrong = ""

    def build(self, shape):
        self.scale = self.add_weight((), "ones", name="scale")
        self.statistic = self.add_weight((), "zeros", trainable=False, name="statistic")

    def call(self, inputs):
        def spoil(part, value):
            return 1.001 * value if part == self.wrong else value

        @tf.custom_gradient
        def multiply(x, scale):
            def gradients(upstream):
                return (
                    spoil("the gradient at input 0", scale * upstream),
                    spoil("the gradient at scale", tf.reduce_sum(x * upstream)),
                )

            return spoil("the outputs", x * scale), gradients

        self.statistic.assign(spoil("statistic", 1.0))
        return multiply(inputs, tf.convert_to_tensor(self.scale))


def check_layer_with_wrong(part, monkeypatch):
    """Runs the check on `Multiply`; that on the device, not the reference, computes a part wrongly."""
    make = spoil_all_but_the_first(
        lambda channels, dtype: Multiply(dtype=dtype), lambda layer: setattr(layer, "wrong", part)
    )
    monkeypatch.setattr(layers, "LAYERS", {"Multiply": (make, ["maps"])})
    return layers.layers(DEVICE, TINY)


def test_layers_passes_for_a_correct_layer(monkeypatch):
    assert check_layer_with_wrong("", monkeypatch)["layers"] == 1


@pytest.mark.parametrize("part", ["the outputs", "the gradient at input 0", "the gradient at scale", "statistic"])
def test_layers_fails_for_a_wrong_part(part, monkeypatch):
    with pytest.raises(CheckFailed, match=f"error of {part} of Multiply in float32.* at most 0.0001"):
        check_layer_with_wrong(part, monkeypatch)

"""The one table of what the checks allow, and the errors that end a check."""

BOUNDS = {
    # Share of the GPU's memory in use after a small product. TensorFlow without memory growth takes about 90%; a
    # CUDA context and a desktop take less than a third.
    "memory share": 0.5,
    # L2 error of a layer's outputs or gradients. Two libraries' float32 sums differ by about 1e-6, Winograd's
    # convolutions by up to 1e-5; TF32, which must be off, by 3e-4.
    "layer float32": 1e-4,
    # float16 rounds by up to 5e-4. Winograd's convolutions, and biases' gradients, sums of many numbers of both
    # signs, reach 7e-3; a wrong layer is off by far more.
    "layer float16": 2e-2,
    # Error of a log of an uncompiled float32 step: a mean over many sums, each as above.
    "step logs": 1e-3,
    # L2 error of what a step changes in a variable. A weight moves by a gradient over its own root mean square,
    # which amplifies rounding: inputs off by 1e-6 changed single variables by 1e-4 of their change.
    "step changes": 1e-2,
    # Cosine between the float16 and the float32 gradient of a network: each element is off by some 1e-2 of the
    # whole at random. A wrong loss scale in one term, or one layer's gradient lost, costs more.
    "gradient cosine": 0.99,
    # Error of sigma and u against float64: sums of at most a few thousand float32 products.
    "spectral norm": 1e-4,
    # Grey levels between two devices' decoded pictures: a value halfway between two levels may round both ways.
    "grey levels": 1,
    # Codes and scores of golden outputs are float32 functions of decoded pictures, as in tests/test_pretrained.py.
    "golden outputs": 2e-3,
    # Compute capabilities: below the first TensorFlow's wheels hold no code; between the others they were built.
    "lowest capability": (6, 0),
    "usual capabilities": ((7, 0), (9, 0)),
    # How many times as fast a step should be at least; below, a warning says that the setting does not pay here.
    "compiled speedup": 1.0,
    "float16 speedup": 1.0,
}


class CheckFailed(Exception):
    """The device does something wrong; the message is one line."""


class CheckSkipped(Exception):
    """The device cannot show all that the check looks for; the rest has passed. The message is one line."""


def require(holds, message):
    """Raises CheckFailed with the message unless `holds`."""
    if not holds:
        raise CheckFailed(message)


def at_most(bound, measured, what):
    """Raises CheckFailed unless `measured` is at most the named bound; NaN never is."""
    require(measured <= BOUNDS[bound], f"{what} must be at most {BOUNDS[bound]:g}. Received: {measured:.3g}")


def at_least(bound, measured, what):
    """Raises CheckFailed unless `measured` is at least the named bound; NaN never is."""
    require(measured >= BOUNDS[bound], f"{what} must be at least {BOUNDS[bound]:g}. Received: {measured:.3g}")

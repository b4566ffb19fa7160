"""Bounds of what the checks tolerate, and the exceptions that end a check."""

BOUNDS = {
    # Share of the GPU's memory in use after a small product. TensorFlow without memory growth takes about 90%; a
    # CUDA context and a desktop take less than a third.
    "memory share": 0.5,
    # Relative L2 error of a layer's outputs or gradients. float32 sums of two libraries differ by about 1e-6,
    # Winograd convolutions by up to 1e-5, and TF32, which must be off, by 3e-4.
    "layer float32": 1e-4,
    # float16 rounds by up to 5e-4. Winograd convolutions and gradients of biases, sums of many numbers of both
    # signs, reach errors of 7e-3; those of a wrong layer are far larger.
    "layer float16": 2e-2,
    # Relative error of a log of an uncompiled float32 step: a mean over many sums as above.
    "step logs": 1e-3,
    # Relative L2 error of a variable's change in a step. Adam divides a gradient by its root mean square, which
    # amplifies rounding: an error of 1e-6 in the inputs led to errors of 1e-4 in the changes of some variables.
    "step changes": 1e-2,
    # Cosine between the float16 and the float32 gradient of a network. Random errors of about 1e-2 per element
    # keep it above the bound; a wrong loss scale of one term or a lost gradient of one layer does not.
    "gradient cosine": 0.99,
    # Relative error of sigma and u, sums of at most a few thousand float32 products, against float64.
    "spectral norm": 1e-4,
    # Difference in grey levels between two devices' pictures: a value between two levels may round either way.
    "grey levels": 1,
    # Relative error of golden latents and scores, as in the tests of the bundled models.
    "golden outputs": 2e-3,
    # Compute capabilities: TensorFlow's wheels have no code below the lowest one, and code for the usual ones.
    "lowest capability": (6, 0),
    "usual capabilities": ((7, 0), (9, 0)),
    # Smallest speed-up by a setting. Below it a warning says that the setting does not pay on this device.
    "compiled speedup": 1.0,
    "float16 speedup": 1.0,
}


class CheckFailed(Exception):
    """The device does something wrong. The message is one line."""


class CheckSkipped(Exception):
    """A part of the check does not apply to the device and the rest has passed. The message is one line."""


def require(holds, message):
    """Raises CheckFailed with the message unless `holds` is true."""
    if not holds:
        raise CheckFailed(message)


def at_most(bound, measured, what):
    """Raises CheckFailed unless `measured` is at most the named bound; NaN fails."""
    require(measured <= BOUNDS[bound], f"{what} must be at most {BOUNDS[bound]:g}. Received: {measured:.3g}")


def at_least(bound, measured, what):
    """Raises CheckFailed unless `measured` is at least the named bound; NaN fails."""
    require(measured >= BOUNDS[bound], f"{what} must be at least {BOUNDS[bound]:g}. Received: {measured:.3g}")

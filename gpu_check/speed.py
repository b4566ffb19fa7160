"""How fast an ACAI trains: compiled or not, in float16 or float32."""

import itertools
import time

import tensorflow as tf

from acai.model import paper_acai
from gpu_check.bounds import BOUNDS
from gpu_check.twins import on, stepper

WARM_UP = 3  # steps that trace, compile and choose convolutions


def speed(device, sizes):
    """Measures images a second; warns where compiling or float16 does not pay, and never fails for that."""
    rates = {}
    ways = (False, True)[: 1 + sizes.compiled]
    for precision, compiled in itertools.product(("float32", "mixed_float16"), ways):
        rates[precision, compiled] = images_per_second(device, sizes, precision, compiled)
    figures = {named(way): round(rate, 1) for way, rate in rates.items()}
    return figures | {"warnings": warnings_of(rates)}


def warnings_of(rates):
    """Sentences about what does not pay, of {(precision, compiled): images a second}."""
    pairs = [("compiled speedup", (policy, True), (policy, False)) for policy in ("float32", "mixed_float16")]
    pairs += [("float16 speedup", ("mixed_float16", way), ("float32", way)) for way in (True, False)]
    found = []
    for bound, fast, slow in pairs:
        if {fast, slow} <= rates.keys() and rates[fast] < BOUNDS[bound] * rates[slow]:
            times, (one, other) = rates[fast] / rates[slow], map(named, (fast, slow))
            found.append(f"{one} is {times:.2f} times as fast as {other}")
    return found


def named(way):
    """ "float32_compiled" of ("float32", True), and so on."""
    precision, compiled = way
    return f"{precision}_{'compiled' if compiled else 'uncompiled'}"


def images_per_second(device, sizes, precision, compiled):
    """Of the paper's step on one batch that is already on the device."""

    def make():
        width, depth = sizes.speed_width, sizes.speed_depth
        model = paper_acai(width=width, depth=depth, classes=2, precision=precision)
        model.compile()
        return model

    shape = sizes.speed_batch, sizes.speed_width, sizes.speed_width, 3
    with tf.device(device):
        batch = {"image": tf.random.stateless_uniform(shape, (0, 0), -1.0, 1.0)}
        batch["label"] = tf.zeros(sizes.speed_batch, tf.int32)
    step = stepper(on(device, make), device, compiled)

    def run(steps):
        began = time.perf_counter()
        for _ in range(steps):
            logs = step(batch)
        float(logs["autoencoder_loss"])  # waits for all steps, each of which needs the one before
        return time.perf_counter() - began

    run(WARM_UP)
    return sizes.speed_steps * sizes.speed_batch / run(sizes.speed_steps)

"""Measurement of ACAI's training speed, compiled and uncompiled, in float16 and float32."""

import itertools
import time

import tensorflow as tf

from acai.model import paper_acai
from gpu_check.bounds import BOUNDS
from gpu_check.comparison import build_on, compile_step

WARM_UP = 3  # steps for tracing, compilation and the choice of convolution algorithms


def speed(device, sizes):
    """Measures images per second; warns where compiling or float16 is slower, but does not fail."""
    rates = {}
    compilation = (False, True)[: 1 + sizes.compiled]
    for precision, compiled in itertools.product(("float32", "mixed_float16"), compilation):
        rates[precision, compiled] = measure_images_per_second(device, sizes, precision, compiled)
    figures = {setting_name(setting): round(rate, 1) for setting, rate in rates.items()}
    return figures | {"warnings": speed_warnings(rates)}


def speed_warnings(rates):
    """Returns warnings about slower settings, from {(precision, compiled): images per second}."""
    pairs = [("compiled speedup", (policy, True), (policy, False)) for policy in ("float32", "mixed_float16")]
    pairs += [("float16 speedup", ("mixed_float16", way), ("float32", way)) for way in (True, False)]
    warnings = []
    for bound, fast, slow in pairs:
        if {fast, slow} <= rates.keys() and rates[fast] < BOUNDS[bound] * rates[slow]:
            times, (one, other) = rates[fast] / rates[slow], map(setting_name, (fast, slow))
            warnings.append(f"{one} is {times:.2f} times as fast as {other}")
    return warnings


def setting_name(setting):
    """Names a setting: ("float32", True) is "float32_compiled"."""
    precision, compiled = setting
    return f"{precision}_{'compiled' if compiled else 'uncompiled'}"


def measure_images_per_second(device, sizes, precision, compiled):
    """Measures training steps of the paper's ACAI on a batch that is already on the device."""

    def make():
        width, depth = sizes.speed_width, sizes.speed_depth
        model = paper_acai(width=width, depth=depth, classes=2, precision=precision)
        model.compile()
        return model

    shape = sizes.speed_batch, sizes.speed_width, sizes.speed_width, 3
    with tf.device(device):
        batch = {"image": tf.random.stateless_uniform(shape, (0, 0), -1.0, 1.0)}
        batch["label"] = tf.zeros(sizes.speed_batch, tf.int32)
    step = compile_step(build_on(device, make), device, compiled)

    def run(steps):
        began = time.perf_counter()
        for _ in range(steps):
            logs = step(batch)
        float(logs["autoencoder_loss"])  # waits for all steps, because each depends on the one before
        return time.perf_counter() - began

    run(WARM_UP)
    return sizes.speed_steps * sizes.speed_batch / run(sizes.speed_steps)

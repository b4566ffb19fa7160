"""Times the real training step: python benchmarks/train_step.py --depth=16 --latent=16 --batch=64

Burns in, then alternates steps with one large convolution, and prints medians: images/s, the share of time
spent waiting for data, and GFLOP/s beside the convolution's. Only the work that the algorithm needs counts.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import batches, command, data, memory

flags.DEFINE_integer("depth", 16, "channels of the autoencoder's first scale")
flags.DEFINE_integer("critic_depth", None, "of the critic's; default: the depth")
flags.DEFINE_integer("latent", 16, "latent channels, on 4x4 positions")
flags.DEFINE_integer("batch", 64, "images a step")
flags.DEFINE_integer("steps", 30, "timed steps")
flags.DEFINE_float("realism", 0.0, "weight of the patch discriminator; 0: the paper's step")
flags.DEFINE_float("ema", 0.0, "rate of the averaged weights; 0: none")
flags.DEFINE_string("precision", "float32", "Keras dtype policy")
flags.DEFINE_bool("jit_compile", True, "compile the step with XLA")
FLAGS = flags.FLAGS
CONVOLUTION = dict(batch=16, width=32, channels=256)


def main():
    memory.keep_freed_memory()
    command.import_tensorflow()
    import tensorflow as tf

    from acai.model import ACAI

    sizes = dict(depth=FLAGS.depth, critic_depth=FLAGS.critic_depth, latent_channels=FLAGS.latent)
    model = ACAI(**sizes, realism_weight=FLAGS.realism, ema_rate=FLAGS.ema, precision=FLAGS.precision, classes=2)
    model.compile()
    step = tf.function(model.train_step, jit_compile=FLAGS.jit_compile)
    stream = iter(batches.batches(noise_images(10_000), FLAGS.batch, seed=0, flip=True))
    convolve = large_convolution(tf)
    for _ in range(3):
        step(next(stream)), convolve()
    waits, times, convolutions = [], [], []
    for _ in range(FLAGS.steps):
        start = time.perf_counter()
        batch = next(stream)
        loaded = time.perf_counter()
        float(step(batch)["autoencoder_loss"])
        done = time.perf_counter()
        convolve()
        waits.append(loaded - start)
        times.append(done - start)
        convolutions.append(time.perf_counter() - done)
    seconds, convolution_seconds = statistics.median(times), statistics.median(convolutions)
    reached = step_flops(model) * FLAGS.batch / seconds / 1e9
    side = CONVOLUTION
    most = 2 * 9 * side["channels"] ** 2 * side["width"] ** 2 * side["batch"] / convolution_seconds / 1e9
    print(
        f"acai depth {FLAGS.depth} latent {FLAGS.latent} batch {FLAGS.batch} {FLAGS.precision}: "
        f"{FLAGS.batch / seconds:.1f} images/s, waiting for data {sum(waits) / sum(times):.2%}, "
        f"{reached:.0f} GFLOP/s = {reached / most:.0%} of a large convolution's {most:.0f}"
    )


def noise_images(count):
    """As many uint8 images of noise, 32x32x3, as an ImageDataset: the step does not look at what it sees."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return data.ImageDataset(images, np.arange(count, dtype=np.int32) % 2, np.arange(count), ("a", "b"), "train")


def large_convolution(tf):
    """A function that runs one 3x3 convolution of CONVOLUTION's size to its end."""
    side = CONVOLUTION
    images = tf.random.normal((side["batch"], side["width"], side["width"], side["channels"]))
    kernel = tf.random.normal((3, 3, side["channels"], side["channels"]))
    function = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"), jit_compile=True)
    return lambda: function()[0, 0, 0, 0].numpy()


def step_flops(model):
    """Floating-point operations an image that one step needs, two for a multiply and add, convolutions only.

    A pass backward costs two forward ones, for kernels and inputs; the first layers' inputs need none where
    nothing lies before them. Encoder: once the images. Decoder: reconstructions and blends. Critic: blends,
    whose gradient at the input serves the autoencoder, and softened reconstructions. Discriminator: images,
    reconstructions and blends, with a second pass back to the inputs of the latter two.
    """
    encoder, first_encoder = network_flops(model.encoder)
    decoder, _ = network_flops(model.decoder)
    critic, first_critic = network_flops(model.critic)
    flops = 3 * encoder - first_encoder + 2 * 3 * decoder + 2 * 3 * critic - first_critic
    if model.realism_weight:
        discriminator, first = network_flops(model.discriminator)
        flops += 3 * 3 * discriminator - 3 * first + 2 * discriminator
    return flops


def network_flops(network):
    """(all, the first layer's) operations of one forward pass for one image."""
    flops = []
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            rows, columns, channels, filters = kernel.shape
            folded = getattr(layer, "linear_kernel", None)
            channels = channels if folded is None else folded.shape[2] + 1
            positions = int(np.prod(layer.output.shape[1:3]))
            flops.append(2 * rows * columns * channels * filters * positions)
    return sum(flops), flops[0]


if __name__ == "__main__":
    command.run(main)

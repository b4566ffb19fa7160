"""Times the training step: python benchmarks/train_step.py --depth=16 --latent=16 --batch=64

For a GAN: python benchmarks/train_step.py --model=dcgan --width=64, or another variant of configs/gan.py;
--noaugment omits its augmentation.

After a burn-in it alternates blocks of steps with one large convolution of the same dtype, and prints medians:
images/s, the share of time spent waiting for data, and GFLOP/s compared with the convolution's. A block is one
step on a CPU and 50 on a GPU, where only reading a result waits for the device. FLOPs are those of the algorithm
with direct convolutions, so faster ways of computing them increase the GFLOP/s.

--peer="python step_of_another_library.py" also runs that command, once before and once after, and prints the
ratio. It must print "... N images/s". Under mixed_bfloat16 it gets the flag --bfloat16.
"""

import re
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import cli
from common.backend import compiler, memory, precision, towers
from common.data import batches, datasets

flags.DEFINE_string("model", "acai", "acai or a variant of configs/gan.py")
flags.DEFINE_integer("width", None, "channels of both networks of a GAN; default: those of the variant")
flags.DEFINE_integer("depth", 16, "channels of the autoencoder's first scale")
flags.DEFINE_integer("critic_depth", None, "channels of the critic's first scale; default: the depth")
flags.DEFINE_integer("latent", 16, "latent channels")
flags.DEFINE_integer("latent_width", 4, "width of the latents")
flags.DEFINE_integer("batch", 64, "images per step")
flags.DEFINE_integer("steps", 30, "number of timed blocks")
flags.DEFINE_integer("block", 0, "steps per block; 0: 50 on a GPU, 1 on a CPU")
flags.DEFINE_float("adversarial_weight", 0.0, "of the patch discriminator's loss; 0: the paper's step")
flags.DEFINE_float("r1_weight", 0.0, "of the patch discriminator's gradient penalty")
flags.DEFINE_float("masked_blends", 0.0, "share of the blends in which each cell has its own mix")
flags.DEFINE_float("ema", 0.0, "rate of the averaged weights; 0: none")
flags.DEFINE_bool("augment", True, "use the augmentation of a GAN's variant")
flags.DEFINE_integer("towers", 0, "parts of ACAI's batch that run side by side; 0: as in training")
flags.DEFINE_string("precision", "float32", "Keras dtype policy; auto: as in training")
flags.DEFINE_enum("jit_compile", "auto", compiler.CHOICES, "compile the step with XLA; auto: as in training")
flags.DEFINE_string("peer", None, "command that times the same step in another library")
FLAGS = flags.FLAGS
WIDTH, CHANNELS = 32, 256  # of the large convolution
CONVOLUTION_SECONDS = 20  # limit with and without XLA, because float16 without XLA is very slow on a CPU
BURN_IN = 3  # blocks; the first compiles


def main():
    memory.keep_freed_memory()
    planned = towers.plan(FLAGS.towers, FLAGS.batch, jit_compile=FLAGS.jit_compile, precision=FLAGS.precision)
    cli.import_tensorflow(one_core=FLAGS.model == "acai" and planned > 1)
    import tensorflow as tf

    from common.backend import gpu
    from common.distribute import distribution
    from training import loop

    policy = precision.resolve(FLAGS.precision)
    peer = [run_peer(policy)] if FLAGS.peer else []
    precision.set_tensor_float_32(policy)
    images = noise_images(10_000)
    model, name, flops = acai(policy) if FLAGS.model == "acai" else gan(images, policy)
    parts = towers.resolve(FLAGS.towers, FLAGS.batch) if FLAGS.model == "acai" else 1
    compiled, _ = compiler.resolve_for(model, FLAGS.jit_compile)
    step, strategy = loop.compile_step(model, compiled, towers=parts), distribution.make_strategy("default")
    stream = batches.batches(images, FLAGS.batch, seed=0, flip=True)
    stream = iter(distribution.prefetch_to_device(strategy, stream))
    turn = getattr(model, "critic_steps", 1)  # a cycle of steps, including one of the generator
    size = turn * -(-(FLAGS.block or (50 if compiler.has_gpu() else 1)) // turn)  # steps per block
    shape = (FLAGS.batch if compiler.has_gpu() else 16) // parts, WIDTH, WIDTH, CHANNELS
    dtype = tf.as_dtype(model.dtype_policy.compute_dtype)
    convolve = {compiled: large_convolution(tf, compiled, shape, parts, dtype) for compiled in (True, False)}
    waits, times, convolutions = [], [], {compiled: [] for compiled in convolve}
    for _ in range(BURN_IN + FLAGS.steps):
        start, waited = time.perf_counter(), 0.0
        for number in range(size):
            asked = time.perf_counter()
            batch = next(stream)
            waited += time.perf_counter() - asked
            _, logs = step(batch, **model.static_arguments(number) if turn > 1 else {})
        logs.numpy()
        times.append((time.perf_counter() - start) / size)
        waits.append(waited / size)
        for compiled_there, spent in convolutions.items():
            if sum(spent) * size < CONVOLUTION_SECONDS:
                begun = time.perf_counter()
                convolve[compiled_there](size)
                spent.append((time.perf_counter() - begun) / size)
    waits, times = waits[BURN_IN:], times[BURN_IN:]
    seconds = statistics.median(times)
    reached = flops * FLAGS.batch / seconds / 1e9
    work = 2 * 9 * shape[-1] * np.prod(shape) * parts / 1e9
    most = {compiled: work / statistics.median(spent[1:] or spent) for compiled, spent in convolutions.items()}
    print(
        f"{name} batch {FLAGS.batch} {policy}, XLA {'on' if compiled else 'off'}, on "
        f"{gpu.describe_devices(strategy)}: {FLAGS.batch / seconds:.1f} images/s, "
        f"waiting for data {sum(waits) / sum(times):.2%}, "
        f"{reached:.0f} GFLOP/s = {reached / most[True]:.0%} of a large {dtype.name} convolution's "
        f"{most[True]:.0f} with XLA, {reached / most[False]:.0%} of its {most[False]:.0f} without"
    )
    if peer:
        peer.append(run_peer(policy))
        ratio = FLAGS.batch / seconds / statistics.mean(peer)
        print(f"{ratio:.2f} times the peer's {peer[0]:.1f} before and {peer[1]:.1f} after, {policy}")


def run_peer(policy):
    """Runs the command of --peer with a policy; returns the images per second that it prints."""
    words = shlex.split(FLAGS.peer) + ["--bfloat16"] * (policy == "mixed_bfloat16")
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return float(re.findall(r"([\d.]+) images/s", printed)[-1])


def acai(policy):
    """(model, its name, operations per image) of the flags and a Keras dtype policy."""
    from acai import networks
    from acai.adversaries.patch_discriminator import PatchDiscriminator
    from acai.adversaries.ramp import LinearRamp
    from acai.mixing import MaskedMix
    from acai.model import paper_acai

    adversaries = []
    if FLAGS.adversarial_weight:
        network = networks.patch_discriminator(WIDTH, 48, dtype=policy)
        adversaries = [PatchDiscriminator(network, LinearRamp(FLAGS.adversarial_weight), FLAGS.r1_weight)]
    mixing = MaskedMix(FLAGS.masked_blends) if FLAGS.masked_blends else None
    code = FLAGS.latent_width, FLAGS.latent
    sizes = dict(latent_width=code[0], latent_channels=code[1], depth=FLAGS.depth, critic_depth=FLAGS.critic_depth)
    options = dict(more_adversaries=adversaries, ema_rate=FLAGS.ema, precision=policy, classes=2)
    model = paper_acai(**sizes, mixing=mixing, **options)
    model.compile()
    return model, f"acai depth {FLAGS.depth} latent {code[0]}x{code[0]}x{code[1]}", acai_flops(model)


def gan(images, policy):
    """As `acai`, a variant as it is trained, but for the flags."""
    import configs.gan
    from training.gan import build

    config = configs.gan.get_config(FLAGS.model)
    config.train.update(batch_size=FLAGS.batch, precision=policy, ema_rate=FLAGS.ema)
    if FLAGS.width:
        config.model.generator_channels = config.model.discriminator_channels = FLAGS.width
    if not FLAGS.augment:
        config.model.augment = ()
    model = build(config, images)
    sizes = f"width {config.model.generator_channels}, {config.model.discriminator_channels}"
    return model, f"{FLAGS.model} {sizes} noise {config.model.noise_size}", gan_flops(model)


def noise_images(count, width=32):
    """Returns an ImageDataset of random RGB images; the time of a step does not depend on their content."""
    images = np.random.default_rng(0).integers(0, 256, (count, width, width, 3), dtype=np.uint8)
    return datasets.ImageDataset(
        images, np.arange(count, dtype=np.int32) % 2, np.arange(count), ("a", "b"), "train"
    )


def large_convolution(tf, compiled, shape, parts, dtype):
    """Returns a function that runs a 3x3 convolution a number of times and waits for the result.

    It has `parts` parts of `shape` that run side by side, as the towers of a step do, because then each operation
    has one core only.
    """
    images = [tf.cast(tf.random.normal(shape), dtype) for _ in range(parts)]
    kernel = tf.cast(tf.random.normal((3, 3, shape[-1], shape[-1])), dtype)
    part = tf.function(lambda images: tf.nn.conv2d(images, kernel, 1, "SAME"), jit_compile=compiled)
    function = tf.function(lambda: [part(each)[0, 0, 0, 0] for each in images])

    def run(times):
        for value in [function() for _ in range(times)][-1]:
            value.numpy()

    return run


def acai_flops(model):
    """Floating-point operations per image of one step; convolutions only, two for a multiply and add.

    A backward pass costs two forward passes, for kernels and inputs; the first layer needs no gradient of its
    inputs unless a network precedes it. Encoder: once the images. Decoder: reconstructions and blends. Critic:
    blends, whose gradient at the input serves the autoencoder, and softened reconstructions. Discriminator:
    images, reconstructions and blends, with a second pass back to the inputs of the latter two.
    """
    encoder, first_encoder = network_flops(model.encoder)
    decoder, _ = network_flops(model.decoder)
    critic, first_critic = network_flops(model.trained_networks["critic"][0])
    flops = 3 * encoder - first_encoder + 2 * 3 * decoder + 2 * 3 * critic - first_critic
    if "discriminator" in model.trained_networks:
        discriminator, first = network_flops(model.trained_networks["discriminator"][0])
        flops += 3 * 3 * discriminator - 3 * first + 2 * discriminator
    return flops


def gan_flops(model):
    """As `acai_flops` for a GAN; a mean over `critic_steps` steps.

    Generator: forward each step, backward in its own. Discriminator: real images and fakes; in the generator's
    step the fakes again, and back to the pixels. A gradient penalty goes forward, back to the pixels and back
    through both, where leaky ReLU leaves nothing to do on the way forward.
    """
    generator, _ = network_flops(model.generator)
    discriminator, first = network_flops(model.discriminator)
    flops = generator + 2 * (3 * discriminator - first) + 4 * discriminator * bool(model.penalties)
    return flops + (2 * generator + 2 * discriminator) / model.critic_steps


def network_flops(network):
    """Returns the operations of one forward pass per image: (of all layers, of the first).

    A transposed convolution applies its kernel at each position of its input.
    """
    import keras

    flops = []
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            rows, columns, channels, filters = kernel.shape
            folded = getattr(layer, "linear_kernel", None)
            channels = channels if folded is None else folded.shape[2] + 1
            maps = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
            positions = int(np.prod(maps.shape[1:3]))
            flops.append(2 * rows * columns * channels * filters * positions)
    return sum(flops), flops[0]


if __name__ == "__main__":
    cli.run(main)

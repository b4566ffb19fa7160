"""The judges: CIFAR-10 classifiers trained from scratch, whose probabilities and features score every model.

python train.py --config=configs/classifier.py --workdir=runs/classifier        scores, searches, gives features
python train.py --config=configs/classifier.py:juror --workdir=runs/juror       searches beside the first
python train.py --config=configs/classifier.py:referee --workdir=runs/referee   only scores
"""

import ml_collections


def get_config(variant="classifier"):
    """The named variant: "classifier", "juror" or "referee"."""
    variants = {"classifier": classifier, "juror": juror, "referee": referee}
    if variant not in variants:
        raise ValueError(f"configs/classifier.py has the variants {', '.join(variants)}. Received: {variant!r}")
    config = classifier()
    if variant != "classifier":
        variants[variant](config)
    return config


def classifier():
    """Ten classes; a plain network after Jordan 2024 (arXiv 2404.00498).

    Command:   python train.py --config=configs/classifier.py --workdir=runs/classifier
    Time:      32 minutes on 2 cores (280 images/s); on a GPU not measured.
    Figures:   91.4% of the hold-out, 90.5% of the first 1,000 test images, a picture judged with its mirror image.
    """
    config = ml_collections.ConfigDict()
    config.family = "classifier"

    config.data = data = ml_collections.ConfigDict()
    data.source = "cifar10"  # or "folder" for the images in image_folder
    data.image_folder = ""  # one sub-folder a class
    data.memory_limit_gib = (
        -1.0
    )  # larger data stream from cache_folder; below 0: a quarter of the machine's memory
    data.cache_folder = ""  # default: ~/.cache/pegasus-acai
    data.classes = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
    data.flip = True  # mirror half of the images
    data.shift = 3  # move them by up to as many pixels
    data.hold_out = True  # keep every tenth training image from training

    config.model = model = ml_collections.ConfigDict()
    model.width = 32
    model.architecture = "plain"  # or "residual"
    model.channels = (32, 64, 128, 256)  # of the stages
    model.label_smoothing = 0.1

    config.train = train = ml_collections.ConfigDict()
    train.total_kimg = 540.0  # 12 times each image
    train.batch_size = 128
    train.learning_rate = 0.1  # at its highest
    train.warmup = 0.2  # share of the training in which it rises from 0; then it falls to 0 as a cosine
    train.momentum = 0.9
    train.weight_decay = 5e-4
    train.precision = "auto"  # float32, mixed_bfloat16, mixed_float16
    train.jit_compile = "on"  # XLA: on, off, auto
    train.deterministic = False  # the same bits in each run on one GPU, at a cost of speed; a CPU's always are
    train.seed = 0
    train.log_every_kimg = 2.56
    train.pictures_every_kimg = 45.0
    train.save_every_kimg = 22.5
    train.release_every_kimg = 0.0  # at the end
    train.keep_checkpoints = 3
    return config


def juror(config):
    """A residual network, as the referee but of another seed: a second opinion in searches.

    Command:   python train.py --config=configs/classifier.py:juror --workdir=runs/juror
    Time:      17 minutes on 2 cores (560 images/s); on a GPU not measured.
    Figures:   90.5% of the hold-out, 90.6% of the first 1,000 test images, a picture judged with its mirror image.
    """
    referee(config)
    config.train.seed = 2


def referee(config):
    """A residual network of another seed than all others; no search, refinement, loss or ranking may use it.

    Command:   python train.py --config=configs/classifier.py:referee --workdir=runs/referee
    Time:      23 minutes on 2 cores (up to 427 images/s); on a GPU not measured.
    Figures:   90.4% of the hold-out, 90.9% of the first 1,000 test images, a picture judged with its mirror image.
    """
    config.model.architecture = "residual"
    config.model.channels = (32, 64, 128, 256)
    config.train.seed = 1
    config.train.jit_compile = "auto"

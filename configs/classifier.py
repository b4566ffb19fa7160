"""CIFAR-10 classifiers, trained from scratch, whose probabilities and features score generated pictures.

python train.py --config=configs/classifier.py --workdir=runs/classifier                   evaluation, searches
python train.py --config=configs/classifier.py:search_classifier_b --workdir=runs/search_b  searches only
python train.py --config=configs/classifier.py:referee --workdir=runs/referee              evaluation only

Wing classifiers have two outputs (is there a horse, are there spread wings?) and are trained on composites:

python train.py --config=configs/classifier.py:wing_classifier --workdir=runs/wing_classifier   searches
python train.py --config=configs/classifier.py:wing_referee --workdir=runs/wing_referee         evaluation only
"""

import ml_collections

from configs.variants import check_variant


def get_config(variant="classifier"):
    """Returns the config of a variant: the name of a function below."""
    check_variant(variant, VARIANTS, "configs/classifier.py")
    config = classifier()
    if variant != "classifier":
        VARIANTS[variant](config)
    return config


def classifier():
    """All ten classes; a plain network after Jordan 2024 (arXiv 2404.00498).

    Command:   python train.py --config=configs/classifier.py --workdir=runs/classifier
    Time:      32 minutes on 2 cores (280 images/s); on a GPU not measured.
    Accuracy:  91.4% on the hold-out, 90.5% on the first 1,000 test images; the logits of each picture and its
               mirror image are averaged.
    """
    config = ml_collections.ConfigDict()
    config.family = "classifier"

    config.data = data = ml_collections.ConfigDict()
    data.source = "cifar10"  # or "folder" for the images in image_folder
    data.image_folder = ""  # one sub-folder per class
    # Larger datasets are streamed from cache_folder. Below 0: a quarter of the machine's memory.
    data.memory_limit_gib = -1.0
    data.cache_folder = ""  # default: ~/.cache/pegasus-acai
    data.classes = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
    data.flip = True  # mirror each image with probability 1/2
    data.shift = 3  # largest random shift, in pixels

    config.model = model = ml_collections.ConfigDict()
    model.width = 32  # of the images, in pixels; 64 needs images of your own
    model.architecture = "plain"  # or "residual"
    model.channels = (32, 64, 128, 256)  # of each stage
    model.label_smoothing = 0.1  # share of each target that is spread over all classes

    config.train = train = ml_collections.ConfigDict()
    train.total_kimg = 540.0  # 12 epochs
    train.batch_size = 128  # images per step
    train.learning_rate = 0.1  # peak
    train.warmup = 0.2  # share of the steps in which the learning rate rises from 0; then it decays as a cosine
    train.momentum = 0.9  # of Nesterov's form
    train.weight_decay = 5e-4  # of the kernels, times the learning rate
    train.precision = "auto"  # or float32, mixed_bfloat16, mixed_float16
    train.jit_compile = "auto"  # XLA: on, off or auto (where it is faster)
    train.deterministic = False  # True: bit-identical runs on one GPU, but slower; runs on a CPU always are
    train.seed = 0  # of all random numbers
    train.log_every_kimg = 2.56
    train.pictures_every_kimg = 45.0  # also figures of the hold-out; 0: pictures at the end, no figures
    train.save_every_kimg = 22.5  # checkpoints; 0: at the end only
    train.release_every_kimg = 0.0  # 0: at the end only
    train.keep_checkpoints = 3  # number of the newest to keep
    train.max_minutes = 0.0  # saves and stops this long after the start of the command; 0: no limit
    return config


def search_classifier_b(config):
    """The second classifier of the search ensemble: the referee's configuration with another seed.

    Command:   python train.py --config=configs/classifier.py:search_classifier_b --workdir=runs/search_b
    Time:      17 minutes on 2 cores (560 images/s); on a GPU not measured.
    Accuracy:  90.5% on the hold-out, 90.6% on the first 1,000 test images, mirror images averaged.
    """
    referee(config)
    config.train.seed = 2


def referee(config):
    """A residual network for evaluation. No search, loss or ranking may use it.

    Command:   python train.py --config=configs/classifier.py:referee --workdir=runs/referee
    Time:      23 minutes on 2 cores (up to 427 images/s); on a GPU not measured.
    Accuracy:  90.4% on the hold-out, 90.9% on the first 1,000 test images, mirror images averaged.
    """
    config.model.architecture = "residual"
    config.model.channels = (32, 64, 128, 256)
    config.train.seed = 1


def wing_classifier(config):
    """Two independent outputs for the search: is there a horse, are there spread wings?

    It is trained on composites (composites/) of the images with even ids and measured on the others.

    Command:   python train.py --config=configs/classifier.py:wing_classifier --workdir=runs/wing_classifier
    Time:      3 minutes on 2 cores of a Zen 5 (590 images/s) beside other work; on a GPU not measured.
    AUROC:     0.948 for horses and 0.925 for spread wings, on images of the other fold. The bundled one is of
               earlier composites and 40 kimg, see its CARD.
    """
    config.family = "wing_classifier"
    config.data.shift = 2
    config.data.fold = 0  # of the images that it is trained on, see pegasus/labels
    config.data.ranges = "wing_classifier"  # of the composites, see composites/ranges.py
    config.data.composites = 12_000  # number of different ones
    config.data.decoder = "acai_ten_1024"  # whose reconstructions are mixed in; "": none
    config.model.channels = (32, 64, 128, 128)
    config.train.leading_layers = "classifier"  # whose first three stages are taken and kept; "": all are trained
    config.train.total_kimg = 90.0
    config.train.save_every_kimg = 30.0
    config.train.seed = 3


def wing_referee(config):
    """As wing_classifier, for evaluation. No search, loss or ranking may use it.

    Its architecture, seed, fold, composites and foregrounds are others than those of wing_classifier.

    Command:   python train.py --config=configs/classifier.py:wing_referee --workdir=runs/wing_referee
    Time:      6 minutes on 2 cores (up to 466 images/s); on a GPU not measured.
    AUROC:     0.949 for horses and 0.863 for spread wings, on images of the other fold.
    """
    wing_classifier(config)
    config.data.fold = 1
    config.data.ranges = "wing_referee"
    config.model.architecture = "residual"
    config.model.channels = (32, 64, 128, 96)
    config.train.leading_layers = "referee"
    config.train.seed = 4


VARIANTS = {
    function.__name__: function
    for function in (classifier, search_classifier_b, referee, wing_classifier, wing_referee)
}

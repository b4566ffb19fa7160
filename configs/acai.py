"""ACAI: Berthelot, Raffel, Roy and Goodfellow 2018, arXiv 1807.07543.

python train.py --config=configs/acai.py --workdir=runs/acai                    the paper's CIFAR-10 recipe
python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus         the bundled model
python train.py --config=configs/acai.py:small --workdir=runs/small             ten classes for two CPU cores
python train.py --config=configs/acai.py:ten_1024 --workdir=runs/ten_1024       with 1,024 latents, in hours
python train.py --config=configs/acai.py:lines --workdir=runs/lines             synthetic lines, needs no dataset
python train.py --config=configs/acai.py:lines_vae --workdir=runs/lines_vae     another of the paper's autoencoders
python train.py --config=configs/acai.py:quick --workdir=runs/quick             horses and birds in two minutes
python train.py --config=configs/acai.py:folder --config.data.image_folder=DIR --workdir=runs/mine   own images

The other autoencoders are baseline, dropout, denoising, vae, aae and vqvae; vqvae_512 is another form of the
VQ-VAE. They train with the recipe of `paper` or, with the prefix lines_ or ten_1024_, with that of `lines` or
`ten_1024`.
"""

import ml_collections

from configs.variants import check_variant

BASELINES = {  # the paper's other autoencoders: (bottleneck, its strength in the official code)
    "baseline": ("plain", 1.0),
    "dropout": ("dropout", 0.5),  # to DROP a latent; the official flag is the probability to KEEP it, also 0.5
    "denoising": ("denoising", 1.0),
    "vae": ("vae", 1.0),
    "aae": ("aae", 1.0),
    "vqvae": ("projected_vqvae", 10.0),
    "vqvae_512": ("vqvae", 10.0),  # not the paper's: each position is quantised, with a codebook of 512 vectors
}
AAE_RAMP_ON_LINES = 30.0, 120.0  # kimg, see `baseline_variant`
PREFIXES = {"lines_": "lines", "ten_1024_": "ten_1024", "": "paper"}  # of the variants of BASELINES: their recipes


def get_config(variant="paper"):
    """Returns the config of a variant."""
    check_variant(variant, VARIANTS, "configs/acai.py")
    config = paper()
    recipe, name = split_variant(variant)
    if recipe != "paper":
        VARIANTS[recipe](config)
    if name:
        baseline_variant(config, *BASELINES[name], recipe)
    return config


def split_variant(variant):
    """Splits a variant into (its recipe, key of BASELINES); the latter is "" for an ACAI."""
    for prefix, recipe in PREFIXES.items():
        if variant.startswith(prefix) and (name := variant.removeprefix(prefix)) in BASELINES:
            return recipe, name
    return variant, ""


def paper():
    """The paper's CIFAR-10 recipe: all ten classes, 256 latents, depth 64.

    Command:   python train.py --config=configs/acai.py --workdir=runs/acai
    Time:      about 10 days on 2 cores (18 images/s, estimated, not run); on a GPU not measured.
    Figures:   the paper's linear probe on 256 latents, 52.77 +- 0.45% (authors' ICLR 2019 poster); none of ours.
    """
    config = ml_collections.ConfigDict()
    config.family = "acai"

    config.data = data = ml_collections.ConfigDict()
    data.source = "cifar10"  # or "lines", or "folder" for the images in image_folder
    data.image_folder = ""  # one sub-folder per class
    # Larger datasets are streamed from cache_folder. Below 0: a quarter of the machine's memory.
    data.memory_limit_gib = -1.0
    data.cache_folder = ""  # default: ~/.cache/pegasus-acai
    data.classes = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
    data.pairing = "shuffled"  # as in the paper, or "across": each image is mixed with one of the other group
    data.groups = (("deer", "horse"), ("airplane", "bird"))  # for "across"; they divide the classes between them
    data.flip = False  # mirror each image with probability 1/2
    data.first, data.second = "horse", "bird"  # classes in the pictures written during training

    config.model = model = ml_collections.ConfigDict()
    model.width = 32  # of the images, in pixels; 64 needs images of your own
    model.latent_width = 4  # cells of the latents in each direction
    model.latent_channels = 16  # numbers in each cell
    model.depth = 64  # channels at the full width; each halving of the width doubles them
    model.critic_depth = 64  # the same of the critic
    model.mix_weight = 0.5  # of the critic's estimate in the autoencoder's loss, lambda; 0: no critic
    model.regularisation = 0.2  # share of the images in the critic's softened reconstructions, gamma
    model.masked_blends = 0.0  # share of the blends in which each cell of the latents has its own mix
    model.adversarial_weight = 0.0  # of the adversarial loss; 0: no patch discriminator
    model.discriminator_channels = 48  # of the patch discriminator's first layer
    model.r1_weight = 0.0  # of the R1 gradient penalty
    # Or those of the paper's other autoencoders: dropout, denoising, vae, aae, projected_vqvae; or vqvae
    model.bottleneck = "plain"
    model.bottleneck_strength = 1.0  # see acai/bottlenecks; of dropout the probability to DROP a latent
    model.codebook_size = 512  # vectors in the codebook of a vqvae or projected_vqvae

    config.train = train = ml_collections.ConfigDict()
    train.start_from = ""  # run to go on from, by its newest checkpoint, or bundled model; of the same sizes
    train.total_kimg = 16_777.0  # the paper's 2^24 images
    train.batch_size = 64  # images per step
    train.learning_rate = 1e-4  # of autoencoder and latent classifier
    train.critic_learning_rate = 1e-4
    train.discriminator_learning_rate = 2e-4  # of the patch discriminator
    train.schedule = "constant"  # or "cosine" decay until total_kimg; of autoencoder and latent classifier
    train.critic_schedule = "constant"  # of the critic
    train.schedule_floor = 0.0  # share of the learning rate at the end of a cosine schedule
    train.discriminator_from_kimg = 0.0  # first kimg at which the patch discriminator is trained
    # First kimg with the adversarial loss of patch discriminator or AAE, whose weight rises linearly
    train.adversarial_from_kimg = 0.0
    train.adversarial_ramp_kimg = 0.0  # over this many kimg
    # Of autoencoder, critic and latent classifier from then on; only with a patch discriminator and constant rates
    train.adversarial_learning_rate = 1e-4
    train.ema_rate = 0.0  # decay per step of the averaged autoencoder; 0: no average
    train.precision = "auto"  # float32, mixed_bfloat16, mixed_float16
    train.jit_compile = "auto"  # XLA: on, off or, with auto, if it is faster
    train.towers = 0  # parts of a batch that run side by side on a CPU without XLA; 0: one per core
    train.strategy = "default"  # one device; "mirrored": all GPUs; "multi_worker": the machines of TF_CONFIG
    train.deterministic = False  # True: bit-identical runs on one GPU, but slower; runs on a CPU always are
    train.seed = 0  # of all random numbers
    train.log_every_kimg = 3.2
    train.pictures_every_kimg = 64.0  # also figures of the hold-out; 0: pictures at the end, no figures
    train.save_every_kimg = 32.0  # checkpoints; 0: at the end only
    train.release_every_kimg = 64.0  # what generate.py and evaluate.py use; 0: at the end only
    train.keep_checkpoints = 3  # number of the newest to keep
    train.max_minutes = 0.0  # saves and stops this long after the start of the command; 0: no limit
    train.bank_per_class = (250, 50)  # latents released with the weights: of training images, of the hold-out
    return config


def quick(config):
    """Horses and birds in two minutes, for a first try; the pictures can be recognised, but are soft.

    Batches of 8, because steps matter more than images: with 16 the held-out squared error was 0.0186.

    Command:   python train.py --config=configs/acai.py:quick --workdir=runs/quick
    Time:      67 seconds on 2 idle cores of a Zen 5 (710 images/s), some 3 minutes beside other work; on a GPU not
               measured.
    Figures:   held-out squared error 0.0147, that of `pegasus` 0.0051. docs/quick.png is strips.png of
               python generate.py --blend --strip=9 --count=8 --scale=2 --source=runs/quick
    """
    config.data.classes = ("bird", "horse")
    config.data.pairing, config.data.groups = "across", (("horse",), ("bird",))
    config.data.flip = True
    config.model.latent_width = 8
    config.model.depth, config.model.critic_depth = 16, 8
    config.train.total_kimg = 40.0
    train_briefly(config)


def folder(config):
    """Your own images in one sub-folder a class, with sizes by their number.

    "auto" and 0 below become what `choose_sizes` in configs/own_images.py returns for N images:

    - depth: 8 for N < 1,000, 16 for N < 10,000, else 32
    - kimg: 100 passes over the images, N / 10, but at least 20 and at most 170
    - bank: at most 2,000 latents of training images in all, and 400 of a class
    - pairs: across if there are two classes

    Any of these can be set, as can --config.model.width=64. --check tells what is chosen and how long it takes.

    Command:   python train.py --config=configs/acai.py:folder --config.data.image_folder=DIR --workdir=runs/mine
    """
    config.data.source = "folder"
    config.data.pairing = "auto"
    config.data.flip = True
    config.model.latent_width = 8
    config.model.depth, config.model.critic_depth = 0, 8
    config.train.total_kimg = 0.0
    config.train.bank_per_class = (0, 0)
    train_briefly(config)


def train_briefly(config):
    """Small batches, a high learning rate that decays to 0, and results every few minutes."""
    config.train.batch_size = 8
    config.train.learning_rate = config.train.critic_learning_rate = 1e-3
    config.train.schedule = config.train.critic_schedule = "cosine"
    config.train.ema_rate = 0.995
    config.train.log_every_kimg = 1.6
    config.train.pictures_every_kimg = config.train.save_every_kimg = config.train.release_every_kimg = 10.0


def pegasus(config):
    """The bundled model: horses are mixed with birds, by masks; from scratch.

    First it trains as an ACAI. Unlike in the paper, in 60% of the blends each cell of the latents has its own mix.
    From 90 kimg on a patch discriminator of reconstructions and blends joins. Steps matter more than images: after
    64 kimg the held-out error is 0.012 with batches of 16 and 0.017 with 64.

    Command:   python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus
    Time:      17 minutes on 2 cores of a Zen 5 in bfloat16 (up to 740 images/s, 300 to 410 with the discriminator,
               other work beside it); on a Zen 3 some 50 (240 and 105 to 180); on a GPU not measured.
    Figures:   held-out squared error 0.0051; sharpness of blends 1.15 on 256 pairs, 1.09 on 1,000.
    """
    config.data.classes = ("bird", "horse")
    config.data.pairing, config.data.groups = "across", (("horse",), ("bird",))
    config.data.flip = True
    config.model.latent_width = 8
    config.model.depth, config.model.critic_depth = 32, 8
    config.model.masked_blends = 0.6
    config.model.adversarial_weight, config.model.r1_weight = 0.025, 0.03
    config.train.discriminator_from_kimg, config.train.adversarial_from_kimg = 90.0, 100.0
    config.train.adversarial_ramp_kimg = 20.0
    config.train.discriminator_learning_rate, config.train.adversarial_learning_rate = 5e-4, 3e-4
    config.train.total_kimg = 400.0
    config.train.learning_rate = config.train.critic_learning_rate = 5e-4
    config.train.batch_size = 16
    config.train.ema_rate = 0.999
    config.train.bank_per_class = (400, 100)


def small(config):
    """The paper's ten classes and 256 latents at depth 16, in half an hour instead of ten days.

    Other differences from the paper: batches of 32, because steps matter more than images; five times its learning
    rate, with decay to 0; averaged weights.

    Command:   python train.py --config=configs/acai.py:small --workdir=runs/small
    Time:      19 minutes on 2 cores at their fastest (560 images/s); on a GPU not measured.
    Figures:   held-out squared error 0.0239; linear probe 50.2% of the hold-out, the paper's 52.77 +- 0.45%.
    """
    config.model.depth = config.model.critic_depth = 16
    config.train.total_kimg = 600.0
    config.train.batch_size = 32
    config.train.learning_rate = config.train.critic_learning_rate = 5e-4
    config.train.schedule = config.train.critic_schedule = "cosine"
    config.train.ema_rate = 0.999
    config.train.pictures_every_kimg = 60.0


def ten_1024(config):
    """The paper's ten classes and 1,024 latents at depth 32, in hours instead of ten days.

    Other differences from the paper: batches of 32, because steps matter more than images; three times its
    learning rate, with decay to a tenth, because a critic learns next to nothing at high rates (docs/results.md);
    averaged weights.

    Command:   python train.py --config=configs/acai.py:ten_1024 --workdir=runs/ten_1024
    Time:      2.2 hours on 2 cores of a Zen 5 in bfloat16 (up to 560 images/s); on a GPU not measured.
    Figures:   held-out squared error 0.0134; linear probe 62.4% of the hold-out, the paper's 63.99 +- 0.47%.
    """
    config.model.latent_channels = 64
    config.model.depth = config.model.critic_depth = 32
    config.train.total_kimg = 4_000.0
    config.train.batch_size = 32
    config.train.learning_rate = config.train.critic_learning_rate = 3e-4
    config.train.schedule = config.train.critic_schedule = "cosine"
    config.train.schedule_floor = 0.1
    config.train.ema_rate = 0.999
    config.train.log_every_kimg, config.train.pictures_every_kimg = 16.0, 160.0
    config.train.bank_per_class = (52, 13)


def lines(config):
    """The paper's lines: 32x32, at random angles, 64 latents, depth 16. Needs no dataset.

    It trains in half an hour instead of days, with these differences from the paper: small batches, because steps
    matter more than images (trials of 48 kimg at 1e-3 with batches of 64, 32 and 16 reached mean distances of
    23.0e-3, 8.6e-3 and 5.5e-3); five times its learning rate (at 1e-3 a longer training diverged); averaged
    weights. The autoencoder's rate decays to a fifth: with a decay to 0 it became too slow for the critic (the
    mean distance rose from 1.03e-3 to 2.16e-3). The critic's rate is constant: when it decayed too, the smoothness
    was 0.135. Of a short training the result depends on the seed, unless the critic is slower (docs/results.md).

    Command:   python train.py --config=configs/acai.py:lines --workdir=runs/lines
    Time:      35 minutes on 2 cores (509 images/s); on a GPU not measured.
    Figures:   mean distance 0.74e-3 and smoothness 0.098. The paper's: (0.24 +- 0.01)e-3 and 0.10 +- 0.01.
    """
    config.data.source, config.data.classes, config.data.first, config.data.second = "lines", (), "line", "line"
    config.model.latent_width = 2
    config.model.depth = config.model.critic_depth = 16
    config.train.total_kimg = 1_056.0
    config.train.batch_size = 16
    config.train.learning_rate = config.train.critic_learning_rate = 5e-4
    config.train.schedule, config.train.schedule_floor = "cosine", 0.2
    config.train.ema_rate = 0.999
    config.train.pictures_every_kimg = 32.0


def baseline_variant(config, bottleneck, strength, recipe):
    """An autoencoder with which the paper compares ACAI: no critic, another bottleneck, otherwise as its recipe.

    On lines it trains on 300 kimg.

    The adversarial loss of the AAE joins late on lines, and its weight rises slowly to the official 1, over
    AAE_RAMP_ON_LINES: otherwise all its latents become one (docs/configs.md).

    Command:   python train.py --config=configs/acai.py:lines_vae --workdir=runs/lines_vae
    """
    config.train.total_kimg = 300.0 if recipe == "lines" else config.train.total_kimg
    config.model.mix_weight = 0.0
    config.model.bottleneck, config.model.bottleneck_strength = bottleneck, strength
    if bottleneck == "projected_vqvae":
        config.model.codebook_size = 2**14
    if bottleneck == "aae" and recipe == "lines":
        config.train.adversarial_from_kimg, config.train.adversarial_ramp_kimg = AAE_RAMP_ON_LINES


VARIANTS = {function.__name__: function for function in (paper, pegasus, small, ten_1024, lines, quick, folder)}
VARIANTS |= {f"{prefix}{name}": baseline_variant for prefix in PREFIXES for name in BASELINES}

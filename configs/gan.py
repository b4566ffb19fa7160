"""Generative adversarial networks, sized for two CPU cores.

python train.py --config=configs/gan.py --workdir=runs/dcgan             DCGAN, without labels
python train.py --config=configs/gan.py:cgan --workdir=runs/cgan         a class can be chosen, and morphed
python train.py --config=configs/gan.py:sngan --workdir=runs/sngan       residual, spectral norm, hinge loss
python train.py --config=configs/gan.py:wgan --workdir=runs/wgan         Wasserstein, clipped weights
python train.py --config=configs/gan.py:wgan_gp --workdir=runs/wgan_gp   Wasserstein, gradient penalty

Unlike the papers', all train on four classes of CIFAR-10, mirror half of the images, take batches of 64 and
release an averaged generator. One kimg is 1,000 images that the discriminator or critic saw.
"""

import ml_collections


def get_config(variant="dcgan"):
    """The named variant."""
    variants = {f.__name__: f for f in (dcgan, cgan, sngan, wgan, wgan_gp)}
    if variant not in variants:
        raise ValueError(f"configs/gan.py has the variants {', '.join(variants)}. Received: {variant!r}")
    config = base()
    variants[variant](config)
    return config


def base():
    """DCGAN's choices and no trick: what every variant begins with."""
    config = ml_collections.ConfigDict()
    config.family = "gan"

    config.data = data = ml_collections.ConfigDict()
    data.source = "cifar10"  # or "folder" for the images in image_folder
    data.image_folder = ""  # one sub-folder a class
    data.memory_limit_gib = (
        -1.0
    )  # larger data stream from cache_folder; below 0: a quarter of the machine's memory
    data.cache_folder = ""  # default: ~/.cache/pegasus-acai
    data.classes = ("bird", "horse", "airplane", "deer")
    data.flip = True  # mirror half of the images
    data.hold_out = True  # keep every tenth training image from training
    data.first, data.second = "horse", "bird"  # of the morphs among the pictures, where conditional

    config.model = model = ml_collections.ConfigDict()
    model.architecture = "dcgan"  # or "residual"
    model.width = 32
    model.noise_size = 100
    model.generator_channels = 64  # at half the width in pixels; residual: of every block
    model.discriminator_channels = 64  # of the first layer; residual: of every block
    model.up = "transposed"  # or "resize"; residual: always "resize"
    model.normalisation = "batch"  # of the discriminator: also "spectral" or "none"
    model.conditional = False  # tell the classes apart
    model.condition = "projection"  # how: with class-conditional batch norm; or "concat"
    model.loss = "non_saturating"  # minimax, least_squares, hinge, wasserstein
    model.gradient_penalty = 0.0
    model.weight_clip = 0.0
    model.critic_steps = 1  # to one of the generator
    model.soft_labels = 0.0  # real images are worth from as much below 1 up, fakes from 0 up to as much
    model.flipped_labels = 0.0  # share of them
    model.instance_noise = 0.0  # standard deviation at the start, on images in [-1, 1]
    model.replay_images = 0  # older fakes kept for the discriminator
    model.minibatch_deviation = False
    model.spherical_noise = False
    model.augment = ()  # of what the discriminator sees: flip, colour, translation, cutout
    model.join_batches = False  # batch norm over real images and fakes together

    config.train = train = ml_collections.ConfigDict()
    train.total_kimg = 1_500.0
    train.batch_size = 64
    train.learning_rate = 2e-4  # of the generator
    train.discriminator_learning_rate = 2e-4
    train.optimizer = "adam"  # or "rmsprop"
    train.beta_1, train.beta_2 = 0.5, 0.999  # Adam's
    train.schedule = "constant"  # or "cosine": to 0 at total_kimg
    train.instance_noise_kimg = 750.0  # when instance noise has gone
    train.ema_rate = 0.999  # kept a generator step by the averaged generator; 0: no average
    train.precision = "auto"  # float32, mixed_bfloat16, mixed_float16
    train.jit_compile = "auto"  # XLA: on, off; auto: where it is faster
    train.strategy = "default"  # one device; "mirrored": all GPUs; "multi_worker": the machines of TF_CONFIG
    train.deterministic = False  # the same bits in each run on one GPU, at a cost of speed; a CPU's always are
    train.seed = 0
    train.log_every_kimg = 3.2
    train.pictures_every_kimg = 64.0
    train.save_every_kimg = 32.0
    train.release_every_kimg = 64.0
    train.keep_checkpoints = 3
    return config


def dcgan(config):
    """Radford, Metz and Chintala 2015, arXiv 1511.06434, at 32x32 and half of the paper's width.

    Unlike the paper's: what the discriminator sees is augmented (arXiv 2006.10738), as 18,000 images are few,
    and the learning rates fall.

    Command:   python train.py --config=configs/gan.py --workdir=runs/dcgan
    Time:      71 minutes on 2 cores (700 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.0054, fd_classifier_1k 2.27. Not augmented and at a constant rate 0.0134 after
               15 minutes (658 kimg).
    """
    config.model.augment = ("translation", "cutout")
    config.train.total_kimg = 3_000.0
    config.train.schedule = "cosine"


def cgan(config):
    """DCGAN with classes as Miyato and Koyama 2018, arXiv 1802.05637: conditional batch norm and a projection.

    `--config.model.condition=concat` is the form of Mirza and Osindero 2014, arXiv 1411.1784. Losses and optimizer
    stay DCGAN's; what the discriminator sees is augmented (arXiv 2006.10738), as 18,000 images are few for it.

    Command:   python train.py --config=configs/gan.py:cgan --workdir=runs/cgan
    Time:      77 minutes on 2 cores (460 to 780 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.0051, fd_classifier_1k 1.85; 72% taken for their class by the referee.
    """
    config.model.conditional = True
    config.model.augment = ("translation", "cutout")
    config.train.total_kimg = 3_148.0


def sngan(config):
    """Miyato et al. 2018, arXiv 1802.05957, conditional as arXiv 1802.05637: residual, spectral norm, hinge loss.

    64 channels in place of the paper's 256 (generator) and 128; its learning rates do not fall.

    Command:   python train.py --config=configs/gan.py:sngan --workdir=runs/sngan
    Time:      15 minutes for 168 kimg on 2 cores (190 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.0823 at 168 kimg.
    """
    config.model.architecture, config.model.up, config.model.noise_size = "residual", "resize", 128
    config.model.normalisation = "spectral"
    config.model.conditional = True
    config.model.loss = "hinge"
    config.model.critic_steps = 5
    config.train.beta_1, config.train.beta_2 = 0.0, 0.9


def wgan(config):
    """Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, with DCGAN's networks: clipped weights, RMSProp.

    Command:   python train.py --config=configs/gan.py:wgan --workdir=runs/wgan
    Time:      15 minutes for 580 kimg on 2 cores (up to 1,070 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.1182 at 580 kimg.
    """
    config.model.loss = "wasserstein"
    config.model.weight_clip = 0.01
    config.model.critic_steps = 5
    config.train.optimizer = "rmsprop"
    config.train.learning_rate = config.train.discriminator_learning_rate = 5e-5


def wgan_gp(config):
    """Gulrajani et al. 2017, arXiv 1704.00028, with DCGAN's networks: gradient penalty, no norm in the critic.

    Command:   python train.py --config=configs/gan.py:wgan_gp --workdir=runs/wgan_gp
    Time:      15 minutes for 426 kimg on 2 cores (470 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.1467 at 426 kimg.
    """
    config.model.noise_size = 128
    config.model.normalisation = "none"
    config.model.loss = "wasserstein"
    config.model.gradient_penalty = 10.0
    config.model.critic_steps = 5
    config.train.learning_rate = config.train.discriminator_learning_rate = 1e-4
    config.train.beta_1, config.train.beta_2 = 0.0, 0.9

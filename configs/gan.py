"""Generative adversarial networks, sized for two CPU cores.

python train.py --config=configs/gan.py --workdir=runs/dcgan             DCGAN, unconditional
python train.py --config=configs/gan.py:cgan --workdir=runs/cgan         DCGAN, conditional on the class
python train.py --config=configs/gan.py:sngan --workdir=runs/sngan       residual, spectral norm, hinge loss
python train.py --config=configs/gan.py:wgan --workdir=runs/wgan         Wasserstein loss, clipped weights
python train.py --config=configs/gan.py:wgan_gp --workdir=runs/wgan_gp   Wasserstein loss, gradient penalty
python train.py --config=configs/gan.py:alternating --workdir=runs/alternating   horses and winged birds in turn

Unlike the papers, all variants but the last train on four classes of CIFAR-10. All mirror half of the images, use
batches of 64 and release a moving average of the generator. One kimg is 1,000 images that the discriminator or
critic has seen.
"""

import ml_collections

from configs.variants import check_variant
from pegasus import labels


def get_config(variant="dcgan"):
    """Returns the config of a variant: "dcgan", "cgan", "sngan", "wgan", "wgan_gp" or "alternating"."""
    check_variant(variant, VARIANTS, "configs/gan.py")
    config = base()
    VARIANTS[variant](config)
    return config


def base():
    """DCGAN without tricks, from which all variants start. See gan/choices.py for the values of choices."""
    config = ml_collections.ConfigDict()
    config.family = "gan"

    config.data = data = ml_collections.ConfigDict()
    data.source = "cifar10"  # or "folder" for the images in image_folder
    data.image_folder = ""  # one sub-folder per class
    # Larger datasets are streamed from cache_folder. Below 0: a quarter of the machine's memory.
    data.memory_limit_gib = -1.0
    data.cache_folder = ""  # default: ~/.cache/pegasus-acai
    data.classes = ("bird", "horse", "airplane", "deer")
    data.ids = ()  # the images of CIFAR-10 to train on, among those of the classes; none: all
    data.alternate = False  # train on one class for an epoch, then on the next, in turn
    data.flip = True  # mirror each image with probability 1/2
    data.first, data.second = "horse", "bird"  # classes of the morphs that a conditional GAN renders

    config.model = model = ml_collections.ConfigDict()
    model.architecture = "dcgan"  # or "residual"
    model.width = 32  # of the images, in pixels; 64 needs images of your own
    model.noise_size = 100  # numbers from which the generator makes an image
    model.generator_channels = 64  # dcgan: at half the image width; residual: in every block
    model.discriminator_channels = 64  # dcgan: of the first layer; residual: in every block
    model.up = "transposed"  # the generator's upsampling; the residual architecture needs "resize"
    model.normalisation = "batch"  # of the discriminator
    model.conditional = False  # condition both networks on the class
    model.condition = "projection"  # how they are conditioned
    model.loss = "non_saturating"  # or hinge, wasserstein
    model.gradient_penalty = 0.0  # its weight, lambda
    model.weight_clip = 0.0  # bound of the discriminator's weights; 0: none
    model.critic_steps = 1  # steps of the discriminator per step of the generator
    model.soft_labels = 0.0  # targets are drawn up to this far from 1 (real images) and 0 (fakes)
    model.flipped_labels = 0.0  # probability with which a target is flipped
    model.instance_noise = 0.0  # initial standard deviation of noise on images in [-1, 1]
    model.replay_images = 0  # capacity of the replay buffer of earlier fakes
    model.minibatch_deviation = False  # show the discriminator the deviation of the batch
    model.spherical_noise = False  # noise of one length
    model.augment = ()  # augmentations of the discriminator's images: flip, colour, translation, cutout
    model.join_batches = False  # apply batch norm to real images and fakes as one batch

    config.train = train = ml_collections.ConfigDict()
    train.total_kimg = 1_500.0  # length of the training in 1,000 images
    train.batch_size = 64  # images per step
    train.learning_rate = 2e-4  # of the generator
    train.discriminator_learning_rate = 2e-4
    train.optimizer = "adam"  # or "rmsprop"
    train.beta_1, train.beta_2 = 0.5, 0.999  # of Adam
    train.schedule = "constant"  # or "cosine": decay to 0 at total_kimg
    train.instance_noise_kimg = 750.0  # when the instance noise reaches 0
    train.ema_rate = 0.999  # share of the generator's moving average that a generator step keeps; 0: no average
    train.precision = "auto"  # or float32, mixed_bfloat16, mixed_float16
    train.jit_compile = "auto"  # XLA: on, off or auto (where it is faster)
    train.strategy = "default"  # one device; "mirrored": all GPUs; "multi_worker": the machines of TF_CONFIG
    train.deterministic = False  # True: bit-identical runs on one GPU, but slower; runs on a CPU always are
    train.seed = 0  # of all random numbers
    train.log_every_kimg = 3.2
    train.pictures_every_kimg = 64.0  # also figures of the samples; 0: pictures at the end, no figures
    train.save_every_kimg = 32.0  # checkpoints; 0: at the end only
    train.release_every_kimg = 64.0  # what generate.py and evaluate.py use; 0: at the end only
    train.keep_checkpoints = 3  # number of the newest to keep
    train.max_minutes = 0.0  # saves and stops this long after the start of the command; 0: no limit
    return config


def dcgan(config):
    """Radford, Metz and Chintala 2015 (arXiv 1511.06434), at 32x32 with half of the paper's channels.

    Unlike in the paper, the discriminator's images are augmented (arXiv 2006.10738), because there are only
    18,000, and the learning rates decay.

    Command:   python train.py --config=configs/gan.py --workdir=runs/dcgan
    Time:      71 minutes on 2 cores (700 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.0054, fd_classifier_1k 2.27. Without augmentation, at a constant learning rate,
               kd_classifier_1k is 0.0134 after 15 minutes (658 kimg).
    """
    config.model.augment = ("translation", "cutout")
    config.train.total_kimg = 3_000.0
    config.train.schedule = "cosine"


def cgan(config):
    """DCGAN, conditional as in Miyato and Koyama 2018 (arXiv 1802.05637): conditional batch norm and a projection.

    `--config.model.condition=concat` gives the form of Mirza and Osindero 2014 (arXiv 1411.1784). Loss and
    optimizer are DCGAN's. The discriminator's images are augmented (arXiv 2006.10738), because there are only
    18,000.

    Command:   python train.py --config=configs/gan.py:cgan --workdir=runs/cgan
    Time:      77 minutes on 2 cores (460 to 780 images/s); on a GPU not measured.
    Figures:   kd_classifier_1k 0.0051, fd_classifier_1k 1.85; the referee recognises 72% of the samples.
    """
    config.model.conditional = True
    config.model.augment = ("translation", "cutout")
    config.train.total_kimg = 3_148.0


def sngan(config):
    """Miyato et al. 2018 (arXiv 1802.05957), conditional as in arXiv 1802.05637: spectral norm and hinge loss.

    The residual networks have 64 channels instead of the paper's 256 (generator) and 128 (discriminator), and the
    learning rates do not decay.

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
    """Arjovsky, Chintala and Bottou 2017 (arXiv 1701.07875) with DCGAN's networks: clipped weights and RMSProp.

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
    """Gulrajani et al. 2017 (arXiv 1704.00028) with DCGAN's networks: gradient penalty, no norm in the critic.

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


def alternating(config):
    """DCGAN on labelled images: an epoch of white horses, then one of birds with spread wings, and so on in turn.

    The generator follows the discriminator from one class to the other and may stop between them. The idea is that
    of https://github.com/E-Renshaw/ping-pong-gan. `pegasus/labels` says which horses are white and seen from the
    side, and which birds spread their wings: 337 and 190 images, less those held out.

    Command:   python train.py --config=configs/gan.py:alternating --workdir=runs/alternating
    Time:      13 minutes on 2 cores of a Zen 5 beside other work (700 to 1,160 images/s); on a GPU not measured.
    Figures:   of its best 64 of 20,000 samples, wing_referee calls 11% winged horses, and viewers none.
    """
    dcgan(config)
    config.data.classes = ("horse", "bird")
    horses = [horse.id for horse in labels.horse_side_views().values() if horse.shade == "white"]
    birds = [bird.id for bird in labels.bird_wings().values() if bird.wings in labels.SPREAD]
    config.data.ids = tuple(horses + birds)
    config.data.alternate = True
    config.train.total_kimg = 630.0


VARIANTS = {function.__name__: function for function in (dcgan, cgan, sngan, wgan, wgan_gp, alternating)}

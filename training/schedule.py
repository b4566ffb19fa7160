"""Steps, kimg (1,000 images) and learning rates of a config."""


def steps(config, kimg):
    """The nearest whole number of steps, at least 1; 0 for 0."""
    return max(1, round(kimg * 1000 / config.train.batch_size)) if kimg else 0


def kimg(config, step):
    return step * config.train.batch_size / 1000


def cosine(config, learning_rate, warmup=0.0, floor=0.0):
    """A Keras schedule that falls to the share `floor` of the learning rate at `total_kimg`.

    Over the share `warmup` of the steps it first rises from 0.
    """
    from keras.optimizers import schedules

    total = steps(config, config.train.total_kimg)
    if not warmup:
        return schedules.CosineDecay(learning_rate, total, alpha=floor)
    rising = max(1, round(warmup * total))
    return schedules.CosineDecay(
        0.0, max(1, total - rising), floor, warmup_target=learning_rate, warmup_steps=rising
    )

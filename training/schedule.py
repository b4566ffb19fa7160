"""Conversions between steps and kimg (1,000 images), and learning rate schedules."""


def steps(config, kimg):
    """Converts kimg to the nearest number of steps, at least 1; 0 remains 0."""
    return max(1, round(kimg * 1000 / config.train.batch_size)) if kimg else 0


def kimg(config, step):
    """Converts a number of steps to kimg."""
    return step * config.train.batch_size / 1000


def release_settings(config, model):
    """Returns the settings of a release, a nested dict: its config, and what was trained as "trained_kimg".

    Args:
        config: of the training.
        model: with `step`, the number of steps taken.
    """
    from common.distribute import distribution

    return config.to_dict() | {"trained_kimg": kimg(config, distribution.to_int(model.step))}


def cosine(config, learning_rate, warmup=0.0, floor=0.0):
    """Returns a Keras schedule: linear warmup, then cosine decay to `floor * learning_rate` at `total_kimg`.

    Args:
        config: with train.total_kimg and train.batch_size.
        learning_rate: maximum.
        warmup: share of the steps in which the rate rises from 0, in [0, 1).
        floor: share of the learning rate at the end, in [0, 1].
    """
    from keras.optimizers import schedules

    total = steps(config, config.train.total_kimg)
    if not warmup:
        return schedules.CosineDecay(learning_rate, total, alpha=floor)
    rising = max(1, round(warmup * total))
    return schedules.CosineDecay(
        0.0, max(1, total - rising), floor, warmup_target=learning_rate, warmup_steps=rising
    )

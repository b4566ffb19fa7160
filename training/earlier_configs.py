"""What the configs of earlier versions mean: fields that have other names now, that are new, and that are gone."""

RENAMED = {
    "model.codes": "model.codebook_size",
    "model.realism_weight": "model.adversarial_weight",
    "model.realism_penalty": "model.r1_weight",
    "train.realism_from_kimg": "train.adversarial_from_kimg",
    "train.realism_ramp_kimg": "train.adversarial_ramp_kimg",
    "train.realism_learning_rate": "train.adversarial_learning_rate",
}
NEUTRAL = {  # values of fields that were added later, with which a training is as it was without them
    "data.alternate": False,
    "data.ids": [],
    "model.masked_blends": 0.0,
    "train.max_minutes": 0.0,
}
GONE = {  # values of fields that are gone, with which a training was as it is without them
    "data.placed_pairs": 0.0,
    "model.feature_weight": 0.0,
    "model.recognition_weight": 0.0,
    "model.reconstruction": "squared",
    "train.recognition_from_kimg": 0.0,
    "train.recognition_ramp_kimg": 0.0,
}
GONE_OF_DISCRIMINATORS = ("model.realism_loss", "model.realism_augment", "model.realism_by_class")


def in_current_fields(flat, current):
    """Returns a stored config with the fields of this version where the training is the same, else as it is.

    Args:
        flat: {"section.field": value}, plain values of JSON.
        current: names of the fields of this version's config.
    """
    flat = {RENAMED.get(name, name): value for name, value in flat.items()}
    gone = (
        GONE if flat.get("model.adversarial_weight") else GONE | {n: flat.get(n) for n in GONE_OF_DISCRIMINATORS}
    )
    kept = {n: value for n, value in flat.items() if n in current or n not in gone or gone[n] != value}
    return {name: NEUTRAL[name] for name in NEUTRAL.keys() & current} | kept

"""What the fields of all configs have in common."""

WITHOUT_EFFECT = (  # fields that do not affect what is trained, with all that end in INTERVAL_ENDING
    "data.first",
    "data.second",
    "data.memory_limit_gib",
    "data.cache_folder",
    "train.strategy",
    "train.deterministic",
    "train.towers",
    "train.max_minutes",
    "train.bank_per_class",
    "train.keep_checkpoints",
)
INTERVAL_ENDING = "_every_kimg"


def excludes_holdout(config):
    """Whether a training is without the hold-out. Wing classifiers hold out a fold of the ids instead."""
    return config.family != "wing_classifier"


def flatten(tree, prefix=""):
    """Flattens a nested dict: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat

"""What the configs of earlier versions mean: fields that are new, and fields that are gone."""

NEUTRAL = {  # values of fields that were added later, with which a training is as it was without them
    "data.alternate": False,
    "data.ids": [],
    "model.masked_blends": 0.0,
    "train.max_minutes": 0.0,
}
GONE = {  # values of fields that are gone, with which a training was as it is without them
    "data.hold_out": True,
    "data.placed_pairs": 0.0,
}


def in_current_fields(flat, current):
    """Returns a stored config with the fields of this version where the training is the same, else as it is.

    Args:
        flat: {"section.field": value}, plain values of JSON.
        current: names of the fields of this version's config.
    """
    kept = {n: value for n, value in flat.items() if n in current or n not in GONE or GONE[n] != value}
    return {name: NEUTRAL[name] for name in NEUTRAL.keys() & current} | kept

"""Decoding the path between two endpoints, whatever the family of the model."""

import numpy as np


def decode_pairs(decode_at, mix, strip):
    """Decodes endpoints and pictures between them.

    Each share is decoded once, so that equal shares give equal bits: a strip ends in the endpoints, and picture k
    does not depend on what else is asked for.

    Args:
        decode_at: function, list of shares of the second endpoint in [0, 1] -> list of images [N, H, W, C].
        mix: share of the second endpoint in the pictures; None: no pictures.
        strip: number of pictures in a strip, endpoints included; 0: no strips.

    Returns:
        {"parents": [N, 2, H, W, C]}, with a mix also "pictures" [N, H, W, C] and with a strip "strips"
        [N, strip, H, W, C].
    """
    shares = {"parents": [0.0, 1.0]}
    if mix is not None:
        shares["pictures"] = [mix]
    if strip:
        shares["strips"] = np.linspace(0, 1, strip).tolist()
    each = sorted(set().union(*shares.values()))
    images = dict(zip(each, decode_at(each), strict=True))
    decoded = {name: np.stack([images[share] for share in chosen], axis=1) for name, chosen in shares.items()}
    if mix is not None:
        decoded["pictures"] = decoded["pictures"][:, 0]
    return decoded

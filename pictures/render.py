"""Decoding what lies between latents or noises, whatever the family of the model."""

import numpy as np

from common.interpolation import analogy_corners, interpolate_grid


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


def decode_diagrams(decode, points, request, path):
    """Decodes J-diagrams or MINE grids (White 2016, arXiv 1609.04468).

    A J-diagram has three points in its corners and the fourth by analogy. A MINE grid has a point at every second
    place.

    Args:
        decode: function, points [M, ...] -> images [M, H, W, C].
        points: latents or noises [N, `request.endpoints_per_picture()`, ...].
        request: pictures.request.InterpolateNoise with a layout of diagrams.
        path: "slerp" or "lerp".

    Returns:
        {"diagrams": [N, strip, strip, H, W, C]}.
    """
    side, gap = request.anchors()
    if request.layout == "j":
        anchors = analogy_corners(*np.moveaxis(points, 1, 0))
    else:
        anchors = points.reshape(len(points), side, side, *points.shape[2:])
    cells = interpolate_grid(anchors, gap, path)
    pictures = decode(cells.reshape(-1, *cells.shape[3:]))
    return {"diagrams": pictures.reshape(*cells.shape[:3], *pictures.shape[1:])}

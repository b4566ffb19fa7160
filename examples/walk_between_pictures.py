"""Walks from a picture to another and writes walk.png: python walk_between_pictures.py FIRST SECOND"""

import sys

import numpy as np

from acai.inference import ReleasedACAI
from common.images import grid, read_picture, to_float, to_uint8, write_png
from common.interpolation import interpolate_path

if len(sys.argv) != 3:
    sys.exit(__doc__)
pictures = np.stack([read_picture(path) for path in sys.argv[1:]])  # central squares, uint8 [2, 32, 32, 3]

model = ReleasedACAI.load("pegasus")
first, second = np.split(model.encode(to_float(pictures)), 2)
latents = interpolate_path(first, second, steps=9, kind="slerp")[0]  # both ends included

print(write_png("walk.png", grid(to_uint8(model.decode(latents)), columns=9, scale=4)))

"""Blends two arrays of images in latent space and writes blends.png: python blend_arrays.py"""

import numpy as np

from acai.inference import ReleasedACAI
from common.images import grid, to_uint8, write_png
from common.interpolation import slerp
from gan.inference import ReleasedGAN

# Samples of a GAN stand in for your own images, float32 [N, 32, 32, 3] in [-1, 1]. Labels: 0 is bird, 1 is horse.
gan = ReleasedGAN.load("cgan")
noise = gan.draw_noise(seed=0, count=8)
horses, birds = gan.sample(noise, [1] * 8), gan.sample(noise, [0] * 8)

model = ReleasedACAI.load("pegasus")
latents = slerp(model.encode(horses), model.encode(birds), mix=0.5)  # mix is the share of the birds
blends = model.decode(latents)

rows = np.concatenate([horses, blends, birds])
print(write_png("blends.png", grid(to_uint8(rows), columns=8, scale=4)))

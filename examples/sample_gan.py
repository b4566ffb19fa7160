"""Samples a GAN and writes samples.png, a row for each class: python sample_gan.py"""

import numpy as np

from common.images import grid, to_uint8, write_png
from gan.inference import ReleasedGAN

model = ReleasedGAN.load("cgan")  # or the path of a run directory
print("rows:", *model.class_names)

labels = np.repeat(np.arange(model.classes), 8)
noise = model.draw_noise(seed=0, count=len(labels))
images = model.sample(noise, labels)  # without labels if model.classes is 0

print(write_png("samples.png", grid(to_uint8(images), columns=8, scale=4)))

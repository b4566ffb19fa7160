"""The search of a GAN's noise, with a generator and a classifier that are known."""

import numpy as np

from pegasus.search_config import Search
from pictures.gan_plan import GANPlan
from pictures.gan_search import search_noise
from pictures.request import SampleNoise

COUNT, KEEP = 600, 5  # more than two batches


class Painter:
    """Picture k is dark, with a patch at one of nine places, whose place and lightness are noise k."""

    def noise_of(self, seed, numbers):
        return np.array([np.random.default_rng([seed, k]).random(3) for k in numbers])

    def sample(self, noise, labels):
        assert labels is None
        pictures = np.full((len(noise), 32, 32, 3), -1.0, np.float32)
        for picture, (row, column, light) in zip(pictures, noise, strict=True):
            row, column = 8 * int(row * 3), 8 * int(column * 3)
            picture[row : row + 16, column : column + 16] = light
        return pictures


class LightClassifier:
    """Its probability of a horse is the lightness of a picture's patch, and that of wings one half."""

    def probabilities(self, pictures):
        return np.stack([pictures.max(axis=(1, 2, 3)), np.full(len(pictures), 0.5)], axis=1)


def search(seed):
    request = SampleNoise(search=Search(COUNT, KEEP), count=KEEP, seed=seed)
    return search_noise(GANPlan(request, "a test", {}, {}, {}, ()), Painter(), LightClassifier())


def test_the_best_pictures_that_differ_are_kept_best_first():
    numbers, notes = search(seed=4)
    noise = Painter().noise_of(4, range(COUNT))
    pictures = Painter().sample(noise, None)
    expected = []  # slowly: the lightest left whose mean over 4 x 4 pixels differs from that of all before it
    for k in np.argsort(-noise[:, 2]):
        small = pictures[k].reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
        others = [pictures[j].reshape(8, 4, 8, 4, 3).mean(axis=(1, 3)) for j in expected]
        if len(expected) < KEEP and all(np.sqrt(np.mean((small - other) ** 2)) >= 0.2 for other in others):
            expected.append(int(k))
    assert numbers == expected != np.argsort(-noise[:, 2])[:KEEP].tolist()
    for note, k in zip(notes, expected, strict=True):
        score = 0.6 * np.log(noise[k, 2]) + 0.8 * np.log(0.5)
        assert note["candidate"] == k and abs(note["score"] - score) < 1e-4
        assert note["terms"] == {"horse": round(np.log(noise[k, 2]), 4), "wings": round(np.log(0.5), 4)}


def test_candidates_depend_on_the_seed():
    assert search(seed=4)[0] != search(seed=5)[0]

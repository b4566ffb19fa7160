"""Inexpensive figures that training logs at each picture interval, without confidence intervals.

They are figures of the suites "blend" and "lines" on fixed pairs, so that changes are visible during training.
"""

import numpy as np

from common import interpolation
from common.metrics import classification
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation import line_metrics


class BlendMetrics:
    """Scores slerp blends, half and half, of fixed pairs of images.

    Args:
        classifiers: {name: classifiers.inference.ReleasedClassifier}; the kernel distance uses the features of the
            last.
        first, second: images float32 [N, H, W, C] in [-1, 1]; row i of the one is blended with row i of the other.
        classes: names of the two classes, which the classifiers know.
    """

    def __init__(self, classifiers, first, second, classes):
        self.classifiers, self.first, self.second, self.classes = classifiers, first, second, classes
        real = np.concatenate([first, second])
        *_, last = classifiers.values()
        self.real_features = last(real)[1]
        self.real_energy = high_frequency_energy(real).mean()

    def __call__(self, encode, decode):
        """Computes {name: float} for a model.

        Args:
            encode: function, images [N, H, W, C] -> latents [N, h, w, c].
            decode: function, latents -> images.
        """
        latents = [np.asarray(encode(images)) for images in (self.first, self.second)]
        blends = np.clip(np.asarray(decode(interpolation.slerp(*latents, 0.5))), -1, 1)
        metrics = {"blend_sharpness": high_frequency_energy(blends).mean() / self.real_energy}
        for name, classifier in self.classifiers.items():
            probabilities, features = classifier(blends)
            pair = [classifier.class_names.index(c) for c in self.classes]
            recognisability = classification.recognisability(probabilities, *pair)
            metrics[f"blend_recognisability_{name}"] = recognisability.mean()
        metrics[f"blend_kd_{name}"] = kernel_distance(self.real_features, features)  # of the last classifier
        return {name: float(value) for name, value in metrics.items()}


def measure_lines(encode, decode):
    """Computes {name: float} of 256 pairs, see `line_metrics.line_figures`.

    The names are "lines_mean_distance", "lines_smoothness_official", which is the paper's, and "lines_smoothness",
    which is left out if no pair of lines turns.
    """
    figures = line_metrics.line_figures(line_metrics.interpolate_lines(encode, decode))
    metrics = {f"lines_{name}": figures[name] for name in ("mean_distance", "smoothness", "smoothness_official")}
    return {name: value for name, value in metrics.items() if not np.isnan(value)}

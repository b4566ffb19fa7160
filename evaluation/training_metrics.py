"""The few figures that a training measures of itself at each picture interval: cheap, without intervals.

They are those of the suites "blend" and "lines" on fixed pairs, so that one sees them move.
"""

import numpy as np

from acai import line_metrics
from common import interpolation
from common.metrics import classification
from common.metrics.features import high_frequency_energy, kernel_distance


class BlendWatch:
    """Scores slerp blends at one half of the first held-out images of two classes.

    Args:
        judges: {name: classifiers.inference.ReleasedClassifier}; kernel distances are of the features of the last.
        first, second: images float32 [N, H, W, C] in [-1, 1], row i to be blended with row i.
        classes: their two names, which the judges know.
    """

    def __init__(self, judges, first, second, classes):
        self.judges, self.first, self.second, self.classes = judges, first, second, classes
        real = np.concatenate([first, second])
        *_, last = judges.values()
        self.real_features = last(real)[1]
        self.real_energy = high_frequency_energy(real).mean()

    def __call__(self, encode, decode):
        """{name: float} of a model.

        Args:
            encode: function, images [N, H, W, C] -> latents [N, h, w, c].
            decode: function, latents -> images.
        """
        codes = [np.asarray(encode(side)) for side in (self.first, self.second)]
        blends = np.clip(np.asarray(decode(interpolation.slerp(*codes, 0.5))), -1, 1)
        found = {"blend_sharpness": high_frequency_energy(blends).mean() / self.real_energy}
        for name, judge in self.judges.items():
            probabilities, features = judge(blends)
            pair = [judge.class_names.index(c) for c in self.classes]
            found[f"blend_recognisability_{name}"] = classification.recognisability(probabilities, *pair).mean()
        found[f"blend_kd_{name}"] = kernel_distance(self.real_features, features)
        return {name: float(value) for name, value in found.items()}


def line_scores(encode, decode):
    """{"lines_mean_distance", "lines_smoothness"} of 256 pairs of 16 (see `acai.line_metrics.line_figures`).

    Without a smoothness where no pair of lines turns.
    """
    found = line_metrics.line_figures(line_metrics.interpolate_lines(encode, decode))
    scores = {f"lines_{name}": found[name] for name in ("mean_distance", "smoothness")}
    return {name: score for name, score in scores.items() if not np.isnan(score)}

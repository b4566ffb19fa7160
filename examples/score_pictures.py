"""Says what classifiers see in pictures: python score_pictures.py PICTURE ..."""

import sys

import numpy as np

from classifiers.inference import ReleasedClassifier, ReleasedWingClassifier
from common.images import read_picture, to_float

paths = sys.argv[1:]
if not paths:
    sys.exit(__doc__)
images = to_float(np.stack([read_picture(path) for path in paths]))  # float32 [N, 32, 32, 3] in [-1, 1]

classifier = ReleasedClassifier.load("classifier")
probabilities, features = classifier(images)  # [N, 10], and features [N, d] for distances between sets
horses_and_wings = ReleasedWingClassifier.load("wing_classifier").probabilities(images)  # [N, 2]

for path, row, (horse, wings) in zip(paths, probabilities, horses_and_wings, strict=True):
    name = classifier.class_names[row.argmax()]
    print(f"{path}: {name} {row.max():.0%}; horse {horse:.0%}, spread wings {wings:.0%}")

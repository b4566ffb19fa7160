"""Released classifiers as judges: class probabilities and features of pictures."""

import keras
import numpy as np
from scipy.special import softmax

from classifiers import JURORS
from classifiers.networks import ARCHITECTURES
from common import progress, release
from common.errors import InputError
from common.variables import restore


class Judge:
    """A classifier with its weights and temperature. A picture and its mirror image are judged alike.

    Pictures that are a whole number of times wider than the network's are shrunk to it, see `seen`.

    Args:
        sizes: {"architecture", "width", "channels", "classes", "colours", "class_names", "temperature"}.
        weights: {name: array} as `classifiers.model.Classifier.release_state` names them.
        source: what to call it in an error and while it works.
        batch_size: of one pass through the network.

    Raises:
        common.errors.InputError: when the weights are of other sizes.
    """

    def __init__(self, sizes, weights, source, batch_size=250):
        self.class_names, self.temperature = tuple(sizes["class_names"]), sizes["temperature"]
        self.width, self.source, self.batch_size = sizes["width"], source, batch_size
        self.network = ARCHITECTURES[sizes["architecture"]](
            self.width, tuple(sizes["channels"]), len(self.class_names), sizes["colours"]
        )
        restore({f"network/{i:02d}_{v.name}": v for i, v in enumerate(self.network.variables)}, weights, source)

    def __call__(self, images):
        """Images float32 [N, W, W, colours] in [-1, 1] -> (probabilities [N, classes], features [N, d]).

        Both float32: the probabilities from the mean logits of the image and its mirror image, divided by the
        temperature; the features as the mean of the two.
        """
        images = np.asarray(images, np.float32)
        starts = progress.track(range(0, len(images), self.batch_size), f"judging pictures by {self.source}")
        parts = [self._outputs(images[start : start + self.batch_size]) for start in starts]
        logits, features = (np.concatenate([part[name] for part in parts]) for name in ("logits", "features"))
        return softmax(logits / self.temperature, axis=1), features

    def look(self, images):
        """As a call, of the images as they are, not mirrored, and with the probabilities' logarithms: tensors that
        have gradients.
        """
        seen = self.network(self.seen(images))
        return keras.ops.log_softmax(seen["logits"] / self.temperature), seen["features"]

    def seen(self, images):
        """What the network is shown of images [N, W, W, colours]: [N, width, width, colours], means of squares.

        Raises:
            InputError: W is not a whole number of times the network's width.
        """
        times, rest = divmod(images.shape[1], self.width)
        if rest or not times:
            raise InputError(
                f"Pictures {self.width} pixels wide, or a whole number of times that, are required for "
                f"{self.source}. Received: {images.shape[1]} pixels"
            )
        return images if times == 1 else keras.ops.average_pool(images, times)

    def _outputs(self, images):
        both = self.network(self.seen(np.concatenate([images, images[:, :, ::-1]])))
        return {
            name: np.mean(np.split(keras.ops.convert_to_numpy(value), 2), axis=0) for name, value in both.items()
        }


def bundled(name):
    """The Judge of a name in pretrained/."""
    config, weights, *_ = release.read(release.BUNDLED / name, "classifier")
    return Judge(config["model"], weights, name)


def bundled_jury():
    """The Jury of those that may search."""
    return Jury([bundled(name) for name in JURORS])


class Jury:
    """Judges that answer together for a search, since what fools one of them seldom fools another.

    Args:
        judges: of the same classes in the same order.

    Raises:
        ValueError: for judges of different classes.
    """

    def __init__(self, judges):
        self.judges = tuple(judges)
        self.class_names = self.judges[0].class_names
        if any(judge.class_names != self.class_names for judge in self.judges):
            raise ValueError("Judges of the same classes are required. Received: different ones.")

    def look(self, images):
        """As `Judge.look`: the mean of their logarithms, and their features side by side."""
        logs, features = zip(*[judge.look(images) for judge in self.judges], strict=True)
        return sum(logs) / len(logs), keras.ops.concatenate(features, axis=-1)

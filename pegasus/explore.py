"""One page of HTML in which any two codes of a latent bank are mixed: nothing to install, nothing to fetch.

The page (acai/explore.html) holds codes and the decoder's weights, not decoded frames: 0.7 MB of weights show each
pair at every mix, which no sheet of frames could. A network goes into it as a list of steps and a heap of arrays
(`Packer`), which a few dozen lines of JavaScript run. Parents are shown as what the decoder makes of their codes.
"""

import base64
import json
from pathlib import Path

import numpy as np

from classifiers.inference import bundled_classifier
from common import release
from common.errors import InputError
from common.files import write_atomically
from common.interpolation import slerp

TEMPLATE = Path(__file__).with_name("explore.html")
CODES = 1_400_000  # bytes of codes on a page at most; in base64 it is a third more
CODES_PER_CLASS = 1000
DRAWN, BEST = 500, 25  # of the pairs drawn, the best blends' come first: a page of the two choices of parents


class Packer:
    """Arrays in one heap of little-endian bytes, each named by where it begins, its numbers and their type."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, array, kind):
        """Appends an array as `kind`, "f2" or "f4"; returns {"at", "shape", "kind"}."""
        self.parts.append(bytes(-self.size % 4))
        at = self.size + len(self.parts[-1])
        self.parts.append(np.asarray(array).astype(f"<{kind}").tobytes())
        self.size = at + len(self.parts[-1])
        return {"at": at, "shape": list(np.shape(array)), "kind": kind}

    def network(self, layers):
        """A chain of Keras layers as steps [{"op", ...}] for the page; batch normalisation becomes a line.

        Raises:
            ValueError: for a layer that the page cannot run.
        """
        return [step for layer in layers for step in self._steps(layer)]

    def _steps(self, layer):
        name = type(layer).__name__
        if name == "InputLayer":
            return []
        if name == "Conv2D" and layer.strides == (1, 1) and layer.padding == "same":
            return [self._linear("convolve", layer)]
        if name == "UpsampleThenConv2D":
            return [{"op": "double"}, self._linear("convolve", layer)]
        if name == "Dense":
            return [self._linear("dense", layer)]
        if name == "BatchNormalization":
            mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
            scale = np.asarray(layer.gamma) / np.sqrt(variance + layer.epsilon)
            shift = np.asarray(layer.beta) - scale * mean
            return [{"op": "scale", "by": self.add(scale, "f4"), "shift": self.add(shift, "f4")}]
        if name == "LeakyReLU":
            return [{"op": "leaky", "slope": layer.slope}]
        if name == "Activation" and layer.activation.__name__ == "gelu":
            return [{"op": "gelu"}]
        plain = {"MaxPooling": "halve", "GlobalMaxPooling2D": "highest"}
        if name not in plain:
            raise ValueError(f"layer: one that the page can run is required. Received: {name}")
        return [{"op": plain[name]}]

    def _linear(self, name, layer):
        bias = None if layer.bias is None else self.add(layer.bias, "f4")
        return {"op": name, "kernel": self.add(layer.kernel, "f2"), "bias": bias}

    def base64(self):
        return base64.b64encode(b"".join(self.parts)).decode()


def write(path, model, bank, classes, source, weights_digest):
    """Writes the page to a file and returns the path.

    Args:
        path: of the file.
        model: acai.inference.ReleasedACAI.
        bank: acai.latent_bank.LatentBank.
        classes: names of the first parents' class and the second parents'.
        source: what the page calls the model.
        weights_digest: of the model's release.

    Raises:
        InputError: for a model whose pictures are made by more than the decoder, which is all that the page runs.
    """
    if not model.autoencoder.bottleneck.decodes_plainly:
        raise InputError(
            "--explore needs a model whose decoder alone makes pictures from latents. "
            f"Received: {source}, whose bottleneck takes part"
        )
    classifier = fitting_classifier(model, classes)
    pairs = best_pairs(bank, classes, model, classifier) if classifier else ()
    text = page(source, weights_digest, bank, classes, model.decoder, classifier, pairs)
    write_atomically(path, text.encode())
    return path


def fitting_classifier(model, classes):
    """The bundled classifier where it knows the model's pictures and both, different classes; else None."""
    known = release.read(release.BUNDLED / "classifier", "classifier")[0]["model"]
    fits = (known["width"], known["colours"]) == (model.width, model.colours)
    if fits and set(classes) <= set(known["class_names"]) and classes[0] != classes[1]:
        return bundled_classifier("classifier")
    return None


def page(source, weights_digest, bank, classes, decoder, classifier=None, pairs=()):
    """The page as text; the same arguments give the same text.

    Args:
        source, weights_digest, bank, classes: as of `write`.
        decoder: keras.Sequential of `acai.networks.decoder`.
        classifier: classifiers.inference.ReleasedClassifier that knows the pictures and both classes; None: the
            page shows no probabilities.
        pairs: rows [(first, second), ...] of the bank that come first; the page opens with the first of them.
    """
    limit = min(CODES_PER_CLASS, max(1, CODES // (2 * bank.latents[0].nbytes)))
    sides = [
        shown(bank.rows(name), [pair[side] for pair in pairs], limit, side) for side, name in enumerate(classes)
    ]
    rows = np.unique(np.concatenate(sides))
    heap = Packer()
    data = {
        "source": source,
        "digest": weights_digest,
        "classes": classes,
        "sides": [side.tolist() for side in sides],
        "rows": rows.tolist(),
        "images": [[str(bank.splits[row]), int(bank.ids[row])] for row in rows],
        "codes": heap.add(bank.latents[rows], "f2"),
        "decoder": heap.network(decoder.layers),
        "judge": classifier
        and {
            "steps": heap.network(classifier.network.layers),
            "temperature": classifier.temperature,
            "classes": classifier.class_names,
        },
    }
    data["heap"] = heap.base64()
    text = json.dumps(data, sort_keys=True).replace("<", "\\u003c")  # no source's name ends the script
    return TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", text)


def best_pairs(bank, classes, model, classifier):
    """Rows [BEST, 2] whose blends at one half are recognised best as both classes, of DRAWN random pairs."""
    random = np.random.default_rng(0)
    pairs = np.stack([random.choice(bank.rows(name), DRAWN) for name in classes], axis=1)
    first, second = (bank.latents[column].astype(np.float32) for column in pairs.T)
    blends = np.clip(model.decode(slerp(first, second, 0.5)), -1, 1)
    probabilities = classifier(blends)[0][:, [classifier.class_names.index(name) for name in classes]]
    return pairs[np.argsort(-probabilities.prod(axis=1), kind="stable")[:BEST]].tolist()


def shown(rows, begin, limit, seed):
    """At most `limit` of a class's rows: `begin` without repeats, then others in an order drawn by `seed`."""
    drawn = np.random.default_rng(seed).permutation(rows).tolist()
    return np.array(list(dict.fromkeys([*begin, *drawn]))[:limit])

"""An HTML page that blends any two images of a latent bank. It is one file and fetches nothing.

The page (explore.html) holds latents and the networks' weights: 0.7 MB of weights show each pair at every mix. A
network goes into it as a list of steps and a buffer of arrays (`Packer`), which JavaScript runs. Parents are shown
as the decoder's reconstructions. In a second mode (explore_placing.js) the wings of a bird are placed on a horse.
"""

import base64
import dataclasses
import json
from pathlib import Path

import numpy as np

from classifiers.inference import ReleasedWingClassifier, bundled_classifier, bundled_wing_classifier
from common import release
from common.errors import InputError
from common.files import write_atomically
from common.interpolation import slerp
from pegasus import candidates, placement
from pegasus.parents import CLASSES, Parents, prepare_parents
from pegasus.search import SearchResult, run_search
from pegasus.search_config import Search

TEMPLATE, PLACING_SCRIPT = Path(__file__).with_name("explore.html"), Path(__file__).with_name("explore_placing.js")
MAX_LATENT_BYTES = 1_200_000  # base64 makes a third more of them
MAX_ROWS_PER_CLASS = 1000
NUM_DRAWN_PAIRS = 500
NUM_BEST_PAIRS = 25  # fill the first page of the choice of parents


class Packer:
    """Puts arrays into one buffer of little-endian bytes, where each has an offset, a shape and a type."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, array, kind):
        """Appends an array as `kind`, "u1", "f2" or "f4"; returns {"at", "shape", "kind"}."""
        self.parts.append(bytes(-self.size % 4))
        at = self.size + len(self.parts[-1])
        self.parts.append(np.asarray(array).astype(f"<{kind}").tobytes())
        self.size = at + len(self.parts[-1])
        return {"at": at, "shape": list(np.shape(array)), "kind": kind}

    def network(self, layers):
        """A chain of Keras layers as steps [{"op", ...}] for the page; batch normalisation becomes a
        scale and a shift.

        Raises:
            ValueError: for a layer that the page cannot run.
        """
        return [step for layer in layers for step in self._steps(layer)]

    def _steps(self, layer):
        name = type(layer).__name__
        if name in ("InputLayer", "Identity"):
            return []
        if name == "Conv2D" and layer.strides == (1, 1) and layer.padding == "same":
            return [self._linear("convolve", layer)]
        if name == "LinearThenConv2D":
            first = {"kernel": self.add(layer.linear_kernel, "f2"), "bias": self.add(layer.linear_bias, "f4")}
            return [{"op": "convolve"} | first, self._linear("convolve", layer)]
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
        plain = {"MaxPooling": "halve", "GlobalMaxPooling2D": "highest", "AveragePooling2D": "average"}
        if name not in plain or (name == "AveragePooling2D" and layer.pool_size != (2, 2)):
            raise ValueError(f"The page must be able to run the layer. Received: {name}")
        return [{"op": plain[name]}]

    def _linear(self, name, layer):
        bias = None if layer.bias is None else self.add(layer.bias, "f4")
        return {"op": name, "kernel": self.add(layer.kernel, "f2"), "bias": bias}

    def base64(self):
        return base64.b64encode(b"".join(self.parts)).decode()


def write(path, model, bank, classes, source, weights_digest, has_labels):
    """Writes the page to a file and returns the path.

    Args:
        path: of the file.
        model: acai.inference.ReleasedACAI.
        bank: acai.latent_bank.LatentBank.
        classes: names of the first parents' class and the second parents'.
        source: what the page calls the model.
        weights_digest: of the model's release.
        has_labels: whether `pegasus.labels` apply to the bank's ids; without them there is no second mode.

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
    placing = prepare_placing(model, bank) if classifier and has_labels and tuple(classes) == CLASSES else None
    text = page(source, weights_digest, bank, classes, model.autoencoder, classifier, pairs, placing)
    write_atomically(path, text.encode())
    return path


def fitting_classifier(model, classes):
    """The bundled classifier where it knows the model's pictures and both, different classes; else None."""
    known = release.read(release.BUNDLED / "classifier", "classifier")[0]["model"]
    fits = (known["width"], known["colours"]) == (model.width, model.colours)
    if fits and set(classes) <= set(known["class_names"]) and classes[0] != classes[1]:
        return bundled_classifier("classifier")
    return None


def page(source, weights_digest, bank, classes, autoencoder, classifier=None, pairs=(), placing=None):
    """The page as text; the same arguments give the same text.

    Args:
        source, weights_digest, bank, classes: as of `write`.
        autoencoder: acai.autoencoder.Autoencoder.
        classifier: classifiers.inference.ReleasedClassifier that knows the pictures and both classes; None: the
            page shows no probabilities.
        pairs: rows [(first, second), ...] of the bank that come first; the page opens with the first of them.
        placing: Placing of the second mode; None: there is no second mode.
    """
    limit = min(MAX_ROWS_PER_CLASS, max(1, MAX_LATENT_BYTES // (2 * bank.latents[0].nbytes)))
    placed = [placing.rows(side) if placing else bank.rows(name)[:0] for side, name in enumerate(classes)]
    sides = [
        limit_rows(bank.rows(name), [*(pair[side] for pair in pairs), *placed[side]], limit, side)
        for side, name in enumerate(classes)
    ]
    rows = np.unique(np.concatenate([*sides, *placed]))
    heap = Packer()
    data = {
        "source": source,
        "digest": weights_digest,
        "classes": classes,
        "sides": [side.tolist() for side in sides],
        "rows": rows.tolist(),
        "images": [[str(bank.splits[row]), int(bank.ids[row])] for row in rows],
        "latents": heap.add(bank.latents[rows], "f2"),
        "decoder": heap.network(autoencoder.decoder.layers),
        "classifier": classifier
        and {
            "steps": heap.network(classifier.network.layers),
            "temperature": classifier.temperature,
            "classes": classifier.class_names,
        },
    }
    data["placing"] = placing and placing.data(heap, autoencoder.encoder)
    data["heap"] = heap.base64()
    text = json.dumps(data, sort_keys=True).replace("<", "\\u003c")  # a source's name cannot end the script
    script = PLACING_SCRIPT.read_text(encoding="utf-8") if placing else ""
    return TEMPLATE.read_text(encoding="utf-8").replace("{{placing}}", script).replace("{{data}}", text)


@dataclasses.dataclass(frozen=True, eq=False)
class Placing:
    """What the second mode shows.

    Attributes:
        parents: pegasus.parents.Parents, reconstructions of the bank.
        examples: pegasus.search.SearchResult; the mode opens with the first of them.
        classifier: classifiers.inference.ReleasedWingClassifier.
    """

    parents: Parents
    examples: SearchResult
    classifier: ReleasedWingClassifier

    def rows(self, side):
        """Rows of the bank, of the horses for side 0 and of the birds for side 1."""
        return (self.parents.horses, self.parents.birds)[side].rows

    def data(self, heap, encoder):
        """The mode's data for the page, arrays in a Packer."""
        animals = self.parents.horses, self.parents.birds
        return placing_constants() | {
            "sides": [group.rows.tolist() for group in animals],
            "masks": heap.add(np.round(255 * np.concatenate([group.masks for group in animals])), "u1"),
            "faces_left": [label.head == "left" for label in self.parents.horses.labels],
            "examples": [
                {"rows": [parent["row"] for parent in note["parents"]], "placements": blend["placements"]}
                for blend, note in zip(self.examples.blends, self.examples.notes, strict=True)
            ],
            "encoder": heap.network(encoder.layers),
            "classifier": {
                "steps": heap.network(self.classifier.network.layers),
                "scale": self.classifier.scale.tolist(),
                "offset": self.classifier.offset.tolist(),
                "classes": self.classifier.class_names,
            },
        }


def placing_constants():
    """Constants of placements and candidates that the page's arithmetic shares."""
    return {
        "along": float(np.mean(candidates.ALONG)),
        "overlap": candidates.OVERLAP,
        "head": candidates.HEAD,
        "gain": candidates.SHARE_GAIN,
        "blur_steps": placement.BLUR_STEPS,
        "blur_over": placement.BLUR_OVER,
    }


def prepare_placing(model, bank):
    """The second mode; None for a bank without labelled horses and birds, or with no plausible example of them."""
    classifier, config = bundled_wing_classifier(), Search(NUM_DRAWN_PAIRS, NUM_BEST_PAIRS)
    try:
        parents = prepare_parents(model, bank)
        return Placing(parents, run_search(config, model, classifier, parents, seed=0), classifier)
    except InputError:
        return None


def best_pairs(bank, classes, model, classifier):
    """Rows [NUM_BEST_PAIRS, 2] of the random pairs whose blends are recognised best as both classes."""
    random = np.random.default_rng(0)
    pairs = np.stack([random.choice(bank.rows(name), NUM_DRAWN_PAIRS) for name in classes], axis=1)
    first, second = (bank.latents[column].astype(np.float32) for column in pairs.T)
    blends = np.clip(model.decode(slerp(first, second, 0.5)), -1, 1)
    probabilities = classifier(blends)[0][:, [classifier.class_names.index(name) for name in classes]]
    return pairs[np.argsort(-probabilities.prod(axis=1), kind="stable")[:NUM_BEST_PAIRS]].tolist()


def limit_rows(rows, chosen, limit, seed):
    """At most `limit` of a class's rows: first `chosen` without repeats, then the others, shuffled by `seed`."""
    shuffled = np.random.default_rng(seed).permutation(rows).tolist()
    return np.array(list(dict.fromkeys([*chosen, *shuffled]))[:limit])

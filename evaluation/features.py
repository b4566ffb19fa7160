"""What pictures look like to a network: features for Frechet and kernel distances, by name.

    classifier       this project's own; any other release of a classifier goes by its bundled name or path
    inception        InceptionV3 with Keras's ImageNet weights
    a .keras file    any model of images [N, H, W, 3] in [-1, 1] with one output [N, d]

Keras is imported where a network is made, not with this module, so that entry points can `check` a name first.
"""

import contextlib
import dataclasses
import os
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common import progress, release
from common.errors import InputError, one_line
from common.files import digest, pack, unpack, write_atomically

INCEPTION_WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_WIDTH = 299  # pixels
INCEPTION_BATCH = 50  # its activations take some 100 MB an image
TIMEOUT = 5  # seconds of silence after which a download is given up
OWN_SCALE = "not comparable with Inception FID"


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A network that makes features; call it with images.

    Attributes:
        name: what names of metrics and of files call it.
        digest: 16 hexadecimal digits of the content of its weights.
        comparable: a note on what its distances compare with.
        shape: (H, W, C) of the images that it takes, None where any will do.
        network: function, float32 [B, H, W, C] in [-1, 1] -> [B, d].
        batch_size: images that it sees at once.
    """

    name: str
    digest: str
    comparable: str
    shape: tuple
    network: Callable
    batch_size: int = 250

    def __call__(self, images):
        """Images, floats [N, H, W, C] in [-1, 1], N >= 1 -> features float32 [N, d].

        Raises:
            InputError: the network takes images of another shape.
            ValueError: images that are no floats, or of another rank, or none.
        """
        images = np.asarray(images)
        if images.ndim != 4 or len(images) == 0 or images.dtype.kind != "f":
            raise ValueError(
                f"images: floats [N, H, W, C], N >= 1, required. Received: {images.dtype} {images.shape}"
            )
        if any(own not in (None, given) for own, given in zip(self.shape, images.shape[1:], strict=True)):
            raise InputError(
                f"A network of images {images.shape[1:]} is required. Received: {self.name} of {self.shape}"
            )
        starts = progress.track(range(0, len(images), self.batch_size), f"features of pictures by {self.name}")
        batches = (images[start : start + self.batch_size].astype(np.float32) for start in starts)
        return np.concatenate([np.asarray(self.network(batch), np.float32) for batch in batches])


def check(name):
    """Finds without Keras what `extractor(name)` would find wrong with the name, the file or the release.

    Raises:
        InputError: unknown name, or a file or release that is missing, damaged or of no classifier.
    """
    if name.endswith(".keras"):
        if not zipfile.is_zipfile(name):
            state = "a damaged file" if os.path.isfile(name) else "no such file"
            raise InputError(f"A Keras file to make features is required. Received: {name}, {state}.")
    elif name != "inception":
        release.read(_release_folder(name), "classifier")


def extractor(name):
    """The Extractor of a name, see the top of this file.

    The weights of "inception" are Keras's own and the resizing is Keras's, so distances come close to those of
    the TensorFlow network that published FIDs are made with (Heusel et al. 2017, arXiv 1706.08500), but are
    not equal to them.

    Raises:
        InputError: as `check`; a Keras file that does not load or has other inputs or outputs; weights of
            "inception" that are neither on the disk nor within reach.
    """
    check(name)
    if name == "inception":
        return _inception()
    return _keras_file(name) if name.endswith(".keras") else _released(name)


def cached(extract, images, folder):
    """`extract(images)`, computed once and kept as folder/NAME-DIGEST-DIGEST.npz.

    The digests are those of the weights and of the images' bytes, shape and dtype. A file that is damaged or
    was written under another name is computed and written anew.

    Args:
        extract: an Extractor.
        images: as it takes them.
        folder: made where it is missing.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    images = np.asarray(images)
    content = f"{images.dtype.str} {images.shape} {digest(images.ravel())}"
    name = f"{extract.name}-{extract.digest}-{digest(content.encode())}.npz"
    path = os.path.join(folder, name)
    with contextlib.suppress(Exception):  # zipfile and numpy raise a dozen kinds for a damaged file
        stored = unpack(Path(path).read_bytes(), path)
        if stored["written_as"] == name:
            return stored["features"]
    os.makedirs(folder, exist_ok=True)
    features = extract(images)
    write_atomically(path, pack({"features": features, "written_as": name}))
    return features


def _released(name):
    from classifiers.inference import ReleasedClassifier

    folder = _release_folder(name).resolve()
    config, weights, _, weights_digest = release.read(folder, "classifier")
    sizes = config["model"]
    judge = ReleasedClassifier(sizes, weights, name)
    return Extractor(
        name=folder.parent.name if folder.name == "release" else folder.name,
        digest=weights_digest,
        comparable=OWN_SCALE,
        shape=(None, None, sizes["colours"]),  # the judge sees to the width
        network=lambda images: judge(images)[1],
    )


def _release_folder(name):
    """The folder of a release, as `release.resolve`; the error lists everything that features can be."""
    try:
        return release.resolve(name)
    except InputError:
        folders = sorted(path.parent for path in release.BUNDLED.glob("*/weights.npz"))
        bundled = [folder.name for folder in folders if release.family(folder) == "classifier"]
        raise InputError(
            f"Features are required to be a bundled classifier ({', '.join(bundled) or 'none yet'}), a run or "
            f"release folder of a classifier, inception, or the path of a .keras file. Received: {name}"
        ) from None


def _inception():
    import keras

    try:
        # Keras announces a download on stdout, which belongs to the figures.
        with contextlib.redirect_stdout(sys.stderr), _timeout(TIMEOUT):
            model = keras.applications.InceptionV3(include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:  # that is the very class that Keras raises when it cannot download
        path = os.path.join(os.environ.get("KERAS_HOME", "~/.keras"), "models", INCEPTION_WEIGHTS)
        raise InputError(
            f"Features of inception: {path} or a network to fetch it from is required. "
            f"Received: {one_line(error)}; --features=classifier needs none."
        ) from error

    def network(images):
        # Bilinear resizing stays in [-1, 1], which is what InceptionV3's preprocess_input makes of grey levels.
        size = (INCEPTION_WIDTH, INCEPTION_WIDTH)
        return model.predict_on_batch(keras.ops.image.resize(images, size, interpolation="bilinear"))

    weights = pack({f"{i:03d}": variable for i, variable in enumerate(model.weights)})
    return Extractor(
        name="inception",
        digest=digest(weights),
        comparable="Keras's Inception weights: close to published FID, not equal",
        shape=(None, None, 3),
        network=network,
        batch_size=INCEPTION_BATCH,
    )


def _keras_file(path):
    import keras

    try:
        model = keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # Keras, zipfile and h5py raise a dozen kinds; the first sentence says it
        reason = one_line(error).partition(". ")[0]
        raise InputError(f"A Keras file that loads is required. Received: {path} ({reason})") from error
    shapes = [[tuple(t.shape) for t in getattr(model, side, None) or ()] for side in ("inputs", "outputs")]
    if [[len(shape) for shape in side] for side in shapes] != [[4], [2]]:
        raise InputError(
            "A model of images [N, H, W, C] with one output [N, d] is required. "
            f"Received: {path} with inputs {shapes[0]} and outputs {shapes[1]}"
        )
    return Extractor(
        name=Path(path).stem,
        digest=digest(Path(path).read_bytes()),  # the whole file: the architecture counts like the weights
        comparable=OWN_SCALE,
        shape=shapes[0][0][1:],
        network=lambda images: keras.tree.flatten(model.predict_on_batch(images))[0],
    )


@contextlib.contextmanager
def _timeout(seconds):
    """Gives up on connections opened inside after `seconds` of silence."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

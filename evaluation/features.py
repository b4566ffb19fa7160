"""Feature networks for Frechet and kernel distances, chosen by name:

    classifier       this project's classifier; other classifiers go by their bundled name, run or release folder
    inception        InceptionV3 with Keras's ImageNet weights

This module imports Keras only when it makes a network, so that commands can call `check_name` first.
"""

import contextlib
import dataclasses
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common import progress, release
from common.errors import InputError, one_line
from common.files import cache_folder, digest, pack, unpack, write_atomically

INCEPTION_WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_WIDTH = 299  # pixels
INCEPTION_BATCH = 50  # its activations take some 100 MB an image
TIMEOUT = 5  # seconds without data after which a download is abandoned
OWN_SCALE = "not comparable with Inception FID"


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A function from images to features.

    Attributes:
        name: its name in metrics and files.
        digest: digest of its weights, 16 hexadecimal digits.
        comparable: a note on what its distances can be compared with.
        colours: of the images that it accepts.
        network: function, float32 [B, H, W, C] in [-1, 1] -> [B, d].
        batch_size: number of images in a batch.
    """

    name: str
    digest: str
    comparable: str
    colours: int
    network: Callable
    batch_size: int = 250

    def __call__(self, images):
        """Computes the features float32 [N, d] of images, floats [N, H, W, C] in [-1, 1].

        Raises:
            InputError: if the network does not accept images of this size or so many colours.
            ValueError: if the images are not floats, have another rank, or there are none.
        """
        images = np.asarray(images)
        if images.ndim != 4 or len(images) == 0 or images.dtype.kind != "f":
            raise ValueError(
                f"images must be floats [N, H, W, C], N >= 1. Received: {images.dtype} {images.shape}"
            )
        if images.shape[3] != self.colours:
            raise InputError(
                f"--features must take {images.shape[3]} colours. Received: {self.name} of {self.colours}"
            )
        starts = progress.track(range(0, len(images), self.batch_size), f"computing features with {self.name}")
        batches = (images[start : start + self.batch_size].astype(np.float32) for start in starts)
        return np.concatenate([np.asarray(self.network(batch), np.float32) for batch in batches])


def check_name(name):
    """Checks the name of a feature network without importing Keras.

    Raises:
        InputError: if the name is unknown, or the release is missing, damaged or not of a classifier.
    """
    if name != "inception":
        release.read(_release_folder(name), "classifier")


def make_extractor(name):
    """Makes the Extractor of a name, see the module.

    With "inception", weights and resizing are those of Keras. Distances are close to those of the TensorFlow
    network of published FIDs (Heusel et al. 2017, arXiv 1706.08500), but not equal to them.

    Raises:
        InputError: as `check_name`; if the weights of "inception" are neither on the disk nor can be downloaded.
    """
    check_name(name)
    return _make_inception() if name == "inception" else _load_release(name)


def load_or_extract(extractor, images, folder):
    """Loads the features of images from folder/NAME-DIGEST-DIGEST.npz, or computes and stores them.

    The digests are those of the weights and of the images' bytes, shape and dtype. A damaged file, or one written
    under another name, is replaced.

    Args:
        extractor: Extractor.
        images: see `Extractor.__call__`.
        folder: relative to the user's cache folder, or absolute. If it cannot be written to, nothing is stored.
    """
    images = np.asarray(images)
    content = f"{images.dtype.str} {images.shape} {digest(images.ravel())}"
    name = f"{extractor.name}-{extractor.digest}-{digest(content.encode())}.npz"
    path = os.path.join(cache_folder(), folder, name)
    with contextlib.suppress(Exception):  # zipfile and numpy raise many types for a damaged file
        stored = unpack(Path(path).read_bytes(), path)
        if stored["written_as"] == name:
            return stored["features"]
    features = extractor(images)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomically(path, pack({"features": features, "written_as": name}))
    return features


def _load_release(name):
    from classifiers.inference import ReleasedClassifier

    folder = _release_folder(name).resolve()
    config, weights, _, weights_digest = release.read(folder, "classifier")
    classifier = ReleasedClassifier(config["model"], weights, name)
    return Extractor(
        name=folder.parent.name if folder.name == "release" else folder.name,
        digest=weights_digest,
        comparable=OWN_SCALE,
        colours=config["model"]["colours"],
        network=lambda images: classifier(images)[1],
    )


def _release_folder(name):
    """Resolves a release as `release.resolve`; the error lists all possible values of --features."""
    try:
        return release.resolve(name)
    except InputError:
        folders = sorted(path.parent for path in release.BUNDLED.glob("*/weights.npz"))
        bundled = [folder.name for folder in folders if release.family(folder) == "classifier"]
        raise InputError(
            f"--features must be a bundled classifier ({', '.join(bundled) or 'none yet'}), a run or release of a "
            f"classifier, or inception. Received: {name}"
        ) from None


def _make_inception():
    import keras

    try:
        # Keras announces a download on stdout, which is for the figures only
        with contextlib.redirect_stdout(sys.stderr), _timeout(TIMEOUT):
            model = keras.applications.InceptionV3(include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:  # Keras raises exactly this class if a download fails
        path = os.path.join(cache_folder(), "keras", "models", INCEPTION_WEIGHTS)
        raise InputError(
            f"--features=inception needs {path} or a network to download it. Received: {one_line(error)}; "
            "--features=classifier needs none."
        ) from error

    def network(images):
        # Bilinear resizing stays in [-1, 1], the range of InceptionV3's preprocess_input.
        size = (INCEPTION_WIDTH, INCEPTION_WIDTH)
        return model.predict_on_batch(keras.ops.image.resize(images, size, interpolation="bilinear"))

    weights = pack({f"{i:03d}": variable for i, variable in enumerate(model.weights)})
    return Extractor(
        name="inception",
        digest=digest(weights),
        comparable="Keras's Inception weights: close to published FID, not equal",
        colours=3,
        network=network,
        batch_size=INCEPTION_BATCH,
    )


@contextlib.contextmanager
def _timeout(seconds):
    """Sets the timeout of connections opened within the context."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

"""Feature networks: what they compute, and that wrong names and files are refused."""

import dataclasses
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from classifiers.model import Classifier
from common import release
from common.errors import InputError
from common.files import digest
from evaluation import features
from tests.support.feature_networks import make_pictures, truncate

ROOT = Path(__file__).parents[2]
SIZES = dict(architecture="plain", width=16, channels=(2, 3, 4), classes=3, colours=3)
OFFLINE = "URL fetch failure on https://storage.googleapis.com/x.h5: None -- [Errno -2] Name or service not known"


def write_classifier(folder, seed=0, family="classifier"):
    """Writes a release of a classifier with weights rounded to float16; returns the classifier."""
    keras.utils.set_random_seed(seed)
    model = Classifier(**SIZES)
    for variable in model.network.variables:
        variable.assign(np.asarray(variable).astype(np.float16))
    sizes = SIZES | {"class_names": ["a", "b", "c"], "temperature": 1.0}
    release.write(folder, {"family": family, "model": sizes}, model.release_state())
    return model


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """A folder with releases of the classifiers "classifier" and "referee" and of an ACAI."""
    folder = tmp_path_factory.mktemp("pretrained")
    for seed, name in enumerate(("classifier", "referee")):
        write_classifier(folder / name, seed)
    release.write(folder / "acai", {"family": "acai"}, {})
    return folder


@pytest.fixture
def bundled(releases, monkeypatch):
    monkeypatch.setattr(release, "BUNDLED", releases)
    return releases


# What the networks compute


def test_a_classifier_averages_the_features_of_an_image_and_its_mirror_image(tmp_path):
    model, images = write_classifier(tmp_path / "run" / "release"), make_pictures()
    expected = [np.asarray(model(x)["features"]) for x in (images, images[:, :, ::-1])]
    extract = features.make_extractor(str(tmp_path / "run"))
    np.testing.assert_allclose(extract(images), np.mean(expected, axis=0), rtol=1e-4, atol=1e-6)
    assert extract(images).std(axis=0).min() > 1e-4, "the test needs features that differ"
    assert extract.name == features.make_extractor(str(tmp_path / "run" / "release")).name == "run"
    assert extract.digest == digest((tmp_path / "run" / "release" / "weights.npz").read_bytes())
    assert extract.comparable == "not comparable with Inception FID"


def test_bundled_classifiers_are_found_by_name(bundled):
    first, second = (features.make_extractor(name) for name in ("classifier", "referee"))
    assert (first.name, second.name) == ("classifier", "referee")
    assert first.digest != second.digest
    assert np.abs(first(make_pictures()) - second(make_pictures())).max() > 1e-3


@pytest.fixture
def extract(tmp_path):
    write_classifier(tmp_path / "run")
    return features.make_extractor(str(tmp_path / "run"))


def test_batch_size_and_order_do_not_matter(extract):
    images = make_pictures()
    expected = extract(images)
    assert expected.shape[0] == 7 and expected.ndim == 2 and expected.dtype == np.float32
    for size in (1, 3, 7):
        actual = dataclasses.replace(extract, batch_size=size)(images)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(extract(images[::-1])[::-1], expected, rtol=1e-4, atol=1e-6)
    actual = extract(images.astype(np.float64))
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, expected)


def test_images_of_another_size_are_refused(extract):
    with pytest.raises(InputError, match="multiple of 16 pixels. Received: 8 pixels"):
        extract(make_pictures(width=8))


def test_images_of_other_colours_are_refused(extract):
    with pytest.raises(InputError, match="take 1 colours. Received: run of 3"):
        extract(make_pictures()[..., :1])


# Inception


def test_inception_gets_bilinearly_resized_images_in_its_range(monkeypatch):
    """Pixel i of 299 lies at (i + 0.5) * 32 / 299 - 0.5 among 32, clipped to the borders."""
    options_of_inception = {}

    def inception(**options):
        options_of_inception.update(options)
        return keras.Sequential([keras.Input((299, 299, 3)), keras.layers.Flatten()])

    monkeypatch.setattr(keras.applications, "InceptionV3", inception)
    extract, images = features.make_extractor("inception"), make_pictures(3, width=32)
    images[0], images[1] = -1, 1  # the ends of the range
    position = np.clip((np.arange(299) + 0.5) * 32 / 299 - 0.5, 0, 31)
    matrix = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(32)))
    expected = np.einsum("ai,bj,nijc->nabc", matrix, matrix, images, optimize=True)
    resized = extract(images).reshape(3, 299, 299, 3)
    np.testing.assert_allclose(resized, expected, atol=1e-5)
    assert resized.min() == -1 and resized.max() == 1
    assert options_of_inception == {"include_top": False, "weights": "imagenet", "pooling": "avg"}
    assert extract.name == "inception" and "not comparable" not in extract.comparable
    assert extract.batch_size * 100 <= 10_000, "megabytes of activations"


def test_the_digest_of_inception_depends_on_its_weights(monkeypatch):
    def digest_of(value):
        model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
        model.layers[0].moving_mean.assign([value])  # a weight that is not trainable
        monkeypatch.setattr(keras.applications, "InceptionV3", lambda **_: model)
        return features.make_extractor("inception").digest

    assert digest_of(1.0) == digest_of(1.0) != digest_of(2.0)
    assert len(digest_of(1.0)) == 16


def test_inception_without_a_network_is_refused(monkeypatch, capsys):
    """With the exception that Keras raised on such a machine, after a timeout of a few seconds."""
    timeouts = []

    def offline(**_):
        timeouts.append(socket.getdefaulttimeout())
        print("Downloading data from https://...")
        raise Exception(OFFLINE)

    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    with pytest.raises(InputError) as caught:
        features.make_extractor("inception")
    line = str(caught.value)
    assert "\n" not in line and "/cache/pegasus-acai/keras/models/inception_v3_weights" in line
    assert "--features=classifier needs none" in line and "Name or service not known" in line
    assert 1 <= timeouts[0] <= 10 and socket.getdefaulttimeout() is None
    assert capsys.readouterr().out == ""


# Wrong names and files


def refuse(call, name):
    """Returns the error message of a call, which must be one line with the name."""
    with pytest.raises(InputError) as caught:
        call(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert str(name) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["vgg", "", "no/such/folder", "classifier.h5"])
def test_an_unknown_name_is_refused_with_the_possible_values(bundled, name):
    for call in (features.check_name, features.make_extractor):
        line = refuse(call, name)
        assert "(classifier, referee)" in line and "inception" in line


def test_releases_of_other_families_and_damaged_ones_are_refused(bundled, tmp_path):
    assert "family" in refuse(features.check_name, "acai")
    shutil.copytree(bundled / "referee", tmp_path / "damaged")
    truncate(tmp_path / "damaged" / "weights.npz")
    assert "weights.npz" in refuse(features.check_name, str(tmp_path / "damaged"))


def test_names_are_checked_without_tensorflow(bundled):
    program = f"""
import sys
from evaluation import features
for name in ("inception", {str(bundled / "classifier")!r}):
    features.check_name(name)
sys.exit(bool({{"keras", "tensorflow"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")

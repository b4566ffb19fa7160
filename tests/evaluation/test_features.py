"""Features: what the networks compute, and every wrong name or file."""

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
from common.files import digest, pack
from evaluation import features
from tests.support.feature_networks import half, pictures, write_keras_file

ROOT = Path(__file__).parents[2]
SIZES = dict(architecture="plain", width=16, channels=(2, 3, 4), classes=3, colours=3)
OFFLINE = "URL fetch failure on https://storage.googleapis.com/x.h5: None -- [Errno -2] Name or service not known"


def write_classifier(folder, seed=0, family="classifier"):
    """A release of a classifier with its weights rounded to halves; returns the classifier."""
    keras.utils.set_random_seed(seed)
    model = Classifier(**SIZES)
    for variable in model.network.variables:
        variable.assign(np.asarray(variable).astype(np.float16))
    sizes = SIZES | {"class_names": ["a", "b", "c"], "temperature": 1.0}
    release.write(folder, {"family": family, "model": sizes}, model.release_state())
    return model


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """A folder with the classifiers "classifier" and "referee" and an ACAI."""
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


def test_a_classifier_gives_the_mean_of_the_features_of_an_image_and_its_mirror_image(tmp_path):
    model, images = write_classifier(tmp_path / "mine" / "release"), pictures()
    expected = [np.asarray(model(both)["features"]) for both in (images, images[:, :, ::-1])]
    extract = features.extractor(str(tmp_path / "mine"))
    np.testing.assert_allclose(extract(images), np.mean(expected, axis=0), rtol=1e-4, atol=1e-6)
    assert extract(images).std(axis=0).min() > 1e-4, "the test needs features that differ"
    assert extract.name == features.extractor(str(tmp_path / "mine" / "release")).name == "mine"
    assert extract.digest == digest((tmp_path / "mine" / "release" / "weights.npz").read_bytes())
    assert extract.comparable == "not comparable with Inception FID"


def test_bundled_classifiers_by_name(bundled):
    both = [features.extractor(name) for name in ("classifier", "referee")]
    assert [extract.name for extract in both] == ["classifier", "referee"]
    assert both[0].digest != both[1].digest
    assert np.abs(both[0](pictures()) - both[1](pictures())).max() > 1e-3


def test_a_keras_file_by_hand(tmp_path):
    path, images = write_keras_file(tmp_path / "small.v2.keras", kernel=2.0), pictures()
    extract = features.extractor(path)
    sums = ((images.mean(axis=(1, 2)) - 0.25) / 2 * 3).sum(axis=1)
    np.testing.assert_allclose(extract(images), np.tile(2 * sums[:, None], 5), rtol=1e-4, atol=1e-5)
    assert extract.name == "small.v2" and extract.digest == digest(Path(path).read_bytes())
    assert extract.comparable == "not comparable with Inception FID"


def test_a_named_output_of_a_keras_file(tmp_path):
    image = keras.Input((None, None, 3))
    keras.Model(image, {"mean": keras.layers.GlobalAveragePooling2D()(image)}).save(tmp_path / "named.keras")
    found = features.extractor(str(tmp_path / "named.keras"))(pictures(width=9))
    np.testing.assert_allclose(found, pictures(width=9).mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


@pytest.fixture(params=["classifier", "keras"])
def extract(request, tmp_path):
    if request.param == "keras":
        return features.extractor(write_keras_file(tmp_path / "small.keras"))
    write_classifier(tmp_path / "mine")
    return features.extractor(str(tmp_path / "mine"))


def test_neither_batches_nor_order_matter(extract):
    images = pictures()
    expected = extract(images)
    assert expected.shape[0] == 7 and expected.ndim == 2 and expected.dtype == np.float32
    for size in (1, 3, 7):
        found = dataclasses.replace(extract, batch_size=size)(images)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(extract(images[::-1])[::-1], expected, rtol=1e-4, atol=1e-6)
    alike = extract(images.astype(np.float64))
    assert alike.dtype == np.float32
    np.testing.assert_array_equal(alike, expected)


def test_images_of_another_size_are_refused(extract):
    with pytest.raises(InputError, match=r"\(8, 8, 3\) is required.*\(16, 16, 3\)|16 pixels wide.*8 pixels"):
        extract(pictures(width=8))


# Inception


def test_inception_sees_images_resized_bilinearly_in_its_range(monkeypatch):
    """As a matrix: pixel i of 299 lies at (i + 0.5) * 32 / 299 - 0.5 among 32, clipped to the borders."""
    asked = {}

    def inception(**options):
        asked.update(options)
        return keras.Sequential([keras.Input((299, 299, 3)), keras.layers.Flatten()])

    monkeypatch.setattr(keras.applications, "InceptionV3", inception)
    extract, images = features.extractor("inception"), pictures(3, width=32)
    images[0], images[1] = -1, 1  # the ends of the range
    position = np.clip((np.arange(299) + 0.5) * 32 / 299 - 0.5, 0, 31)
    matrix = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(32)))
    expected = np.einsum("ai,bj,nijc->nabc", matrix, matrix, images, optimize=True)
    seen = extract(images).reshape(3, 299, 299, 3)
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert seen.min() == -1 and seen.max() == 1
    assert asked == {"include_top": False, "weights": "imagenet", "pooling": "avg"}
    assert extract.name == "inception" and "not comparable" not in extract.comparable
    assert extract.batch_size * 100 <= 10_000, "megabytes of activations"


def test_the_digest_of_inception_is_of_its_weights(monkeypatch):
    def digest_of(value):
        model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
        model.layers[0].moving_mean.assign([value])  # a weight that is not trained
        monkeypatch.setattr(keras.applications, "InceptionV3", lambda **_: model)
        return features.extractor("inception").digest

    assert digest_of(1.0) == digest_of(1.0) != digest_of(2.0)
    assert len(digest_of(1.0)) == 16


def test_inception_without_a_network(monkeypatch, capsys):
    """What Keras raised on a machine without a network; it waits for a few seconds at most."""
    waits = []

    def offline(**_):
        waits.append(socket.getdefaulttimeout())
        print("Downloading data from https://...")
        raise Exception(OFFLINE)

    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    with pytest.raises(InputError) as caught:
        features.extractor("inception")
    line = str(caught.value)
    assert "\n" not in line and "~/.keras/models/inception_v3_weights" in line
    assert "--features=classifier needs none" in line and "Name or service not known" in line
    assert 1 <= waits[0] <= 10 and socket.getdefaulttimeout() is None
    assert capsys.readouterr().out == ""


# Wrong names and files


def refusal(call, name):
    with pytest.raises(InputError) as caught:
        call(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert str(name) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["vgg", "", "no/such/folder", "classifier.h5"])
def test_an_unknown_name_lists_what_there_is(bundled, name):
    for call in (features.check, features.extractor):
        line = refusal(call, name)
        assert "(classifier, referee)" in line and "inception" in line and ".keras" in line


def test_releases_that_are_refused(bundled, tmp_path):
    assert "family" in refusal(features.check, "acai")
    shutil.copytree(bundled / "referee", tmp_path / "damaged")
    half(tmp_path / "damaged" / "weights.npz")
    assert "weights.npz" in refusal(features.check, str(tmp_path / "damaged"))


def test_keras_files_that_are_refused(tmp_path):
    for call in (features.check, features.extractor):
        assert "no such file" in refusal(call, str(tmp_path / "none.keras"))
    path = tmp_path / "small.keras"
    write_keras_file(path)
    data = path.read_bytes()
    half(path)
    assert "damaged" in refusal(features.check, str(path))
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 255  # of the weights
    path.write_bytes(damaged)
    features.check(str(path))  # an archive still
    assert "CRC" in refusal(features.extractor, str(path))
    path.write_bytes(pack({"images": pictures(1)}))  # another archive
    assert "(There is no item named 'config.json'" in refusal(features.extractor, str(path))


def test_keras_files_of_other_models_are_refused(tmp_path):
    path = write_keras_file(tmp_path / "wide.keras", rank=4)
    assert "(None, 16, 16, 5)" in refusal(features.extractor, path)
    image = keras.Input((16, 16, 3))
    mean, largest = keras.layers.GlobalAveragePooling2D()(image), keras.layers.GlobalMaxPooling2D()(image)
    models = {
        "two": keras.Model(image, [mean, largest]),
        "code": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]),
        "program": keras.Sequential([image, keras.layers.Lambda(lambda x: x[:, 0, 0])]),
    }
    words = {"two": "(None, 3), (None, 3)", "code": "(None, 4)", "program": "Lambda"}
    for name, model in models.items():
        path = str(tmp_path / f"{name}.keras")
        model.save(path)
        assert words[name] in refusal(features.extractor, path)


def test_names_are_checked_without_tensorflow(bundled, tmp_path):
    path = write_keras_file(tmp_path / "small.keras")
    program = f"""
import sys
from evaluation import features
for name in ("inception", {path!r}, {str(bundled / "classifier")!r}):
    features.check(name)
sys.exit(bool({{"keras", "tensorflow"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")

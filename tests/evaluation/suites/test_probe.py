"""The probe suite on codes whose worth is known: that hold the class, that hold nothing, that are all one."""

from types import SimpleNamespace

import numpy as np
import pytest

import evaluation.suites.probe
from common.data import datasets
from common.images import to_float
from common.metrics import probe

CLASSES = ("cat", "horse", "bird")


def dataset(split, count, seed, names=CLASSES):
    """Noise, 4x4x3, whose first pixel's colour is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(names), size=count).astype(np.int32)
    images = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    images[:, 0, 0] = 255 * np.eye(3, dtype=np.uint8)[labels]
    return datasets.ImageDataset(images, labels, np.arange(count), names, split)


TRAIN, HOLDOUT, TEST = dataset("train", 400, 0), dataset("holdout", 150, 1), dataset("test", 90, 2)


def relabelled(given, shift):
    """The same images, every label another one."""
    return datasets.ImageDataset(given.images, (given.labels + shift) % 3, given.ids, CLASSES, given.split)


def model(encode=lambda images: images, decode=lambda codes: codes):
    return SimpleNamespace(encode=encode, decode=decode)


def colour(images):
    """Codes [N, 1, 1, 3] that are the class and a little noise."""
    return images[:, :1, :1] + 0.05 * images[:, 1:2, 1:2]


def figures(encode=colour, decode=lambda codes: np.zeros((len(codes), 4, 4, 3), np.float32), sets=None, **options):
    train, *others = sets or (TRAIN, HOLDOUT, TEST)
    section = evaluation.suites.probe.evaluate(model(encode, decode), train, others, 16, 320.0, **options)
    return {figure.name: figure for figure in section.estimates}, section


@pytest.fixture(scope="module")
def informed():
    return figures()


def test_codes_that_hold_the_class_are_read(informed):
    found, _ = informed
    assert list(found) == [
        *("linear_probe_holdout_150", "linear_probe_test_90"),
        *("clustering_holdout_150", "clustering_test_90", "reconstruction_error_holdout_150"),
    ]
    for name, figure in found.items():
        assert figure.count == int(name.rpartition("_")[2])
        assert figure.better == ("lower" if "error" in name else "higher")
        if "error" not in name:
            assert (figure.value, figure.low, figure.high) == (1, 1, 1)
    assert found["linear_probe_test_90"].note == ""
    assert found["clustering_test_90"].note == "k-means of 400 training codes, best of 20 starts"


def test_codes_of_noise_are_chance():
    found, _ = figures(lambda images: images[:, 2:, 2:])
    for name in ("linear_probe_holdout_150", "clustering_holdout_150"):
        assert 0.2 < found[name].value < 0.5
        assert found[name].low < found[name].value < found[name].high


def test_a_collapsed_encoder_knows_the_commonest_class_only():
    found, _ = figures(lambda images: np.ones((len(images), 2, 2, 1), np.float32))
    commonest = np.bincount(TRAIN.labels).argmax()
    for name, given in (("holdout_150", HOLDOUT), ("test_90", TEST)):
        assert found[f"linear_probe_{name}"].value == pytest.approx(np.mean(given.labels == commonest))
        assert found[f"clustering_{name}"].value == pytest.approx(np.bincount(given.labels).max() / len(given))
        assert found[f"clustering_{name}"].note.endswith("; it did not converge")


def test_the_probe_is_fitted_to_the_training_images_alone():
    found, _ = figures(sets=(TRAIN, relabelled(HOLDOUT, 1), TEST))
    assert found["linear_probe_holdout_150"].value == 0 and found["linear_probe_test_90"].value == 1
    found, _ = figures(sets=(relabelled(TRAIN, 2), HOLDOUT, relabelled(TEST, 2)))
    assert found["linear_probe_holdout_150"].value == 0 and found["linear_probe_test_90"].value == 1
    assert found["clustering_holdout_150"].value == 1  # clusters have no names of their own


def test_a_fit_that_stops_early_says_so(monkeypatch):
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 1)
    found, _ = figures(lambda images: images)
    assert found["linear_probe_test_90"].note == "the fit did not converge in 1 iterations"
    assert found["clustering_test_90"].note.endswith("; it did not converge")


def test_clusters_are_fitted_to_a_seeded_part(monkeypatch):
    seen = []
    real = probe.clustering_accuracy

    def spy(codes, labels, *rest):
        seen.append((codes, labels, rest[2:]))
        return real(codes, labels, *rest)

    monkeypatch.setattr(probe, "clustering_accuracy", spy)
    found, section = figures(clustered=50, seed=3)
    assert found["clustering_test_90"].note.startswith("k-means of 50 training codes")
    assert "the codes of 50 training images" in section.text and "the 400 training images" in section.text
    for codes, labels, rest in seen:
        assert codes.shape == (50, 1, 1, 3) and rest == (3, 20, 3)
        np.testing.assert_array_equal(codes.reshape(50, 3).argmax(1), labels)


def test_rows_are_drawn_once_each_and_by_the_seed():
    rows = evaluation.suites.probe.drawn(1000, 100, seed=0)
    assert len(rows) == 100 and np.all(np.diff(rows) > 0) and 0 <= rows[0] < 100 and 900 <= rows[-1] < 1000
    np.testing.assert_array_equal(rows, evaluation.suites.probe.drawn(1000, 100, seed=0))
    assert not np.array_equal(rows, evaluation.suites.probe.drawn(1000, 100, seed=1))
    np.testing.assert_array_equal(evaluation.suites.probe.drawn(5, 100, seed=0), np.arange(5))


def test_reconstruction_error_by_hand(monkeypatch):
    """Every other image is off by 0.2 everywhere: the mean square is half of 0.04. In chunks or not."""
    position = {image.tobytes(): k for k, image in enumerate(to_float(HOLDOUT.images))}

    def decode(codes):
        off = [0.2 * (position[code.tobytes()] % 2) for code in codes]
        return codes + np.array(off, np.float32)[:, None, None, None]

    values = []
    for chunk in (1024, 7):
        monkeypatch.setattr(evaluation.suites.probe, "CHUNK", chunk)
        figure = evaluation.suites.probe.reconstruction_figure(
            model(decode=decode), HOLDOUT, to_float(HOLDOUT.images), seed=0
        )
        assert figure.name == "reconstruction_error_holdout_150" and figure.count == 150
        assert figure.value == pytest.approx(0.02, rel=1e-5) and figure.low < 0.02 < figure.high
        values.append(figure)
    assert values[0] == values[1]


def test_no_more_images_than_a_chunk_are_encoded_at_once(monkeypatch):
    sizes = []
    monkeypatch.setattr(evaluation.suites.probe, "CHUNK", 149)
    codes = evaluation.suites.probe.encoded(model(lambda images: sizes.append(len(images)) or images), HOLDOUT)
    assert sizes == [149, 1] and codes.dtype == np.float32
    np.testing.assert_array_equal(codes, to_float(HOLDOUT.images))


def test_the_comparison_is_with_the_papers_figures(informed):
    found, section = informed
    ours, *theirs = section.table
    assert ours == {
        **{"model": "ACAI, this one", "latents": 3, "depth": 16, "kimg": 320.0, "classes": 3},
        "linear probe": found["linear_probe_test_90"],
    }
    read = {(row["model"], row["latents"]): row["linear probe"] for row in theirs}
    assert len(read) == 10 and read["ACAI, the paper's", 256] == 0.5277
    assert read["ACAI, the paper's", 1024] == 0.6399 and read["baseline, the paper's", 1024] == 0.5162
    assert {(row["depth"], row["kimg"], row["classes"]) for row in theirs} == {(64, 16777, 10)}
    for words in ("from memory", "3 classes (cat, horse, bird)", "depth 16", "320 kimg", "about 0.333"):
        assert words in section.text


def test_same_seed_same_numbers():
    def code(images):
        return images[:, :1, :1] * 0.3 + images[:, 1:2, 1:2]

    assert figures(code)[0] == figures(code)[0] != figures(code, seed=1)[0]


def test_one_class_is_refused():
    one = [dataset(split, 20, 0, ("cat",)) for split in ("train", "holdout", "test")]
    with pytest.raises(ValueError, match="at least two classes required. Received: .*cat"):
        figures(sets=one)

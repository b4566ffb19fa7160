"""The suite "probe" on latents that contain the class, contain noise, or are constant."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

import evaluation.suites.probe
from common.data import datasets
from common.images import to_float
from common.metrics import probe

CLASSES = ("cat", "horse", "bird")


def make_dataset(split, count, seed, names=CLASSES):
    """Makes 4x4x3 images of noise in which the colour of the first pixel is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(names), size=count).astype(np.int32)
    images = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    images[:, 0, 0] = 255 * np.eye(3, dtype=np.uint8)[labels]
    return datasets.ImageDataset(images, labels, np.arange(count), names, split)


TRAIN, HOLDOUT, TEST = make_dataset("train", 400, 0), make_dataset("holdout", 150, 1), make_dataset("test", 90, 2)


def shift_labels(dataset, shift):
    """Returns the same images with every label shifted to another one."""
    labels = (dataset.labels + shift) % 3
    return datasets.ImageDataset(dataset.images, labels, dataset.ids, CLASSES, dataset.split)


def make_model(encode=lambda images: images, decode=lambda latents: latents):
    return SimpleNamespace(encode=encode, decode=decode)


def encode_class(images):
    """Latents [N, 1, 1, 3] of the class and a little noise."""
    return images[:, :1, :1] + 0.05 * images[:, 1:2, 1:2]


def decode_black(latents):
    return np.zeros((len(latents), 4, 4, 3), np.float32)


def evaluate(encode=encode_class, decode=decode_black, sets=None, **options):
    train, *unseen = sets or (TRAIN, HOLDOUT, TEST)
    model = make_model(encode, decode)
    section = evaluation.suites.probe.evaluate(model, train, unseen, 16, "14.8 of 320 kimg", **options)
    return {estimate.name: estimate for estimate in section.estimates}, section


@pytest.fixture(scope="module")
def informative():
    return evaluate()


def test_latents_that_contain_the_class_have_accuracy_1(informative):
    estimates, _ = informative
    assert list(estimates) == [
        *("linear_probe_holdout_150", "linear_probe_test_90"),
        *("clustering_holdout_150", "clustering_test_90", "reconstruction_error_holdout_150"),
    ]
    for name, estimate in estimates.items():
        assert estimate.count == int(name.rpartition("_")[2])
        assert estimate.better == ("lower" if "error" in name else "higher")
        if "error" not in name:
            assert (estimate.value, estimate.low, estimate.high) == (1, 1, 1)
    assert estimates["linear_probe_test_90"].note == ""
    note = "k-means of 400 training latents, best of 100 starts; 100.0% if clusters are named on these"
    assert estimates["clustering_test_90"].note == note


def test_latents_of_noise_have_chance_accuracy():
    estimates, _ = evaluate(lambda images: images[:, 2:, 2:])
    for name in ("linear_probe_holdout_150", "clustering_holdout_150"):
        assert 0.2 < estimates[name].value < 0.5
        assert estimates[name].low < estimates[name].value < estimates[name].high


def test_constant_latents_predict_the_most_common_class():
    estimates, _ = evaluate(lambda images: np.ones((len(images), 2, 2, 1), np.float32))
    most_common = np.bincount(TRAIN.labels).argmax()
    for name, dataset in (("holdout_150", HOLDOUT), ("test_90", TEST)):
        assert estimates[f"linear_probe_{name}"].value == pytest.approx(np.mean(dataset.labels == most_common))
        assert estimates[f"clustering_{name}"].value == pytest.approx(
            np.bincount(dataset.labels).max() / len(dataset)
        )
        assert estimates[f"clustering_{name}"].note.endswith("; it did not converge")


def test_the_probe_is_fitted_to_the_training_images_only():
    estimates, _ = evaluate(sets=(TRAIN, shift_labels(HOLDOUT, 1), TEST))
    assert estimates["linear_probe_holdout_150"].value == 0 and estimates["linear_probe_test_90"].value == 1
    estimates, _ = evaluate(sets=(shift_labels(TRAIN, 2), HOLDOUT, shift_labels(TEST, 2)))
    assert estimates["linear_probe_holdout_150"].value == 0 and estimates["linear_probe_test_90"].value == 1
    assert estimates["clustering_holdout_150"].value == 1  # clusters are named on the evaluated labels
    assert "; 0.0% if clusters are named on these" in estimates["clustering_holdout_150"].note


def test_a_fit_that_stops_early_has_a_note(monkeypatch):
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 1)
    estimates, _ = evaluate(lambda images: images)
    assert estimates["linear_probe_test_90"].note == "the fit did not converge in 1 iterations"
    assert estimates["clustering_test_90"].note.endswith("; it did not converge")


def test_clusters_are_fitted_to_a_seeded_subset(monkeypatch):
    calls = []
    clustering_accuracy = probe.clustering_accuracy

    def spy(latents, labels, *others, **starts):
        calls.append((latents, labels, starts))
        return clustering_accuracy(latents, labels, *others, **starts)

    monkeypatch.setattr(probe, "clustering_accuracy", spy)
    monkeypatch.setattr(evaluation.suites.probe, "NUM_CLUSTERED", 50)
    estimates, section = evaluate(seed=3)
    assert estimates["clustering_test_90"].note.startswith("k-means of 50 training latents")
    assert "the latents of 50 training images" in section.text and "the 400 training images" in section.text
    ((latents, labels, starts),) = calls
    assert latents.shape == (50, 1, 1, 3) and starts == {"clusters": 3, "n_init": 100, "seed": 3}
    np.testing.assert_array_equal(latents.reshape(50, 3).argmax(1), labels)


def test_rows_are_drawn_by_the_seed_without_replacement():
    rows = evaluation.suites.probe.draw_rows(1000, 100, seed=0)
    assert len(rows) == 100 and np.all(np.diff(rows) > 0) and 0 <= rows[0] < 100 and 900 <= rows[-1] < 1000
    np.testing.assert_array_equal(rows, evaluation.suites.probe.draw_rows(1000, 100, seed=0))
    assert not np.array_equal(rows, evaluation.suites.probe.draw_rows(1000, 100, seed=1))
    np.testing.assert_array_equal(evaluation.suites.probe.draw_rows(5, 100, seed=0), np.arange(5))


def test_reconstruction_error_by_hand(monkeypatch):
    """Every other image is off by 0.2 everywhere: the mean square is half of 0.04, whatever the chunks."""
    position = {image.tobytes(): k for k, image in enumerate(to_float(HOLDOUT.images))}

    def decode(latents):
        errors = [0.2 * (position[x.tobytes()] % 2) for x in latents]
        return latents + np.array(errors, np.float32)[:, None, None, None]

    estimates = []
    for chunk in (1024, 7):
        monkeypatch.setattr(evaluation.suites.probe, "CHUNK_SIZE", chunk)
        estimate = evaluation.suites.probe.estimate_reconstruction_error(
            make_model(decode=decode), HOLDOUT, to_float(HOLDOUT.images), seed=0
        )
        assert estimate.name == "reconstruction_error_holdout_150" and estimate.count == 150
        assert estimate.value == pytest.approx(0.02, rel=1e-5) and estimate.low < 0.02 < estimate.high
        estimates.append(estimate)
    assert estimates[0] == estimates[1]


def test_no_more_images_than_a_chunk_are_encoded_at_once(monkeypatch):
    sizes = []
    monkeypatch.setattr(evaluation.suites.probe, "CHUNK_SIZE", 149)
    latents = evaluation.suites.probe.encode(
        make_model(lambda images: sizes.append(len(images)) or images), HOLDOUT
    )
    assert sizes == [149, 1] and latents.dtype == np.float32
    np.testing.assert_array_equal(latents, to_float(HOLDOUT.images))


def test_the_table_compares_with_the_papers_figures(informative):
    estimates, section = informative
    main_row, *paper_rows = map(dict, section.table)
    assert np.isnan(main_row.pop("deviation"))
    assert main_row == {
        **{"model": "ACAI, this one", "latents": 3, "depth": 16, "kimg": "14.8 of 320 kimg", "classes": 3},
        "linear probe": estimates["linear_probe_holdout_150"],
    }
    figures = {(row["model"], row["latents"]): row["linear probe"] for row in paper_rows}
    assert len(figures) == 12 and figures["ACAI, the paper's", 256] == 0.5277
    assert figures["ACAI, the paper's", 1024] == 0.6399 and figures["baseline, the paper's", 1024] == 0.5162
    assert {(row["depth"], row["kimg"], row["classes"]) for row in paper_rows} == {(64, 16777, 10)}
    for words in (
        "ICLR 2019 poster",
        "ahead of its ACAI",
        "3 classes (cat, horse, bird)",
        "depth 16",
        "trained: 14.8 of 320 kimg",
    ):
        assert words in section.text
    assert "guessing would be right for about 33.3%" in section.summary and "of 150 unseen" in section.summary
    assert len(section.key_figures) == 5 and len(section.plots) == 1


def test_other_data_stand_without_the_papers_figures():
    _, section = evaluate(with_paper=False)
    assert section.table == [] and "poster" not in section.text and "3 classes (cat, horse, bird)" in section.text


def test_the_same_seed_gives_the_same_estimates():
    def encode(images):
        return images[:, :1, :1] * 0.3 + images[:, 1:2, 1:2]

    assert evaluate(encode)[0] == evaluate(encode)[0] != evaluate(encode, seed=1)[0]


def test_one_class_is_refused():
    sets = [make_dataset(split, 20, 0, ("cat",)) for split in ("train", "holdout", "test")]
    with pytest.raises(ValueError, match="at least two classes. Received: .*cat"):
        evaluate(sets=sets)


@pytest.mark.parametrize(
    ("source", "num_classes", "with_paper"), [("cifar10", 10, True), ("cifar10", 2, False), ("folder", 10, False)]
)
def test_the_suite_fits_to_training_images_and_evaluates_on_unseen_ones(source, num_classes, with_paper):
    release = SimpleNamespace(
        config={"model": {"depth": 16}, "train": {"total_kimg": 320}, "trained_kimg": 14.8},
        model_arguments=("settings", "weights", "a run"),
        data_source=source,
        class_names=("a",) * num_classes,
    )
    unseen = ["the hold-out", "the test images"]
    inputs = SimpleNamespace(
        release=release,
        config=SimpleNamespace(seed=3),
        load_images=lambda split: f"images of {split}",
        load_unseen_images=lambda: unseen,
    )
    suite = evaluation.suites.probe
    with (
        mock.patch.object(suite, "ReleasedACAI", autospec=True) as model,
        mock.patch.object(suite, "evaluate", autospec=True) as evaluate_suite,
    ):
        suite.run(inputs)
    evaluate_suite.assert_called_once_with(
        *(model.return_value, "images of train", unseen, 16, "14.8 of 320 kimg", 3),
        name="ACAI",
        with_paper=with_paper,
    )

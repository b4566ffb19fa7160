"""The suite "gan" on generators with known failures: each must show in the estimate for it."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from evaluation.suites import gan
from tests.support.photographs import (
    CLASSES,
    COUNT,
    HOLDOUT,
    TRAIN,
    BlockMeans,
    HalvesClassifier,
    make_photographs,
)

FRESH = to_float(make_photographs(2 * COUNT, "fresh", 7).images)  # of an ideal generator, classes in turn


def make_generator(images, classes=2):
    """Makes a generator whose noise is a number k that selects a row of `images`, with classes in turn."""

    def sample(noise, class_weights=None):
        k = np.asarray(noise)[:, 0].astype(int)
        if class_weights is None:
            return images[k % len(images)]
        return images[(2 * (k // 2) + np.asarray(class_weights)) % len(images)]

    def draw_noise(seed, count):
        return np.arange(count, dtype=np.float32)[:, None] + 0 * seed

    return SimpleNamespace(draw_noise=draw_noise, sample=sample, classes=classes)


def evaluate(images, classes=2, **options):
    """Returns ({images: {name without count: Estimate}}, Section)."""
    classifiers = {"referee": HalvesClassifier(), "classifier": HalvesClassifier()}
    section = gan.evaluate(
        make_generator(images, classes), classifiers, BlockMeans(), TRAIN, HOLDOUT, samples=COUNT, **options
    )
    rows = {row["images"]: {n.removesuffix(f"_{COUNT}"): e for n, e in row.items()} for row in section.table}
    return rows, section


@pytest.fixture(scope="module")
def baseline():
    return evaluate(FRESH)


def value(rows, name, kind="samples"):
    return rows[kind][name].value


def test_an_ideal_generator_is_as_good_as_other_photographs(baseline):
    rows, section = baseline
    for name in ("referee", "classifier"):
        assert value(rows, f"accuracy_{name}") == 1
    assert value(rows, "precision_blocks") > 0.6 and value(rows, "coverage_blocks") > 0.8
    assert value(rows, "sharpness") == pytest.approx(1, abs=0.05)
    assert value(rows, "copies_features") < 0.1 and value(rows, "copies_pixels") < 0.1
    kernel = rows["samples"]["kd_blocks"]
    assert kernel.low <= kernel.value <= kernel.high and abs(kernel.value) < 0.05 and kernel.note == "of a test"
    assert value(rows, "copies_pixels", "training images") == 1
    assert section.estimates[0].name == f"accuracy_referee_{COUNT}"
    for estimate in section.estimates:
        assert estimate.count in (COUNT, 64) and str(estimate.count) in estimate.name


def test_the_plots_show_samples_and_their_nearest_training_images(baseline):
    grid, near = baseline[1].plots.values()
    cells = grid.reshape(8, 16, 8, 16, 3).swapaxes(1, 2)[:, :, ::2, ::2]
    np.testing.assert_array_equal(to_float(cells.reshape(64, 8, 8, 3)), FRESH[:64])
    assert near.shape == (2 * 8 * 3, 8 * 8 * 3, 3)


def test_the_control_has_no_training_image_twice():
    """There are 300, so only as many samples are measured. With repeats the recall would be 0.4 instead of 0.8."""
    section = gan.evaluate(make_generator(FRESH), {"referee": HalvesClassifier()}, BlockMeans(), TRAIN, HOLDOUT)
    samples, control = section.table
    assert samples["precision_blocks_300"].count == control["precision_blocks_300"].count == 300
    assert control["recall_blocks_300"].value > 0.6


def test_a_generator_that_confuses_its_classes_has_no_accuracy():
    rows, _ = evaluate(FRESH.reshape(-1, 2, 8, 8, 3)[:, ::-1].reshape(FRESH.shape))
    assert value(rows, "accuracy_referee") == 0
    assert value(rows, "accuracy_referee", "training images") == 1


def test_any_class_is_right_for_an_unconditional_generator():
    rows, _ = evaluate(FRESH, classes=0)
    assert value(rows, "accuracy_referee") == value(rows, "accuracy_referee", "training images") == 1

    class SometimesCat(HalvesClassifier):
        def __call__(self, images):
            probabilities, features = super().__call__(images)
            is_cat = np.arange(len(images))[:, None] < COUNT // 4
            return np.where(is_cat, [1.0, 0, 0], probabilities), features

    [estimate] = gan.estimate_accuracies(FRESH[:COUNT], None, {"referee": SometimesCat()}, CLASSES, 0)
    assert estimate.value == 0.75 and estimate.low < 0.75 < estimate.high


def test_a_collapsed_generator_has_no_diversity(baseline):
    rows, _ = evaluate(FRESH[:1])
    assert value(rows, "diversity_blocks_64") == pytest.approx(0, abs=1e-6)
    assert value(baseline[0], "diversity_blocks_64") > 0.1
    assert value(rows, "recall_blocks") < 0.02 and value(rows, "coverage_blocks") < 0.2
    assert value(rows, "accuracy_referee") == 0.5
    for name in ("kd_blocks", "fd_blocks"):
        assert value(rows, name) > 2 * abs(value(baseline[0], name))


def test_copied_training_images_are_detected(baseline):
    rows, _ = evaluate(to_float(TRAIN.images))
    for space in ("features", "pixels"):
        assert value(rows, f"nearest_{space}") == pytest.approx(0, abs=1e-6)
        assert value(rows, f"copies_{space}") == 1
        assert value(baseline[0], f"nearest_{space}") > 0.1


def test_noise_is_distant_and_too_sharp(baseline):
    rows, _ = evaluate(np.random.default_rng(0).uniform(-1, 1, FRESH.shape).astype(np.float32))
    assert value(rows, "sharpness") > 1.5
    assert value(rows, "nearest_pixels") > value(baseline[0], "nearest_pixels")
    assert value(rows, "precision_blocks") == value(rows, "density_blocks") == 0
    assert value(rows, "kd_blocks") > rows["training images"]["kd_blocks"].high


def test_the_same_seed_gives_the_same_estimates(baseline):
    again, _ = evaluate(FRESH)
    assert {n: f.value for n, f in again["samples"].items() if n != "images"} == {
        n: f.value for n, f in baseline[0]["samples"].items() if n != "images"
    }
    other, _ = evaluate(FRESH, seed=1)
    assert value(other, "kd_blocks", "training images") != value(baseline[0], "kd_blocks", "training images")

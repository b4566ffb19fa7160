"""The GAN suite on generators whose failures are known: each must show in the figure that is there to show it."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from evaluation.suites import gan
from tests.support.photographs import CLASSES, COUNT, HOLDOUT, TRAIN, Features, Judge, photographs

FRESH = to_float(photographs(2 * COUNT, "fresh", 7).images)  # as an ideal generator makes them, classes in turn
MEANS = np.stack([to_float(TRAIN.images[TRAIN.labels == label]).mean(0) for label in (0, 1)])


def generator(images, classes=2):
    """One whose image of noise k and its label is a row of `images`, classes in turn; noise is the number k."""

    def sample(noise, class_weights=None):
        k = np.asarray(noise)[:, 0].astype(int)
        if class_weights is None:
            return images[k % len(images)]
        given = np.asarray(class_weights)
        if given.ndim == 2:
            return np.einsum("nc,chwd->nhwd", given, MEANS).astype(np.float32)
        return images[(2 * (k // 2) + given) % len(images)]

    def draw_noise(seed, count):
        return np.arange(count, dtype=np.float32)[:, None] + 0 * seed

    return SimpleNamespace(draw_noise=draw_noise, sample=sample, classes=classes)


def suite(images, classes=2, **options):
    """({images: {name without count: Estimate}}, Section)."""
    judges = {"referee": Judge(), "classifier": Judge()}
    section = gan.evaluate(
        generator(images, classes), judges, Features(), TRAIN, HOLDOUT, samples=COUNT, **options
    )
    return named(section), section


def named(section, head="images"):
    return {row[head]: {n.removesuffix(f"_{COUNT}"): f for n, f in row.items()} for row in section.table}


@pytest.fixture(scope="module")
def honest():
    return suite(FRESH)


def value(rows, name, kind="samples"):
    return rows[kind][name].value


def test_an_ideal_generator_is_as_good_as_other_photographs(honest):
    rows, section = honest
    for judge in ("referee", "classifier"):
        assert value(rows, f"accuracy_{judge}") == 1
    assert value(rows, "precision_blocks") > 0.6 and value(rows, "coverage_blocks") > 0.8
    assert value(rows, "sharpness") == pytest.approx(1, abs=0.05)
    assert value(rows, "copies_features") < 0.1 and value(rows, "copies_pixels") < 0.1
    kernel = rows["samples"]["kd_blocks"]
    assert kernel.low <= kernel.value <= kernel.high and abs(kernel.value) < 0.05 and kernel.note == "of a test"
    assert value(rows, "copies_pixels", "training images") == 1
    assert section.estimates[0].name == f"accuracy_referee_{COUNT}"
    for figure in section.estimates:
        assert figure.count in (COUNT, 64) and str(figure.count) in figure.name


def test_pictures_of_the_suite(honest):
    grid, near = honest[1].plots.values()
    cells = grid.reshape(8, 16, 8, 16, 3).swapaxes(1, 2)[:, :, ::2, ::2]
    np.testing.assert_array_equal(to_float(cells.reshape(64, 8, 8, 3)), FRESH[:64])
    assert near.shape == (2 * 8 * 3, 8 * 8 * 3, 3)


def test_a_generator_that_confuses_its_classes():
    rows, _ = suite(FRESH.reshape(-1, 2, 8, 8, 3)[:, ::-1].reshape(FRESH.shape))
    assert value(rows, "accuracy_referee") == 0
    assert value(rows, "accuracy_referee", "training images") == 1


def test_without_classes_any_of_them_is_right():
    rows, _ = suite(FRESH, classes=0)
    assert value(rows, "accuracy_referee") == value(rows, "accuracy_referee", "training images") == 1

    def cat(images):
        shares, features = Judge()(images)
        return np.where(np.arange(len(images))[:, None] < COUNT // 4, [1.0, 0, 0], shares), features

    judge = type("Sees", (), {"class_names": Judge.class_names, "__call__": lambda self, images: cat(images)})()
    figure = gan.accuracies(FRESH[:COUNT], None, {"referee": judge}, CLASSES, 0)[0]
    assert figure.value == 0.75 and figure.low < 0.75 < figure.high


def test_a_collapsed_generator_has_no_diversity(honest):
    rows, _ = suite(FRESH[:1])
    assert value(rows, "diversity_blocks_64") == pytest.approx(0, abs=1e-6)
    assert value(honest[0], "diversity_blocks_64") > 0.1
    assert value(rows, "recall_blocks") < 0.02 and value(rows, "coverage_blocks") < 0.2
    assert value(rows, "accuracy_referee") == 0.5
    for name in ("kd_blocks", "fd_blocks"):
        assert value(rows, name) > 2 * abs(value(honest[0], name))


def test_copied_training_images_are_caught(honest):
    rows, _ = suite(to_float(TRAIN.images))
    for space in ("features", "pixels"):
        assert value(rows, f"nearest_{space}") == pytest.approx(0, abs=1e-6)
        assert value(rows, f"copies_{space}") == 1
        assert value(honest[0], f"nearest_{space}") > 0.1


def test_noise_is_far_and_too_sharp(honest):
    rows, _ = suite(np.random.default_rng(0).uniform(-1, 1, FRESH.shape).astype(np.float32))
    assert value(rows, "sharpness") > 1.5
    assert value(rows, "nearest_pixels") > value(honest[0], "nearest_pixels")
    assert value(rows, "precision_blocks") == value(rows, "density_blocks") == 0
    assert value(rows, "kd_blocks") > rows["training images"]["kd_blocks"].high


def test_same_seed_same_numbers(honest):
    again, _ = suite(FRESH)
    assert {n: f.value for n, f in again["samples"].items() if n != "images"} == {
        n: f.value for n, f in honest[0]["samples"].items() if n != "images"
    }
    other, _ = suite(FRESH, seed=1)
    assert value(other, "kd_blocks", "training images") != value(honest[0], "kd_blocks", "training images")


def test_morphs_have_half_the_weight_of_each_class():
    """The generator's are the mean of two class means; a third class comes first."""
    judges = {"referee": Judge()}
    model = generator(FRESH, 3)
    seen = []

    def sample(noise, weights):
        seen.append((noise, weights))
        return np.einsum("nc,chwd->nhwd", weights[:, [2, 1]], MEANS).astype(np.float32)

    names = ("cat", "bird", "horse")
    train, holdout = (photographs(300, "train", 0), photographs(120, "holdout", 1))
    three = [
        type(part)(part.images, np.where(part.labels == 0, 2, 1).astype(np.int32), part.ids, names, part.split)
        for part in (train, holdout)
    ]
    model = SimpleNamespace(draw_noise=model.draw_noise, sample=sample, classes=3)
    section = gan.evaluate_morphs(model, judges, Features(), *three, "horse", "bird", samples=COUNT)
    rows = named(section, "blends")
    np.testing.assert_array_equal(seen[0][1], [[0, 0.5, 0.5]] * COUNT)
    assert list(rows) == ["class morphs", "cross-fade"]
    assert rows["class morphs"]["recognisability_referee"].value == pytest.approx(0.5, abs=0.02)
    assert rows["cross-fade"]["recognisability_referee"].value == pytest.approx(0.5, abs=0.02)
    assert rows["class morphs"]["diversity_blocks_64"].value == pytest.approx(0, abs=1e-6)
    assert rows["cross-fade"]["diversity_blocks_64"].value > 0.1
    assert section.title == "Class morphs of horse and bird"

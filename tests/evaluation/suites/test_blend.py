"""The blend suite on models whose failures are known: each must show in the figure that is there to show it."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from common.metrics import intervals
from common.metrics.features import density_coverage, precision_recall
from evaluation.suites import blend
from tests.support.photographs import CLASSES, COUNT, HOLDOUT, TRAIN, Features, Judge


def model(decode=lambda latents: latents):
    """Codes are the images themselves."""
    return SimpleNamespace(encode=lambda images: images, decode=decode)


def suite(decode=lambda latents: latents, **options):
    """({blends: {name without count: Estimate}}, Section)."""
    judges = {"referee": Judge(), "classifier": Judge()}
    section = blend.evaluate(model(decode), judges, Features(), TRAIN, HOLDOUT, *CLASSES, samples=COUNT, **options)
    rows = {row["blends"]: {n.removesuffix(f"_{COUNT}"): f for n, f in row.items()} for row in section.table}
    return rows, section


@pytest.fixture(scope="module")
def honest():
    return suite()


def test_lerp_of_a_model_that_changes_nothing_is_the_cross_fade(honest):
    rows, _ = honest
    for name, figure in rows["lerp"].items():
        if name != "blends":
            assert figure.value == pytest.approx(rows["cross-fade"][name].value, rel=1e-4, abs=1e-6), name


def test_half_and_half_is_recognised_as_both(honest):
    rows, _ = honest
    for judge in ("referee", "classifier"):
        assert rows["cross-fade"][f"recognisability_{judge}"].value == pytest.approx(0.5, abs=0.02)
        assert rows["cross-fade"][f"balance_{judge}"].value > 0.8


def test_every_figure_has_its_count_and_the_main_ones_an_interval(honest):
    _, section = honest
    for figure in section.estimates:
        assert figure.count in (COUNT, 64) and str(figure.count) in figure.name
        if not figure.name.startswith(("copies", "diversity")):
            assert figure.low <= figure.value <= figure.high
    kernel = next(figure for figure in section.estimates if figure.name.startswith("kd_blocks"))
    assert kernel.note == "of a test"


def test_same_seed_same_numbers(honest):
    again, _ = suite()
    other, _ = suite(seed=1)
    assert {n: f.value for n, f in again["slerp"].items() if n != "blends"} == {
        n: f.value for n, f in honest[0]["slerp"].items() if n != "blends"
    }
    assert other["slerp"]["kd_blocks"].value != honest[0]["slerp"]["kd_blocks"].value


def test_pictures_of_one_parent_only_are_not_balanced(honest):
    rows, _ = suite(lambda latents: np.repeat(to_float(TRAIN.images[:1]), len(latents), 0))
    assert rows["slerp"]["balance_referee"].value < 0.2 < honest[0]["slerp"]["balance_referee"].value
    assert rows["slerp"]["recognisability_referee"].value < honest[0]["slerp"]["recognisability_referee"].value


def test_one_good_picture_again_and_again_covers_nothing():
    """It lies in balls of real images (precision, density); its own have no radius (recall), and few hold it."""
    rows, _ = suite(lambda latents: np.repeat(to_float(HOLDOUT.images[:1]), len(latents), 0))
    found = {
        name: rows["slerp"][f"{name}_blocks"].value for name in ("precision", "recall", "density", "coverage")
    }
    features = Features()(to_float(HOLDOUT.images))
    assert (found["precision"], found["recall"]) == precision_recall(features, features[[0] * COUNT])
    assert (found["density"], found["coverage"]) == density_coverage(features, features[[0] * COUNT])
    assert found["precision"] == 1 and found["recall"] < 0.02 and found["coverage"] < 0.2 < found["density"]


def test_a_collapsed_decoder_has_no_diversity(honest):
    rows, section = suite(lambda latents: np.zeros_like(latents) + 0.1)
    name = "diversity_blocks_64"
    assert rows["slerp"][name].value == pytest.approx(0, abs=1e-6)
    assert honest[0]["slerp"][name].value > 0.1
    assert rows["slerp"]["kd_blocks"].value > honest[0]["slerp"]["kd_blocks"].value
    assert rows["slerp"]["fd_blocks"].value > rows["cross-fade"]["fd_blocks"].value
    assert rows["slerp"]["coverage_blocks"].value < 0.1 and rows["slerp"]["recall_blocks"].value == 0
    assert "they do not beat it" in section.text or "cannot be told" in section.text


def test_copied_training_images_are_caught(honest):
    copies = to_float(TRAIN.images[:COUNT])
    rows, _ = suite(lambda latents: copies[: len(latents)])
    for space in ("features", "pixels"):
        assert rows["slerp"][f"nearest_{space}"].value == pytest.approx(0, abs=1e-6)
        assert rows["slerp"][f"copies_{space}"].value == 1
        assert honest[0]["slerp"][f"copies_{space}"].value < 0.2


def test_noise_is_far_and_too_sharp(honest):
    def noise(latents):
        return np.random.default_rng(0).uniform(-1, 1, latents.shape)

    rows, _ = suite(noise)
    assert rows["slerp"]["sharpness"].value > 1.5 > honest[0]["slerp"]["sharpness"].value
    assert rows["slerp"]["nearest_pixels"].value > honest[0]["slerp"]["nearest_pixels"].value
    for name in ("kd_blocks", "fd_blocks"):
        assert rows["slerp"][name].value > rows["cross-fade"][name].value, name
    assert rows["slerp"]["precision_blocks"].value == rows["slerp"]["density_blocks"].value == 0


def test_cross_fades_are_blurred_and_gain_nothing_over_themselves(honest):
    """In grey levels squared: real images have noise, 120^2 / 12 / 3 * 8 / 9 = 356, and an edge, where the 2 of 6
    inner rows beside it are 40 off the mean of three: 533. Cross-fades have half the noise and no edge."""
    rows, _ = honest
    assert rows["cross-fade"]["sharpness"].value == pytest.approx(178 / (356 + 533), rel=0.05)
    pictures = sum(blend.draw_pairs(TRAIN, COUNT, seed=0)) / 2
    judged = blend.Judged(pictures, {"referee": Judge()}, Features(), CLASSES)
    gained = blend.gains(judged, judged, SimpleNamespace(real_features=Features()(to_float(HOLDOUT.images))), 0)
    for figure in gained:
        assert figure.low == figure.value == figure.high == 0
    assert blend.verdict(gained).count("cannot be told from") == 2


def test_blur_is_not_sharp(honest):
    rows, _ = suite(lambda latents: np.broadcast_to(latents.mean((1, 2), keepdims=True), latents.shape))
    assert rows["slerp"]["sharpness"].value < 0.1 * honest[0]["slerp"]["sharpness"].value


def test_every_replicate_of_an_interval_counts_as_progress(monkeypatch):
    """20 without a group each and one of everything; what is found is what it is without the count."""
    counts = []

    @contextlib.contextmanager
    def shown(stage, total):
        counts.append([stage, total, 0])
        yield lambda: counts[-1].__setitem__(2, counts[-1][2] + 1)

    monkeypatch.setattr(blend.progress, "show", shown)
    samples = np.random.default_rng(0).normal(size=(2, 50, 3))

    def statistic(first, second):
        return first.mean() - second.std()

    found = blend.jackknife(statistic, *samples, seed=3, stage="a difference")
    assert found == intervals.jackknife(statistic, *samples, seed=3)
    assert counts == [["a difference", 21, 21]]


def test_pairs_are_one_of_each_class_and_a_function_of_seed_and_number():
    few, many = blend.draw_pairs(TRAIN, 5, seed=3), blend.draw_pairs(TRAIN, 9, seed=3)
    for label, (some, more) in enumerate(zip(few, many, strict=True)):
        np.testing.assert_array_equal(some, more[:5])
        own = {image.tobytes() for image in to_float(TRAIN.images[TRAIN.labels == label])}
        assert all(image.tobytes() in own for image in more)
    assert not np.array_equal(many[0], blend.draw_pairs(TRAIN, 9, seed=4)[0])


@pytest.mark.parametrize(
    ("recognised", "shift", "words"),
    [
        (0.3, 0.0, ["blends beat the cross-fade", "real images they beat it"]),
        (0.1, 2.0, ["blends do not beat the cross-fade", "they do not beat it"]),
        (0.2, 1.0, ["blends cannot be told from the cross-fade", "they cannot be told from it"]),
    ],
)
def test_verdict_follows_the_gains(recognised, shift, words):
    rng = np.random.default_rng(0)
    real, noise = rng.normal(size=(200, 3)), rng.normal(size=(COUNT, 3))

    def judged(mean, shift):
        found = {"referee": np.clip(mean + rng.normal(0, 0.02, COUNT), 0, 0.5)}
        return SimpleNamespace(pictures=noise, features=noise + shift, recognisability=found)

    gained = blend.gains(judged(recognised, shift), judged(0.2, 1.0), SimpleNamespace(real_features=real), 0)
    assert [figure.name for figure in gained] == ["recognisability_gain_referee_100", "kd_gain_100"]
    assert np.sign(gained[0].value) == np.sign(recognised - 0.2) or recognised == 0.2
    for phrase in words:
        assert phrase in blend.verdict(gained)


def test_intervals_of_shares_end_at_0_and_1(monkeypatch):
    def wide(*arguments, own=blend.jackknife, **options):
        estimate, low, high = own(*arguments, **options)
        return estimate, low - 9, high + 9

    monkeypatch.setattr(blend, "jackknife", wide)
    rows, _ = suite()
    for name in ("precision", "recall", "coverage"):
        figure = rows["slerp"][f"{name}_blocks"]
        assert (figure.low, figure.high) == (0, 1)
    assert rows["slerp"]["density_blocks"].low < 0 and rows["slerp"]["density_blocks"].high > 1

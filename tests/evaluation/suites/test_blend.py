"""The suite "blend" on models with known failures: each must show in the estimate for it."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from common.metrics.features import density_coverage, precision_recall
from evaluation.picture_estimates import ScoredPictures
from evaluation.suites import blend
from tests.support.photographs import CLASSES, COUNT, HOLDOUT, TRAIN, BlockMeans, HalvesClassifier


def make_model(decode=lambda latents: latents):
    """Makes a model whose latents are the images."""
    return SimpleNamespace(encode=lambda images: images, decode=decode)


def evaluate(decode=lambda latents: latents, **options):
    """Returns ({blends: {name without count: Estimate}}, Section)."""
    classifiers = {"referee": HalvesClassifier(), "classifier": HalvesClassifier()}
    section = blend.evaluate(
        make_model(decode), classifiers, BlockMeans(), TRAIN, HOLDOUT, *CLASSES, samples=COUNT, **options
    )
    rows = {row["blends"]: {n.removesuffix(f"_{COUNT}"): f for n, f in row.items()} for row in section.table}
    return rows, section


@pytest.fixture(scope="module")
def baseline():
    return evaluate()


def test_lerp_of_an_identity_model_is_the_cross_fade(baseline):
    rows, _ = baseline
    for name, estimate in rows["lerp"].items():
        if name != "blends":
            assert estimate.value == pytest.approx(rows["cross-fade"][name].value, rel=1e-4, abs=1e-6), name


def test_blends_half_and_half_are_recognised_as_both_classes(baseline):
    rows, _ = baseline
    for name in ("referee", "classifier"):
        assert rows["cross-fade"][f"recognisability_{name}"].value == pytest.approx(0.5, abs=0.02)
        assert rows["cross-fade"][f"balance_{name}"].value > 0.8


def test_all_estimates_have_counts_and_the_main_ones_intervals(baseline):
    _, section = baseline
    for estimate in section.estimates:
        assert estimate.count in (COUNT, 64) and str(estimate.count) in estimate.name
        if not estimate.name.startswith(("copies", "diversity")):
            assert estimate.low <= estimate.value <= estimate.high
    kernel = next(estimate for estimate in section.estimates if estimate.name.startswith("kd_blocks"))
    assert kernel.note == "of a test"


def test_the_verdict_and_five_key_figures_are_explained(baseline):
    _, section = baseline
    assert [name.rpartition("_")[0] for name in section.key_figures] == [
        *("recognisability_referee", "recognisability_gain_referee", "kd_blocks", "sharpness", "copies_features")
    ]
    share = next(estimate for estimate in section.estimates if estimate.name == f"copies_pixels_{COUNT}").value
    assert f"by features and {share:.1%} by pixels" in section.summary


def test_the_same_seed_gives_the_same_estimates(baseline):
    again, _ = evaluate()
    other, _ = evaluate(seed=1)
    assert {n: f.value for n, f in again["slerp"].items() if n != "blends"} == {
        n: f.value for n, f in baseline[0]["slerp"].items() if n != "blends"
    }
    assert other["slerp"]["kd_blocks"].value != baseline[0]["slerp"]["kd_blocks"].value


def test_blends_like_one_parent_are_not_balanced(baseline):
    rows, _ = evaluate(lambda latents: np.repeat(to_float(TRAIN.images[:1]), len(latents), 0))
    assert rows["slerp"]["balance_referee"].value < 0.2 < baseline[0]["slerp"]["balance_referee"].value
    assert rows["slerp"]["recognisability_referee"].value < baseline[0]["slerp"]["recognisability_referee"].value


def test_one_repeated_real_picture_covers_nothing():
    """It lies in balls of real images (precision, density); its own balls have no radius (recall)."""
    rows, _ = evaluate(lambda latents: np.repeat(to_float(HOLDOUT.images[:1]), len(latents), 0))
    values = {
        name: rows["slerp"][f"{name}_blocks"].value for name in ("precision", "recall", "density", "coverage")
    }
    features = BlockMeans()(to_float(HOLDOUT.images))
    assert (values["precision"], values["recall"]) == precision_recall(features, features[[0] * COUNT])
    assert (values["density"], values["coverage"]) == density_coverage(features, features[[0] * COUNT])
    assert values["precision"] == 1 and values["recall"] < 0.02 and values["coverage"] < 0.2 < values["density"]


def test_a_collapsed_decoder_has_no_diversity(baseline):
    rows, section = evaluate(lambda latents: np.zeros_like(latents) + 0.1)
    name = "diversity_blocks_64"
    assert rows["slerp"][name].value == pytest.approx(0, abs=1e-6)
    assert baseline[0]["slerp"][name].value > 0.1
    assert rows["slerp"]["kd_blocks"].value > baseline[0]["slerp"]["kd_blocks"].value
    assert rows["slerp"]["fd_blocks"].value > rows["cross-fade"]["fd_blocks"].value
    assert rows["slerp"]["coverage_blocks"].value < 0.1 and rows["slerp"]["recall_blocks"].value == 0
    assert "in kernel distance to real images they do not beat it." in section.summary
    assert "SMALL HOLD-OUT: with 120 held-out images" in section.summary


def test_copied_training_images_are_detected(baseline):
    copies = to_float(TRAIN.images[:COUNT])
    rows, _ = evaluate(lambda latents: copies[: len(latents)])
    for space in ("features", "pixels"):
        assert rows["slerp"][f"nearest_{space}"].value == pytest.approx(0, abs=1e-6)
        assert rows["slerp"][f"copies_{space}"].value == 1
        assert baseline[0]["slerp"][f"copies_{space}"].value < 0.2


def test_noise_is_distant_and_too_sharp(baseline):
    def noise(latents):
        return np.random.default_rng(0).uniform(-1, 1, latents.shape)

    rows, _ = evaluate(noise)
    assert rows["slerp"]["sharpness"].value > 1.5 > baseline[0]["slerp"]["sharpness"].value
    assert rows["slerp"]["nearest_pixels"].value > baseline[0]["slerp"]["nearest_pixels"].value
    for name in ("kd_blocks", "fd_blocks"):
        assert rows["slerp"][name].value > rows["cross-fade"][name].value, name
    assert rows["slerp"]["precision_blocks"].value == rows["slerp"]["density_blocks"].value == 0


def test_cross_fades_are_blurred_and_have_no_gain_over_themselves(baseline):
    """Energies in squared grey levels: real images have noise, 120^2 / 12 / 3 * 8 / 9 = 356, and an edge, where 2
    of
    the 6 inner rows differ by 40 from the mean of three: 533. Cross-fades have half the noise and no edge."""
    rows, _ = baseline
    assert rows["cross-fade"]["sharpness"].value == pytest.approx(178 / (356 + 533), rel=0.05)
    pictures = sum(blend.draw_pairs(TRAIN, COUNT, seed=0)) / 2
    scored = ScoredPictures(pictures, {"referee": HalvesClassifier()}, BlockMeans(), CLASSES)
    gains = blend.estimate_gains(
        scored, scored, SimpleNamespace(real_features=BlockMeans()(to_float(HOLDOUT.images))), 0
    )
    for estimate in gains:
        assert estimate.low == estimate.value == estimate.high == 0
    assert blend.describe_gains(gains).count("cannot be told from") == 2


def test_curves_of_class_probabilities_follow_the_mix(monkeypatch):
    """Of the identity's slerp paths the second class's probability rises; a quarter is always another class's."""

    class Unsure(HalvesClassifier):
        def __call__(self, images):
            probabilities, features = super().__call__(images)
            return 0.75 * probabilities + [0.25, 0, 0], features

    drawn = []
    monkeypatch.setattr(blend.plots, "draw_curves", lambda *arguments: drawn.append(arguments))
    blend.draw_probabilities(make_model(), Unsure(), blend.draw_pairs(TRAIN, COUNT, 0), CLASSES, seed=0)
    ((mixes, curves, *_),) = drawn
    np.testing.assert_allclose(mixes, np.arange(9) / 8)
    assert list(curves) == [*CLASSES, "any other"]
    (first, _, _), (second, low, high), (other, _, _) = curves.values()
    assert np.all(np.diff(second) > 0) and np.all(np.diff(first) < 0) and second[-1] > 2 * second[0]
    np.testing.assert_allclose(other, 0.25)
    np.testing.assert_allclose(first + second + other, 1)
    assert np.all(low < second) and np.all(second < high)


def test_blurred_pictures_are_not_sharp(baseline):
    rows, _ = evaluate(lambda latents: np.broadcast_to(latents.mean((1, 2), keepdims=True), latents.shape))
    assert rows["slerp"]["sharpness"].value < 0.1 * baseline[0]["slerp"]["sharpness"].value


def test_a_pair_has_one_image_of_each_class_and_depends_on_seed_and_number():
    few, many = blend.draw_pairs(TRAIN, 5, seed=3), blend.draw_pairs(TRAIN, 9, seed=3)
    for label, (first_five, drawn) in enumerate(zip(few, many, strict=True)):
        np.testing.assert_array_equal(first_five, drawn[:5])
        of_class = {image.tobytes() for image in to_float(TRAIN.images[TRAIN.labels == label])}
        assert all(image.tobytes() in of_class for image in drawn)
    assert not np.array_equal(many[0], blend.draw_pairs(TRAIN, 9, seed=4)[0])


@pytest.mark.parametrize(
    ("recognisability", "shift", "phrases"),
    [
        (0.3, 0.0, ["blends beat the cross-fade", "real images they beat it"]),
        (0.1, 2.0, ["blends are worse than the cross-fade of the same pairs in both recognisability and kernel"]),
        (0.1, 1.0, ["blends do not beat the cross-fade", "they cannot be told from it"]),
        (0.2, 1.0, ["blends cannot be told from the cross-fade", "they cannot be told from it"]),
    ],
)
def test_the_description_follows_the_gains(recognisability, shift, phrases):
    rng = np.random.default_rng(0)
    real, noise = rng.normal(size=(200, 3)), rng.normal(size=(COUNT, 3))

    def make_scored(mean, shift):
        values = {"referee": np.clip(mean + rng.normal(0, 0.02, COUNT), 0, 0.5)}
        return SimpleNamespace(pictures=noise, features=noise + shift, recognisability=values)

    blends, control = make_scored(recognisability, shift), make_scored(0.2, 1.0)
    gains = blend.estimate_gains(blends, control, SimpleNamespace(real_features=real), 0)
    assert [estimate.name for estimate in gains] == ["recognisability_gain_referee_100", "kd_gain_100"]
    assert np.sign(gains[0].value) == np.sign(recognisability - 0.2) or recognisability == 0.2
    for phrase in phrases:
        assert phrase in blend.describe_gains(gains)

"""What a training measures of itself: models whose figures are known, and agreement with the suites."""

from types import SimpleNamespace

import numpy as np
import pytest

from acai import line_metrics
from common import interpolation
from common.data import lines
from evaluation import training_metrics
from evaluation.suites import blend

CLASSES = ("horse", "bird")
RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.uniform(-1, 1, (2, 24, 8, 8, 3)).astype(np.float32)


class Judge:
    """P(horse), P(bird) and the features are functions of the mean of the upper half alone."""

    class_names = ("cat", *CLASSES)

    def __init__(self, power=1):
        self.power = power

    def __call__(self, images):
        share = ((images[:, :4].mean((1, 2, 3)) + 1) / 2) ** self.power
        return np.stack([0 * share, share, 1 - share], axis=1), images[:, 0].reshape(len(images), -1)


@pytest.fixture(scope="module")
def scorer():
    return training_metrics.BlendWatch({"referee": Judge(), "classifier": Judge(2)}, FIRST, SECOND, CLASSES)


def test_figures_are_those_of_the_blends_at_one_half(scorer):
    found = scorer(lambda images: 2 * images, lambda latents: latents / 2)
    blends = np.clip(interpolation.slerp(FIRST, SECOND, 0.5), -1, 1)
    for name, judge in scorer.judges.items():
        shares, _ = judge(blends)
        expected = np.sqrt(shares[:, 1] * shares[:, 2]).mean()
        assert found[f"blend_recognisability_{name}"] == pytest.approx(expected, rel=1e-5)
    assert found["blend_recognisability_referee"] != found["blend_recognisability_classifier"]
    assert set(map(type, found.values())) == {float}


def test_copies_of_real_images_have_their_sharpness_and_no_distance(scorer):
    """A decoder that gives a draw of the real images."""
    real = np.concatenate([FIRST[::2], SECOND[::2]])
    found = scorer(lambda images: images, lambda latents: real)
    assert found["blend_sharpness"] == pytest.approx(1, abs=0.05)
    assert found["blend_kd_classifier"] < 0.05


def test_a_collapsed_decoder_is_seen(scorer):
    found = scorer(lambda images: images, lambda latents: np.ones_like(latents))
    assert found["blend_sharpness"] == 0
    assert found["blend_kd_classifier"] > 1  # the kernel of two features of ones is 8


def test_line_scores_are_those_of_the_suite():
    """A model whose code is the angle: perfect, but for the 10,000 angles it can answer with."""
    found = training_metrics.line_scores(
        lambda images: line_metrics.match_angles(images)[0][:, None], lambda latents: lines.render(latents[:, 0])
    )
    assert found["lines_mean_distance"] < 1e-5 and 0 <= found["lines_smoothness"] < 0.02


@pytest.mark.slow  # as the one above, with other lines
def test_lines_that_do_not_turn_have_no_smoothness():
    one = lines.render(np.array([1.0]))
    found = training_metrics.line_scores(lambda images: images, lambda latents: one.repeat(len(latents), 0))
    assert list(found) == ["lines_mean_distance"]


def test_the_suite_decodes_the_same_blends():
    model = SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents)
    expected = blend.decoded_blends(model, FIRST, SECOND, interpolation.slerp)
    seen = []
    judge = Judge()
    judge_and_keep = lambda images: seen.append(images) or judge(images)  # noqa: E731
    judge_and_keep.class_names = judge.class_names
    training_metrics.BlendWatch({"classifier": judge_and_keep}, FIRST, SECOND, CLASSES)(model.encode, model.decode)
    np.testing.assert_array_equal(seen[-1], expected)

"""The suite "lines" on a perfect model, a cross-fade and a collapsed decoder."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from common import release
from common.data import lines
from evaluation import line_metrics
from evaluation.suites.lines import estimate_logged, evaluate

PAIRS = 12


def make_perfect_model():
    """Makes a model whose latents are the angle, so that interpolated lines turn evenly."""
    return SimpleNamespace(
        encode=lambda images: line_metrics.match_angles(images)[0][:, None],
        decode=lambda latents: lines.render(latents[:, 0]),
    )


def evaluate_pairs(model, **options):
    section = evaluate(model, pairs=PAIRS, **options)
    return {estimate.name.removesuffix(f"_{PAIRS}"): estimate for estimate in section.estimates}, section


def test_a_perfect_model_has_no_distance():
    estimates, section = evaluate_pairs(make_perfect_model(), name="VAE")
    assert estimates["lines_mean_distance"].value < 1e-5 and estimates["lines_smoothness"].value < 0.01
    assert estimates["lines_smoothness_nan_share"].value == 0
    assert estimates["lines_smoothness_official"].value == pytest.approx(estimates["lines_smoothness"].value)
    assert estimates["lines_mean_distance"].low <= estimates["lines_mean_distance"].value
    (picture,) = section.plots.values()
    assert picture.shape == (8 * 32, 16 * 32, 3)
    assert section.table[0]["mean distance"] == estimates["lines_mean_distance"].value
    assert section.table[0]["official smoothness"] == estimates["lines_smoothness_official"].value
    assert [row["model"] for row in section.table].count("ACAI, the paper's") == 1
    assert section.table[0]["model"] == "VAE, this one" and "logged" not in section.text


def test_a_cross_fade_has_a_large_distance_and_does_not_turn_evenly():
    estimates, _ = evaluate_pairs(SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents))
    assert estimates["lines_mean_distance"].value > 1e-3 and estimates["lines_smoothness"].value > 0.2


def test_pixels_as_latents_lose_nothing_along_the_datas_own_angle():
    estimates, _ = evaluate_pairs(SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents))
    assert estimates["lines_mean_distance_angle"].value < 1e-6 and estimates["lines_smoothness_angle"].value < 0.01
    assert estimates["lines_smoothness_nan_share_angle"].value == 0
    linear, spherical = (estimates[f"lines_mean_distance{part}"].value for part in ("", "_slerp"))
    assert 1e-3 < spherical != linear


def test_medians_of_the_last_logged_values_by_hand(tmp_path):
    """Of 1 to 25 in this order the last 20 are 6 to 25, with a median of 15.5."""
    run = tmp_path / "run"
    release.write(run / "release", {}, {"x": np.zeros(1)})
    assert estimate_logged(str(run)) == []
    records = [{"kimg": 10.0 * k, "lines_mean_distance": k} for k in range(1, 26)]
    records += [{"kimg": 300.0 + k, "lines_smoothness_official": 0.5} for k in range(19)]  # too few
    lines_of_log = [json.dumps(record) + "\n" for record in records]
    (run / "metrics.jsonl").write_text("".join(lines_of_log))
    (distance,) = estimate_logged(str(run))
    assert (distance.name, distance.value, distance.count) == ("lines_mean_distance_median_20", 15.5, 256)
    assert distance.low is None and distance.note == "the last 20 logged, at 60.0 to 250.0 kimg"
    assert estimate_logged(str(run / "release")) == [distance]

    (run / "metrics.jsonl").write_text("".join(lines_of_log) + '{"kimg": 400, "lines_mean_dis')  # being written
    assert estimate_logged(str(run)) == [distance]
    (run / "metrics.jsonl").write_text("".join(lines_of_log) + '{"kimg": 400, "lines_smoothness_official": 0.7}\n')
    distance, smoothness = estimate_logged(str(run))
    assert (smoothness.name, smoothness.value) == ("lines_smoothness_official_median_20", 0.5)
    _, section = evaluate_pairs(make_perfect_model(), logged=[distance])
    assert section.estimates[-1] == distance and "the median of the last 20 values" in section.text


@pytest.mark.parametrize("damaged", ["no JSON", "[1]", '{"lines_mean_distance": 1}'])
def test_a_damaged_log_ends_no_measurement(damaged, tmp_path, caplog):
    release.write(tmp_path / "release", {}, {"x": np.zeros(1)})
    (tmp_path / "metrics.jsonl").write_text(f"{damaged}\n")
    with caplog.at_level("WARNING"):
        assert estimate_logged(str(tmp_path)) == []
    assert "metrics.jsonl must be the log of a training" in caplog.text


def test_noise_has_a_large_distance():
    def noise(latents):
        return np.random.default_rng(0).uniform(-1, 1, (len(latents), 32, 32, 1))

    estimates, _ = evaluate_pairs(SimpleNamespace(encode=lambda images: images, decode=noise))
    assert estimates["lines_mean_distance"].value > 0.5


def test_a_collapsed_decoder_has_no_smoothness():
    line = lines.render(np.array([1.0]))
    estimates, _ = evaluate_pairs(
        SimpleNamespace(encode=lambda images: images, decode=lambda x: line.repeat(len(x), 0))
    )
    assert np.isnan(estimates["lines_smoothness"].value) and estimates["lines_smoothness"].low is None
    assert estimates["lines_smoothness_nan_share"].value == 1

"""Decoding the plans of an ACAI: blends in closed form, paths, samples and diagrams."""

import numpy as np
import pytest

from common import interpolation
from pictures import acai_plan, acai_render
from pictures.request import Blend, Interpolate, Reconstruct, Sample
from pictures.request_checks import PATHS
from tests.support.latent_banks import SquaringDecoder, small_bank, squares

PAIR = dict(first="horse", second="bird")


@pytest.fixture
def bank():
    return small_bank()


def plan_of(bank, request, rows=None):
    drawn = {"rows": acai_plan.draw_rows(request, bank) if rows is None else rows}
    return acai_plan.ACAIPlan(request, "a test", {}, {}, bank, drawn)


def endpoints(bank, request, rows=None):
    return acai_render.endpoints(plan_of(bank, request, rows), SquaringDecoder())


def test_endpoints_are_the_latents_of_the_rows(bank):
    first, second = endpoints(bank, Blend(**PAIR), [[1, 0], [3, 9]])
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, bank.latents[[1, 3]])
    np.testing.assert_array_equal(second, bank.latents[[0, 9]])
    first, second = endpoints(bank, Reconstruct(**PAIR), [[4], [5]])
    np.testing.assert_array_equal(first, bank.latents[[4, 5]])
    assert second is None


def test_samples_without_a_bandwidth_are_latents_of_the_two_classes(bank):
    def sample(**fields):
        return endpoints(bank, Sample(**PAIR, **fields))[0]

    latents = sample(bandwidth=0.0, count=100)
    nearest = [int(np.abs(bank.latents.astype(float) - code).sum((1, 2, 3)).argmin()) for code in latents]
    np.testing.assert_array_equal(latents, bank.latents[nearest])
    assert set(nearest) == set(range(10)) - {4}
    np.testing.assert_array_equal(sample(count=3), sample(count=20)[:3])
    assert not np.array_equal(sample(seed=1), sample())


def perpendicular_pairs():
    """Two pairs of perpendicular latents of length 2."""
    first, second = np.zeros((2, 2, 2, 1), np.float32), np.zeros((2, 2, 2, 1), np.float32)
    first[0, 0, 0], second[0, 1, 1] = 2, 2
    first[1, 1, 0], second[1, 0, 0] = 2, 2
    return first, second


@pytest.mark.parametrize("mix", [0.0, 0.25, 0.5, 1.0])
def test_blends_in_closed_form(mix):
    first, second = perpendicular_pairs()
    weights = {"lerp": (1 - mix, mix), "slerp": (np.cos(np.pi / 2 * mix), np.sin(np.pi / 2 * mix))}
    for path, (a, b) in weights.items():
        (pictures,) = acai_render.decode_path(SquaringDecoder(), first, second, [mix], path)
        expected = np.square(a * first + b * second).repeat(3, -1)
        np.testing.assert_allclose(pictures, expected, atol=1e-6)
    (pictures,) = acai_render.decode_path(SquaringDecoder(), first, second, [mix], "pixel")
    faded = (1 - mix) * np.square(first) + mix * np.square(second)  # of the decoded endpoints
    np.testing.assert_allclose(pictures, faded.repeat(3, -1), atol=1e-6)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("count", [1, 64, 70])
def test_strips_lead_from_parent_to_parent_through_the_picture(bank, path, count):
    plan = plan_of(bank, Blend(**PAIR, count=count, path=path, strip=5, mix=0.75))
    rendered, entries = acai_render.render(plan, SquaringDecoder())
    assert rendered["strips"].shape == (count, 5, 2, 2, 3) and rendered["parents"].shape == (count, 2, 2, 2, 3)
    np.testing.assert_array_equal(rendered["strips"][:, [0, 4]], rendered["parents"])
    np.testing.assert_array_equal(rendered["strips"][:, 3], rendered["pictures"])
    rows = np.array(plan.drawn["rows"])
    for side in (0, 1):
        np.testing.assert_array_equal(rendered["parents"][:, side], squares(bank.latents[rows[:, side]]))
    assert [[parent["row"] for parent in entry["parents"]] for entry in entries] == rows.tolist()


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (Blend(**PAIR, count=2), {"parents", "pictures"}),
        (Interpolate(**PAIR, count=2, strip=3), {"parents", "strips"}),
        (Reconstruct(**PAIR, count=2), {"pictures"}),
        (Sample(**PAIR, count=2), {"pictures"}),
    ],
)
def test_each_action_renders_its_pictures(bank, request_, names):
    assert set(acai_render.render(plan_of(bank, request_), SquaringDecoder())[0]) == names


# Diagrams


def diagrams(bank, **fields):
    """(rows [N, anchors], pictures [N, strip, strip, 2, 2, 3])."""
    plan = plan_of(bank, Interpolate(**PAIR, strip=3, **fields))
    return np.array(plan.drawn["rows"]), acai_render.render(plan, SquaringDecoder())[0]["diagrams"]


def test_corners_are_three_images_and_the_fourth_by_analogy(bank):
    rows, pictures = diagrams(bank, layout="j", count=20)
    assert pictures.shape == (20, 3, 3, 2, 2, 3)
    a, b, c = (bank.latents[column].astype(np.float32) for column in rows.T)
    for place, latents in (((0, 0), a), ((0, 2), b), ((2, 0), c), ((2, 2), b + c - a)):
        np.testing.assert_allclose(pictures[:, *place], squares(latents), atol=1e-5)
    np.testing.assert_allclose(pictures[:, 0, 1], squares(interpolation.slerp(a, b, 0.5)), atol=1e-5)


def test_a_mine_grid_has_the_nearest_images_at_every_second_place(bank):
    rows, pictures = diagrams(bank, layout="mine", count=6)
    flat = bank.latents.astype(float).reshape(10, -1)
    for entry, picture in zip(rows, pictures, strict=True):
        from_each = np.linalg.norm(flat[entry][:, None] - flat[None], axis=-1)
        from_each[:, 4] = np.inf  # of neither class
        assert any(set(np.argsort(distances)[:4]) == set(entry) for distances in from_each)
        np.testing.assert_allclose(picture[::2, ::2].reshape(4, 2, 2, 3), squares(bank.latents[entry]), rtol=1e-5)


def test_a_diagram_follows_the_path_that_is_asked_for(bank):
    rows, pictures = diagrams(bank, layout="j", path="lerp", count=1)
    _, b, c = bank.latents[rows[0]].astype(np.float32)
    centre = squares(((b + c) / 2)[None])[0]  # of a, b, c and b + c - a
    np.testing.assert_allclose(pictures[0, 1, 1], centre, atol=1e-5)

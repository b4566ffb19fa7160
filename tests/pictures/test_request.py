"""Requests: what their fields may hold, which flags exclude each other, and which model makes what."""

import dataclasses

import pytest

from common.errors import InputError
from pegasus.search_config import MaskSearch, Search
from pictures.request import (
    REQUESTS,
    Blend,
    BlendClasses,
    Diagram,
    Explore,
    Interpolate,
    InterpolateNoise,
    Reconstruct,
    Sample,
    SampleNoise,
    from_flags,
    request_class,
)

IMAGES = dict(first_image="a.png", second_image="b.png")
SEARCH = Search(99, keep=64)


@pytest.mark.parametrize("family", REQUESTS)
def test_each_action_of_a_family_has_one_class_whose_defaults_are_valid(family):
    for kind in REQUESTS[family]:
        assert request_class(family, kind.action, "a test") is kind
        assert dataclasses.asdict(kind())["source"] == "pegasus"
    assert len({kind.action for kind in REQUESTS[family]}) == len(REQUESTS[family])


def test_requests_cannot_be_changed():
    for kind in (Blend, SampleNoise, Diagram):
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind().source = "acai_small"


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Blend, dict(source=3), "--source must be a string. Received: 3"),
        (Blend, dict(count=0), "--count must be an integer of at least 1. Received: 0"),
        (Blend, dict(count="many"), "--count must be an integer"),
        (Blend, dict(count=None), "--count must be an integer"),
        (Blend, dict(count=True), "--count must be an integer"),
        (Blend, dict(count=2.0), "--count must be an integer"),
        (Blend, dict(count=8193), "at most 8192 with --scale=4. Received: 8193"),
        (Blend, dict(count=65, scale=32, strip=2), "at most 128 with --scale=32. Received: 130"),
        (Interpolate, dict(layout="j", count=102), "at most 8192 with --scale=4. Received: 8262"),
        (Blend, dict(scale=33), "--scale must be an integer from 1 to 32"),
        (Blend, dict(seed=-1), "--seed must be an integer of at least 0"),
        (Blend, dict(mix=1.1), r"--mix must be a finite number in \[0, 1\]. Received: 1.1"),
        (Blend, dict(mix=float("nan")), "--mix must be a finite number"),
        (Blend, dict(mix={}), "--mix must be a finite number"),
        (Sample, dict(bandwidth=1e300), r"--bandwidth must be a finite number in \[0, 1000\]"),
        (Blend, dict(path="curve"), "--path must be one of slerp, lerp, pixel. Received: curve"),
        (Blend, dict(path=["slerp"]), "--path must be one of"),
        (Interpolate, dict(layout="circle"), "--layout must be one of strip, j, mine"),
        (Blend, dict(mask="left"), "--mask must be one of uniform, top"),
        (Blend, dict(first=3), "--first must be a string"),
        (Blend, dict(search=3), "search must be a Search"),
        (Blend, dict(resample="cubic"), "--resample must be one of bicubic, nearest. Received: cubic"),
        (Blend, dict(first_placement="big"), "--first_placement must be names and values such as scale=0.8"),
        (
            Blend,
            dict(second_placement="scale=2,up=4"),
            "of scale, down, right, rotation, mirror. Received: up in ",
        ),
        (Blend, dict(second_placement="scale=0"), "--scale must be a finite number"),
        (Blend, dict(second_placement="scale=2"), "--second_placement needs --first_image and --second_image"),
        (Blend, IMAGES | dict(count=1, second_mask="m.png", mix=0.4), "--second_mask needs .*or --mix"),
        (Blend, dict(strip=1), "--strip must be 0 or at least 2. Received: 1"),
        (BlendClasses, dict(strip=1), "--strip must be 0 or at least 2"),
        (Blend, dict(strip=-3), "--strip must be an integer of at least 0"),
        (InterpolateNoise, dict(strip=1), "--strip must be at least 2 with --interpolate"),
        (Interpolate, dict(strip=4, layout="mine"), "--strip must be odd and at least 3 with --layout=mine"),
        (InterpolateNoise, dict(strip=2, layout="mine"), "--strip must be odd and at least 3"),
        (Interpolate, dict(layout="j", path="pixel"), "--layout=j cannot be combined with --path=pixel"),
        (Blend, dict(first_image="a.png", count=1), "given together. Received: --first_image"),
        (Blend, IMAGES, "--count must be 1. Received: 64"),
        (Blend, IMAGES | dict(count=1, mask="top"), "--mask cannot be combined with --first_image"),
        (Blend, dict(mask="top", path="pixel"), "--mask cannot be combined with --path=pixel"),
        (Blend, dict(mask="top", mix=0), "--mix must be above 0 and below 1 with --mask. Received: 0"),
        (Blend, dict(search=SEARCH, path="lerp"), "--candidates cannot be combined with --path=lerp"),
        (Blend, dict(search=SEARCH, mix=0.4), "--candidates cannot be combined with --mix=0.4"),
        (Blend, dict(search=SEARCH, count=9), "--candidates cannot be combined with --count=9: use --keep"),
        (SampleNoise, dict(search=SEARCH, count=9), "--candidates cannot be combined with --count=9: use --keep"),
        (Blend, dict(search=MaskSearch(99), mask="top"), "mask of a search must be a field of the search"),
    ],
)
def test_fields_that_do_not_fit_are_refused(kind, fields, words):
    with pytest.raises(InputError, match=words):
        kind(**fields)


@pytest.mark.parametrize(
    ("family", "action", "words"),
    [
        ("classifier", "blend", "A classifier can only be drawn: --diagram. Received: --blend of here"),
        (
            "wing_classifier",
            "sample",
            "A classifier can only be drawn: --diagram. Received: --sample of here",
        ),
        (
            "gan",
            "reconstruct",
            "family gan makes --blend or --interpolate or --sample or --diagram. Received: --reconstruct of here",
        ),
        ("gan", "explore", "Received: --explore of here"),
        ("acai", "count", "Received: --count of here"),
    ],
)
def test_actions_that_a_model_cannot_do_are_refused(family, action, words):
    with pytest.raises(InputError, match=words):
        request_class(family, action, "here")


def test_flags_set_the_fields_and_defaults_the_rest():
    assert from_flags(Blend, {"seed": 3, "mix": 0.25}) == Blend(seed=3, mix=0.25)
    assert from_flags(Interpolate, {}).count == 8 and from_flags(Interpolate, {}).strip == 9
    assert from_flags(Interpolate, {"layout": "j"}).count == 4
    assert from_flags(InterpolateNoise, {"layout": "mine", "count": 64}).count == 64
    assert from_flags(Blend, IMAGES).count == 1  # the two make one picture


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (Sample, dict(strip=3), "--sample of this model cannot be combined with --strip=3"),
        (Blend, dict(bandwidth=1.0), "--blend of this model cannot be combined with --bandwidth"),
        (Blend, dict(layout="j"), "--blend of this model cannot be combined with --layout"),
        (Reconstruct, dict(search=SEARCH), "--reconstruct of this model cannot be combined with --candidates=99"),
        (Reconstruct, IMAGES, "cannot be combined with --first_image"),
        (BlendClasses, dict(mask="top"), "cannot be combined with --mask"),
        (InterpolateNoise, dict(path="lerp"), "cannot be combined with --path"),
        (SampleNoise, dict(second="bird"), "cannot be combined with --second"),
        (SampleNoise, dict(bandwidth=0.1), "cannot be combined with --bandwidth"),
        (Explore, dict(count=9), "--explore of this model cannot be combined with --count=9"),
        (Explore, dict(seed=3), "cannot be combined with --seed=3"),
        (Explore, dict(scale=2), "cannot be combined with --scale=2"),
        (Diagram, dict(first="horse"), "--diagram of this model cannot be combined with --first"),
        (
            Blend,
            IMAGES | dict(count=9),
            "--first_image cannot be combined with --count, which would have no effect",
        ),
        (Blend, IMAGES | dict(second="bird"), "--first_image cannot be combined with --second"),
        (Sample, dict(latents="a.npz", bandwidth=1.0), "--latents cannot be combined with --bandwidth"),
        (SampleNoise, dict(latents="a.npz", search=SEARCH), "--latents cannot be combined with --candidates"),
    ],
)
def test_flags_of_other_actions_are_refused(kind, values, words):
    with pytest.raises(InputError, match=words):
        from_flags(kind, values)


@pytest.mark.parametrize(("layout", "strip", "anchors"), [("j", 2, (2, 1)), ("j", 9, (2, 8)), ("mine", 9, (5, 2))])
def test_anchors_of_a_diagram_span_its_side(layout, strip, anchors):
    side, gap = InterpolateNoise(layout=layout, strip=strip, count=1).anchors()
    assert (side, gap) == anchors and (side - 1) * gap + 1 == strip


def test_numbers_of_endpoints():
    numbers = {"strip": 2, "j": 3, "mine": 9}
    for layout, number in numbers.items():
        assert Interpolate(layout=layout, strip=5, count=1).endpoints_per_picture() == number

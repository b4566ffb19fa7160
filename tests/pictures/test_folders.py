"""Where pictures go by default, and what is said of pictures that are replaced."""

import pytest

from pictures import folders, manifest
from pictures.request import Blend, Diagram, Explore, Interpolate, Sample

IMAGES = dict(first_image="my/a.png", second_image="b.jpeg", count=1)


@pytest.mark.parametrize(
    ("request_", "again", "folder"),
    [
        (Blend(), False, "out/blend"),
        (Blend(seed=3, strip=9), False, "out/blend"),
        (Blend(**IMAGES), False, "out/blend-a-b"),
        (Blend(source="runs/mine/", **IMAGES), False, "out/blend-mine-a-b"),
        (Blend(source="runs/mine/release"), False, "out/blend-mine"),
        (Interpolate(source="acai_small"), False, "out/interpolate-acai_small"),
        (Explore(source="runs/../runs/x"), False, "out/explore-x"),
        (Blend(), True, "out/blend-again"),
        (Sample(source="dcgan"), True, "out/sample-dcgan-again"),
    ],
)
def test_models_and_own_pictures_get_folders_of_their_own(request_, again, folder):
    assert folders.default_folder(request_, again) == folder


def test_pictures_of_another_request_are_named_before_they_are_replaced(tmp_path):
    assert folders.describe_replaced(tmp_path, Blend()) == ""
    text = manifest.as_text(Blend(count=9, seed=2, source="here"), {"rows": []}, [], [])
    (tmp_path / "manifest.json").write_text(text)
    assert folders.describe_replaced(tmp_path, Blend(count=9, seed=2, source="here")) == ""
    line = folders.describe_replaced(tmp_path, Blend(count=9, seed=3, source="here"))
    assert line == (
        f"note: replaces what is in {tmp_path}, 9 of --blend with --source=here --seed=2; --out=DIR would keep it"
    )
    assert folders.describe_replaced(tmp_path, Sample(count=9, seed=2, source="here")) == line
    (tmp_path / "manifest.json").write_text("{}")
    assert folders.describe_replaced(tmp_path, Blend()) == ""


@pytest.mark.parametrize(("request_", "name"), [(Explore(), "explore.html"), (Diagram(), "architecture.png")])
def test_a_page_or_a_drawing_is_named_before_it_is_replaced(tmp_path, request_, name):
    assert folders.describe_replaced(tmp_path, request_) == ""
    (tmp_path / name).write_text("old")
    assert folders.describe_replaced(tmp_path, request_) == f"note: replaces {tmp_path / name}"

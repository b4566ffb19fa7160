"""Manifests: a request survives the way through a file, and what is no manifest is refused."""

import json

import pytest

from common import release
from common.errors import InputError
from pegasus.search_config import MaskSearch, Search
from pictures import manifest
from pictures.request import REQUESTS, Blend, Sample

SEARCHES = (Search(70, keep=8), MaskSearch(70, 8, "top"), MaskSearch(70, 8))
PLACED = dict(first_placement="scale=0.5", second_placement="mirror=true,down=-3", second_mask="mask.png")


def stored(folder, request, /, **changes):
    content = json.loads(manifest.as_text(request, {"rows": []}, [], ["grid.png"]))
    (folder / "manifest.json").write_text(json.dumps(content | changes))
    return manifest.read(folder / "manifest.json")


@pytest.mark.parametrize(
    "request_",
    [kind() for kinds in REQUESTS.values() for kind in kinds]
    + [Blend(search=search, count=8) for search in SEARCHES]
    + [Blend(first_image="a.png", second_image="b.png", count=1, **PLACED)],
)
def test_a_request_survives_a_manifest(tmp_path, request_):
    read = stored(tmp_path, request_)
    assert read.action == request_.action and read.drawn == {"rows": []}
    assert manifest.make_request(type(request_), read, {}) == request_


def test_a_manifest_is_compact_and_says_what_its_names_mean():
    shares = [[round(k / 10 + j / 1000, 3) for j in range(8)] for k in range(8)]
    drawn = {"rows": [], "blends": [{"shares": shares, "mirrored": [0, 1]}] * 2}
    pictures, files = [{"file": "blend-000.png", "mix": 0.5}] * 2, [f"blend-{k:03d}.png" for k in range(64)]
    text = manifest.as_text(Blend(count=2, scale=1), drawn, pictures, files)
    content = json.loads(text)
    assert content["drawn"] == drawn and content["pictures"] == pictures and content["files"] == files
    assert max(map(len, text.splitlines())) <= manifest.LINE_LENGTH + 30  # the name before a value
    assert json.dumps(shares[7]) in {line.strip() for line in text.splitlines()}, "a row of cells is a line"
    assert len(text.splitlines()) < 80
    assert content["about"].keys() == {"seed", "search", "rows", "blends", "shares", "mirrored", "mix", "mask"}
    assert content["about"]["mirrored"] == "for each parent 1 if it was mirrored, else 0"


def test_flags_beside_a_manifest_replace_fields(tmp_path):
    read = stored(tmp_path, Blend(seed=3))
    assert manifest.make_request(Blend, read, {"scale": 2, "source": "here"}) == Blend(
        seed=3, scale=2, source="here"
    )
    with pytest.raises(InputError, match="given together"):
        manifest.make_request(Blend, read, {"first_image": "a.png"})
    with pytest.raises(InputError, match="--sample of this model cannot be combined with --first_image"):
        manifest.make_request(Sample, stored(tmp_path, Sample()), {"first_image": "a.png"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "blend", "source": "here"}, "which differs in count, first, first_image, .* strip"),
        (None, "a manifest.json"),
        ({"action": ["blend"], "source": "here"}, "action and source must be names"),
        ({"action": "blend", "source": 3}, "action and source must be names"),
    ],
)
def test_requests_of_other_fields_are_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        manifest.make_request(Blend, stored(tmp_path, Blend(), request=changes), {})


def test_a_search_of_other_fields_is_refused(tmp_path):
    fields = json.loads(manifest.as_text(Blend(search=SEARCHES[0], count=8), {}, [], []))["request"]
    for search, words in (({"wings": 1}, "the fields of Search"), ([3], "must be a Search")):
        with pytest.raises(InputError, match=words):
            manifest.make_request(Blend, stored(tmp_path, Blend(), request=fields | {"search": search}), {})


def test_a_bundled_manifest_is_found_where_there_is_one(tmp_path):
    assert manifest.find_bundled("pegasus") == release.BUNDLED / "pegasus" / "pegasus.json"
    assert manifest.find_bundled("dcgan") is manifest.find_bundled("no such model") is None
    for name in ("manifest.json", "manifest.npz"):
        (tmp_path / name).write_bytes(name.encode())
    release_folder = tmp_path / "release"
    release_folder.mkdir()
    copies = manifest.copy_to_release(tmp_path / "manifest.json", release_folder)
    assert [path.name for path in copies] == ["pegasus.npz", "pegasus.json"]
    assert copies[1].read_bytes() == b"manifest.json"

"""A round: which pictures and decoys it shows, in which order, and what its files give away."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from evaluation.viewers import rounds
from tests.support.viewer_rounds import BIRD_GREEN, HORSE_RED, photographs, read_key, shown_pictures

TELLING = r"horse|pony|wing|pegas|unicorn|bird|fly|flies|foal|blend|hybrid|mix|cross|real|fake|decoy|cifar|generat"
FACTS = {"source": "pegasus", "weights": "0123", "pictures": "bundled"}


def write(folder, pictures=None, seed=3):
    folder.mkdir(exist_ok=True)
    dataset = photographs()
    horses, birds = (dataset.select((name,)) for name in ("horse", "bird"))
    return rounds.write_round(
        folder, shown_pictures() if pictures is None else pictures, horses, birds, FACTS, seed
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rounds") / "round"
    write(path)
    return path


@pytest.mark.parametrize(("count", "decoys"), [(64, 36), (16, 59), (65, 60), (1, 49), (14, 36), (89, 36)])
def test_sheets_are_full_and_have_at_least_36_decoys(count, decoys):
    assert rounds.count_decoys(count) == decoys and (count + decoys) % 25 == 0


def test_every_picture_and_decoy_is_shown_once(folder):
    entries = read_key(folder)["pictures"]
    assert [entry["number"] for entry in entries] == list(range(1, 101))
    names = {kind: sorted(e["name"] for e in entries if e["kind"] == kind) for kind in ("picture", *rounds.DECOYS)}
    assert names["picture"] == sorted(str(k) for k in range(64))
    assert [len(names[kind]) for kind in rounds.DECOYS] == [12, 12, 12]
    ids = [int(n) for kind in rounds.DECOYS for name in names[kind] for n in re.findall(r"\d+", name)]
    assert len(ids) == len(set(ids)) == 48
    assert len({entry["picture"] for entry in entries}) == 100


def test_the_key_tells_what_each_picture_on_a_sheet_is(folder):
    """By the colours of the sheets, cut into tiles here."""
    numbers = set()
    for entry in read_key(folder)["pictures"]:
        sheet, place = divmod(entry["number"] - 1, 25)
        row, column = divmod(place, 5)
        pixels = np.asarray(Image.open(folder / "ask" / f"sheet-{sheet + 1}.png"))
        top, left = 28 + 220 * row, 28 + 220 * column
        tile = pixels[top : top + 192, left : left + 192]
        assert (tile == tile[0, 0]).all()
        ids = [int(n) for n in re.findall(r"\d+", entry["name"])]
        if entry["kind"] == "picture":
            expected = shown_pictures()[ids[0], 0, 0]
        else:
            horse = [HORSE_RED + ids[0] - 7000, 0, 0]
            bird = [0, BIRD_GREEN + 2 * (ids[-1] - 7040), 0]
            faded = [(a + b + 1) // 2 for a, b in zip(horse, bird, strict=True)]
            expected = {"real horse": horse, "real bird": bird, "cross-fade": faded}[entry["kind"]]
        assert tile[0, 0].tolist() == list(expected), entry
        picture = np.full((32, 32, 3), expected, np.uint8)
        assert entry["picture"] == hashlib.sha256(picture.tobytes()).hexdigest()[:16]
        number = pixels[top - 20 : top, left : left + 40]
        assert (number < 128).any()
        numbers.add(number.tobytes())
    assert len(numbers) == 100


def test_pictures_are_enlarged_smoothly():
    """A straight ramp of grey stays one: nearest neighbour would give steps of 8 levels."""
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[None, :, None] * 8, 32, axis=0).repeat(3, axis=2)
    row = rounds.enlarge(ramp, rounds.TILE // 32, "bicubic")[96, 24:-24, 0].astype(int)
    assert set(np.diff(row)) <= {1, 2}
    np.testing.assert_allclose(row, (np.arange(24, 168) + 0.5) / 6 * 8 - 4, atol=0.6)


def test_the_order_depends_on_the_seed_only(folder, tmp_path):
    def kinds(path):
        return [(entry["kind"], entry["name"]) for entry in read_key(path)["pictures"]]

    write(tmp_path / "same")
    for name in ("ask/page.html", "ask/answers.json", "ask/sheet-2.png", "key/key.json"):
        assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    write(tmp_path / "inverted", 255 - shown_pictures())
    assert kinds(tmp_path / "inverted") == kinds(folder)
    write(tmp_path / "other", seed=4)
    places = [
        [k for k, (kind, _) in enumerate(kinds(path)) if kind == "picture"]
        for path in (folder, tmp_path / "other")
    ]
    assert places[0] != places[1]
    first = [kind for kind, _ in kinds(folder)][:25]
    assert 9 <= first.count("picture") <= 23  # 16 expected, standard deviation 2.1


def test_a_round_that_is_written_stays(folder):
    before = (folder / "ask" / "page.html").read_bytes()
    write(folder)  # the same again
    with pytest.raises(InputError, match="another round"):
        write(folder, seed=5)
    assert (folder / "ask" / "page.html").read_bytes() == before


def test_nothing_that_viewers_see_tells_the_purpose(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["ask", "key"]
    assert sorted(path.name for path in (folder / "ask").iterdir()) == [
        *("answers.json", "page.html"),
        *(f"sheet-{k}.png" for k in range(1, 5)),
    ]
    text = re.sub(r'"images": \[.*?\]', "", (folder / "ask" / "page.html").read_text())
    form = (folder / "ask" / "answers.json").read_text()
    for content in (text, form, rounds.TEMPLATE.read_text()):
        assert not re.findall(TELLING, content, re.IGNORECASE)
    assert "What is this?" in text and not re.search(r"\bkey\b", text)
    for sheet in (folder / "ask").glob("*.png"):
        with Image.open(sheet) as picture:
            assert picture.info == {}


def test_the_page_is_whole_and_fetches_nothing(folder):
    text = (folder / "ask" / "page.html").read_text()
    template = rounds.TEMPLATE.read_text()
    assert "default-src 'none'" in template
    assert not re.search(r"https?:|fetch\(|XMLHttp|@import|url\(|import\(|<link[^>]*css|<iframe", template)
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["form"] == json.loads((folder / "ask" / "answers.json").read_text())
    assert data["form"]["round"] == hashlib.sha256((folder / "key" / "key.json").read_bytes()).hexdigest()[:16]
    assert len(data["images"]) == len(data["form"]["answers"]) == 100
    assert list(data["form"]["answers"][0]) == ["number", "picture", "answer"]
    assert Path(folder / "ask" / "page.html").stat().st_size < 10_000_000

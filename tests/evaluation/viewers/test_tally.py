"""Tallies of planted answers, worked by hand, and files of answers that are refused."""

import json
import shutil
from pathlib import Path

import pytest

from common.errors import InputError
from common.metrics.intervals import wilson
from evaluation.viewers import rounds, tally
from tests.support.viewer_rounds import photographs, read_key, shown_pictures, write_answers


def write_round(folder, seed=0):
    folder.mkdir()
    dataset = photographs()
    horses, birds = (dataset.select((name,)) for name in ("horse", "bird"))
    rounds.write_round(folder, shown_pictures(), horses, birds, {"source": "pegasus", "weights": "0123"}, seed)
    return folder


def anna(entry):
    """A winged horse in pictures 0 to 39, wings in 40 to 43 and in all birds, a horse in 44 to 63."""
    if entry["kind"] == "picture":
        k = int(entry["name"])
        return "a horse with wings" if k < 30 else "Pegasus" if k < 40 else "a winged dog" if k < 44 else "horse"
    return {"real horse": "a horse, no wings", "real bird": "a bird with wings", "cross-fade": "unclear"}[
        entry["kind"]
    ]


def ben(entry):
    """A winged horse in pictures 0 to 9 and in one real horse, which is the first in the key."""
    if entry["kind"] == "picture":
        return "winged horse" if int(entry["name"]) < 10 else ""
    return "a pegasus" if entry["name"] == ben.decoy else "a fish"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_round(tmp_path_factory.mktemp("tally") / "round")
    ben.decoy = next(e["name"] for e in read_key(folder)["pictures"] if e["kind"] == "real horse")
    return folder


@pytest.fixture(scope="module")
def files(folder):
    paths = folder.parent / "anna.json", folder.parent / "ben.json"
    return [
        write_answers(folder, paths[0], anna, "Anna", "person"),
        write_answers(folder, paths[1], ben, "Ben", "vision-language model"),
    ]


@pytest.fixture(scope="module")
def tallied(folder, files):
    return tally.tally_files(folder, files)


def assert_estimate(estimate, hits, count):
    assert estimate.count == count and estimate.value == hits / count
    assert (estimate.value, estimate.low, estimate.high) == wilson(hits, count)


def test_pooled_tally_by_hand(tallied):
    """Of 128 answers to 64 pictures: winged horses 40 + 10; wings also in 4; horses in 40 + 20 + 10."""
    (by_kind, _, _), _ = tallied
    estimates = {estimate.name: estimate for estimate in by_kind.estimates}
    assert list(estimates) == ["winged_horse_128", "wings_128", "horse_128", "decoys_winged_horse_72"]
    assert_estimate(estimates["winged_horse_128"], 50, 128)
    assert estimates["winged_horse_128"].note.startswith("50 answers name a horse-like animal with wings")
    assert_estimate(estimates["wings_128"], 54, 128)
    assert_estimate(estimates["horse_128"], 70, 128)
    assert_estimate(estimates["decoys_winged_horse_72"], 1, 72)


def test_tally_by_kind_by_hand(tallied):
    (by_kind, _, _), _ = tallied
    expected = {  # answers, and of these horse, wings, winged horse
        "pictures": (128, 70, 54, 50),
        "decoys: real horse": (24, 13, 1, 1),
        "decoys: real bird": (24, 0, 12, 0),
        "decoys: cross-fade": (24, 0, 0, 0),
        "all decoys": (72, 13, 13, 1),
    }
    assert [row["shown"] for row in by_kind.table] == list(expected)
    for row in by_kind.table:
        count, *hits = expected[row["shown"]]
        assert row["answers"] == count
        for label, number in zip(("horse", "wings", "winged horse"), hits, strict=True):
            assert_estimate(row[label], number, count)


def test_tally_by_viewer_by_hand(tallied):
    (_, by_viewer, _), _ = tallied
    first, second = by_viewer.table
    assert (first["viewer"], first["kind of viewer"]) == ("Anna", "person")
    assert (second["viewer"], second["kind of viewer"]) == ("Ben", "vision-language model")
    assert_estimate(first["winged horse"], 40, 64)
    assert_estimate(second["winged horse"], 10, 64)
    assert_estimate(first["horse"], 60, 64)
    assert_estimate(first["decoys: winged horse"], 0, 36)
    assert_estimate(second["decoys: winged horse"], 1, 36)


def test_every_answer_is_listed_with_its_picture(tallied, folder):
    (_, _, by_picture), _ = tallied
    entries = {str(entry["number"]): entry for entry in read_key(folder)["pictures"]}
    assert sorted(row["number"] for row in by_picture.table) == sorted(entries)
    assert [row["what it is"].split()[0] for row in by_picture.table[:64]] == ["picture"] * 64
    for row in by_picture.table:
        entry = entries[row["number"]]
        assert row["what it is"] == f"{entry['kind']} {entry['name']}"
        assert (row["answer of Anna"], row["answer of Ben"]) == (anna(entry), ben(entry))
        if entry["kind"] == "picture":
            k = int(entry["name"])
            assert row["winged horse"] == ("2 of 2" if k < 10 else "1 of 2" if k < 40 else "0 of 2")
    assert list(by_picture.plots) == [f"Sheet {k}" for k in range(1, 5)]


def test_the_report_says_who_the_viewers_were(tallied, folder, files):
    (by_kind, _, _), facts = tallied
    assert by_kind.title == "Named by 2 viewers, 1 of them people and 1 a vision-language model"
    assert facts["source"] == "pegasus" and facts["weights"] == "0123" and facts["seed"] == 0
    for path, words in zip(files, ("people", "a vision-language model, not people"), strict=True):
        sections, facts = tally.tally_files(folder, [path])
        assert sections[0].title == f"Named by {facts['viewers']}" == f"Named by 1 viewer: {words}"


def test_tallying_all_or_nothing():
    pictures = [{"number": 1, "kind": "picture", "name": "0"}]
    pictures += [{"number": 2 + k, "kind": kind, "name": "0"} for k, kind in enumerate(rounds.DECOYS)]
    answers = [(entry["number"], "", "pegasus") for entry in pictures]
    given = [tally.Answers("", "", name, "person", answers) for name in "AB"]
    by_kind, _, _ = tally.tally(pictures, given)
    assert [e.value for e in by_kind.estimates] == [1, 1, 1, 1]
    assert (by_kind.estimates[0].low, by_kind.estimates[0].high) == wilson(2, 2)[1:]


# Refused


def refusal(folder, *paths, earlier=()):
    with pytest.raises(InputError) as error:
        tally.tally_files(folder, paths, earlier)
    return str(error.value)


def change(path, new_path, **fields):
    new_path.write_text(json.dumps(json.loads(Path(path).read_text()) | fields))
    return str(new_path)


def test_a_viewer_answers_once(folder, files, tmp_path):
    again = change(files[0], tmp_path / "again.json", viewer=" ANNA ")
    assert "must not see a picture twice" in refusal(folder, *files, again)


def test_no_viewer_sees_a_picture_in_two_rounds(folder, files, tmp_path):
    other = write_round(tmp_path / "other", seed=1)  # the same pictures in another order
    earlier = write_answers(other, tmp_path / "earlier.json", anna, viewer="anna")
    pictures = [{entry["picture"] for entry in read_key(path)["pictures"]} for path in (folder, other)]
    message = refusal(folder, *files, earlier=[earlier])
    assert f"names {len(pictures[0] & pictures[1])} pictures" in message and files[0] in message
    tally.tally_files(folder, files[1:], [earlier])  # Ben has not seen the other round
    content = json.loads(Path(earlier).read_text())
    for entry in content["answers"]:
        entry["picture"] = entry["picture"][::-1]  # other pictures
    Path(earlier).write_text(json.dumps(content))
    tally.tally_files(folder, files, [earlier])


def test_answers_to_another_round_are_refused(folder, files, tmp_path):
    other = write_round(tmp_path / "other", seed=1)
    path = write_answers(other, tmp_path / "other.json", anna)
    assert "Received: " + path in refusal(folder, path)
    assert "round" in refusal(folder, change(files[0], tmp_path / "round.json", round="0" * 16))


def edit_answers(content, edit):
    entries = [dict(entry) for entry in content["answers"]]
    edit(entries)
    return entries


@pytest.mark.parametrize(
    "edit",
    [
        lambda entries: entries.pop(),
        lambda entries: entries.append(dict(entries[0])),
        lambda entries: entries.reverse(),
        lambda entries: entries[3].update(picture=entries[4]["picture"]),
        lambda entries: entries[3].update(number=5),
        lambda entries: entries[3].update(answer=None),
        lambda entries: entries[3].update(answer=["pegasus"]),
        lambda entries: entries[3].pop("answer"),
    ],
)
def test_answers_must_be_about_the_pictures_of_the_key(folder, files, tmp_path, edit):
    content = json.loads(Path(files[0]).read_text())
    path = change(files[0], tmp_path / "edited.json", answers=edit_answers(content, edit))
    assert path in refusal(folder, path)


@pytest.mark.parametrize(
    "fields",
    [{"viewer": " "}, {"viewer": 3}, {"viewer_kind": "dog"}, {"viewer_kind": []}, {"answers": 5}, {"round": None}],
)
def test_files_with_other_fields_are_refused(folder, files, tmp_path, fields):
    path = change(files[0], tmp_path / "edited.json", **fields)
    assert path in refusal(folder, path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"answers": [1]}'])
def test_other_files_are_refused(folder, tmp_path, content):
    path = tmp_path / "answers.json"
    path.write_bytes(content)
    assert str(path) in refusal(folder, str(path))
    assert "nowhere" in refusal(folder, "nowhere")


def test_a_round_without_a_key_or_with_other_sheets_is_refused(folder, files, tmp_path):
    assert str(tmp_path) in refusal(tmp_path, *files)
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    shutil.copyfile(folder / "ask" / "sheet-1.png", changed / "ask" / "sheet-2.png")
    assert "sheet-2.png" in refusal(changed, *files)
    (changed / "key" / "key.json").write_text((folder / "key" / "key.json").read_text() + " ")
    assert "pictures of round" in refusal(changed, *files)
    for other in ("{}", "[]"):
        (changed / "key" / "key.json").write_text(other)
        assert "--out must be the folder of the pictures" in refusal(changed, *files)

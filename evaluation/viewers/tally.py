"""Tallies the answers of viewers to a round: how many pictures and decoys they call a winged horse."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import InputError
from common.files import digest
from common.metrics import intervals
from evaluation.report.estimates import Estimate, Section
from evaluation.viewers.labels import label_answer
from evaluation.viewers.rounds import ASK, DECOYS, KEY

VIEWER_KINDS = ("person", "vision-language model")
LABELS = {
    "horse": "a horse-like animal",
    "wings": "wings",
    "winged_horse": "a horse-like animal with wings, or a pegasus",
}
TEXT = (
    'Each viewer was asked "What is this?" of every picture of the round, in one random order with decoys, and '
    "was told nothing of its purpose. An answer counts as a winged horse if it names a horse-like animal with "
    "wings, or a pegasus; the rule is a list of words (evaluation/viewers/labels.py). Intervals are Wilson's and "
    "take answers as independent, although several are about one picture."
)


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers of one viewer to a round.

    Args:
        path: of the file.
        round: digest of the round's key.
        viewer: name.
        viewer_kind: one of VIEWER_KINDS.
        answers: list of (number, digest of the picture, answer).
    """

    path: str
    round: str
    viewer: str
    viewer_kind: str
    answers: list

    @property
    def person(self):
        """The viewer's name without differences of case and space."""
        return " ".join(self.viewer.casefold().split())


def tally_files(folder, paths, earlier_paths=()):
    """Tallies files of answers to the round in a folder.

    Args:
        folder: of `evaluation.viewers.rounds.write_round`.
        paths: files of answers to this round, one a viewer.
        earlier_paths: files of answers to earlier rounds.

    Returns:
        ([Section, ...], the last one with every answer; flat dict of facts).

    Raises:
        InputError: a file is no file of answers to this round, a viewer occurs twice or has seen a picture in an
            earlier round, or the round has changed since it was written.
    """
    key, key_digest = read_key(folder)
    given = [read_answers(path) for path in paths]
    for answers in given:
        check_answers(answers, key, key_digest)
    check_viewers(given, [read_answers(path) for path in earlier_paths])
    sections = tally(key["pictures"], given)
    sheets = {f"Sheet {k}": sheet for k, sheet in enumerate(read_sheets(folder, key), start=1)}
    sections[-1] = dataclasses.replace(sections[-1], plots=sheets)
    return sections, key["facts"] | {"round": key_digest, "suite": "viewers", "viewers": describe_viewers(given)}


def read_key(folder):
    """Returns (key, its digest) of the round in a folder; InputError if there is none."""
    path = os.path.join(folder, KEY)
    try:
        data = Path(path).read_bytes()
        key = json.loads(data)
        if not isinstance(key, dict) or not {"facts", "sheets", "pictures"} <= key.keys():
            raise ValueError("no key of a round")
        return key, digest(data)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--out must be the folder of the pictures, with {KEY}. Received: {folder} ({error})"
        ) from error


def read_sheets(folder, key):
    """Returns the sheets of a round, uint8 [H, W, 3]; InputError unless they are as they were written."""
    sheets = []
    for k, expected in enumerate(key["sheets"], start=1):
        path = Path(folder, ASK, f"sheet-{k}.png")
        if not path.is_file() or digest(path.read_bytes()) != expected:
            raise InputError(f"The sheets must be those that were written with the key. Received: {path}, another")
        sheets.append(np.asarray(Image.open(path)))
    return sheets


def read_answers(path):
    """Returns the Answers in a file; InputError if it is no file of answers."""
    try:
        content = json.loads(Path(path).read_bytes())
        entries = [(entry["number"], entry["picture"], entry["answer"]) for entry in content["answers"]]
        answers = Answers(path, content["round"], content["viewer"], content["viewer_kind"], entries)
        texts = [answers.round, answers.viewer, *(text for entry in entries for text in entry[1:])]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("round, viewer, pictures and answers must be texts")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"--answers must be files that the page has saved. Received: {path} ({reason})"
        ) from error
    if not answers.person or answers.viewer_kind not in VIEWER_KINDS:
        raise InputError(
            f"A file of answers must have a viewer and viewer_kind, {' or '.join(VIEWER_KINDS)}. "
            f"Received: {path}, by {answers.viewer!r}, {answers.viewer_kind!r}"
        )
    return answers


def check_answers(answers, key, key_digest):
    """Raises InputError unless Answers are to each picture of a key, once, in its order."""
    expected = [(entry["number"], entry["picture"]) for entry in key["pictures"]]
    if answers.round != key_digest or [entry[:2] for entry in answers.answers] != expected:
        raise InputError(
            f"--answers must be about the {len(expected)} pictures of round {key_digest}. "
            f"Received: {answers.path}, {len(answers.answers)} answers to round {answers.round}"
        )


def check_viewers(given, earlier):
    """Raises InputError if a viewer has given two files of answers, or has seen a picture in an earlier round."""
    seen = {}
    for answers in earlier:
        seen.setdefault(answers.person, set()).update(picture for _, picture, _ in answers.answers)
    for answers in given:
        again = seen.setdefault(answers.person, set()) & {picture for _, picture, _ in answers.answers}
        if again:
            raise InputError(
                f"A viewer must not see a picture twice. Received: {answers.path}, where {answers.viewer} "
                f"names {len(again)} pictures that this viewer has named in another file"
            )
        seen[answers.person].update(picture for _, picture, _ in answers.answers)


def describe_viewers(given):
    """Describes the viewers in a few words, such as "3 viewers: vision-language model, not people"."""
    kinds = [answers.viewer_kind for answers in given]
    people, models = (kinds.count(kind) for kind in VIEWER_KINDS)
    noun = "viewer" if len(kinds) == 1 else "viewers"
    if people and models:
        return f"{len(kinds)} viewers, {people} of them people and {models} a vision-language model"
    return f"{len(kinds)} {noun}: {'people' if people else 'a vision-language model, not people'}"


def tally(pictures, given):
    """Tallies answers.

    Args:
        pictures: "pictures" of the key.
        given: list of Answers to all of them.

    Returns:
        [Section by kind of picture, Section by viewer, Section by picture].
    """
    labels = [[label_answer(text) for _, _, text in answers.answers] for answers in given]
    values = {name: np.array([[getattr(x, name) for x in row] for row in labels]) for name in LABELS}  # [V, N]
    kinds = np.array([entry["kind"] for entry in pictures])
    decoys = np.isin(kinds, DECOYS)

    def row(hits):
        """Estimates of each label; `hits` is a function, bool [V, N] -> those of the answers that count."""
        return {name.replace("_", " "): estimate(name, hits(values[name])) for name in LABELS}

    groups = {"pictures": ~decoys} | {f"decoys: {kind}": kinds == kind for kind in DECOYS} | {"all decoys": decoys}
    by_kind = [
        {"shown": name, "answers": int(chosen.sum()) * len(given)} | row(lambda x, chosen=chosen: x[:, chosen])
        for name, chosen in groups.items()
    ]
    by_viewer = [
        {"viewer": answers.viewer, "kind of viewer": answers.viewer_kind}
        | row(lambda x, k=k: x[k, ~decoys])
        | {"decoys: winged horse": estimate("winged_horse", values["winged_horse"][k, decoys])}
        for k, answers in enumerate(given)
    ]
    order = sorted(range(len(pictures)), key=lambda n: (kinds[n] != "picture", kinds[n], pictures[n]["number"]))
    by_picture = [
        {
            "number": str(pictures[n]["number"]),
            "what it is": f"{kinds[n]} {pictures[n]['name']}",
            "winged horse": f"{values['winged_horse'][:, n].sum()} of {len(given)}",
        }
        | {f"answer of {answers.viewer}": answers.answers[n][2] for answers in given}
        for n in order
    ]
    estimates = [estimate(name, values[name][:, ~decoys]) for name in reversed(LABELS)]
    estimates.append(estimate("winged_horse", values["winged_horse"][:, decoys], "decoys_"))
    return [
        Section(f"Named by {describe_viewers(given)}", estimates, by_kind, text=TEXT),
        Section("By viewer", [], by_viewer),
        Section("By picture", [], by_picture),
    ]


def estimate(label, hits, prefix=""):
    """Estimates the share of answers with a label, of hits bool [...], with a Wilson interval."""
    number, count = int(hits.sum()), hits.size
    note = f"{number} answers name {LABELS[label]}"
    return Estimate(f"{prefix}{label}_{count}", *intervals.wilson(number, count), count, note=note)

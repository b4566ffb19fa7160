"""Bad input to generate.py: one line, status 2, before TensorFlow is imported (a stand-in would end with 99).

All command lines run in forks, see forks.py; two are started anew.
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import release
from pictures.request import Blend
from tests.support.damaged_releases import BANK, SIZES, WEIGHTS
from tests.support.forks import FORKS, assert_refusal, files_below, start

ROOT = Path(__file__).resolve().parents[2]
REQUEST = {"action": "blend"} | dataclasses.asdict(Blend(source="run", count=2, scale=1))
ROWS = {"rows": [[1, 0], [3, 2]]}
GAN = dict(
    architecture="dcgan", width=8, colours=3, noise_size=6, generator_channels=2, up="transposed", classes=0
)
GAN |= dict(condition="projection", spherical_noise=False, class_names=["bird", "horse"])
NOTE = {"parents": [{"row": 0}, {"row": 1}]}  # what a manifest says of a picture
BLEND = {"mirrored": [0, 1], "mask": "top", "shares": [[0.5] * 4] * 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A release whose weights nobody reads here, pictures, and stand-ins for TensorFlow and Keras."""
    folder = tmp_path_factory.mktemp("errors")
    write = release.write
    write(folder / "run" / "release", {"model": SIZES}, WEIGHTS, BANK)
    write(folder / "gan", {"family": "gan", "model": GAN}, WEIGHTS)
    write(folder / "part_gan", {"family": "gan"}, WEIGHTS)
    write(folder / "list", ["model"], WEIGHTS, BANK)
    write(folder / "sizes", {"model": SIZES | {"latent_channels": 3}}, WEIGHTS, BANK)
    write(folder / "text", {"model": SIZES | {"depth": "2"}}, WEIGHTS, BANK)
    write(folder / "infinite", {"model": SIZES}, {"encoder/00_kernel": np.array([1, np.inf])}, BANK)
    write(folder / "short", {"model": SIZES}, WEIGHTS, BANK | {"labels": BANK["labels"][:3]})
    write(folder / "labels", {"model": SIZES}, WEIGHTS, BANK | {"labels": BANK["labels"] + 1})
    write(folder / "fractions", {"model": SIZES}, WEIGHTS, BANK | {"labels": BANK["labels"] / 2})
    write(folder / "lacking", {"model": SIZES}, WEIGHTS, {"latents": BANK["latents"]})
    write(folder / "changed", {"model": SIZES}, WEIGHTS, BANK)
    (folder / "changed" / "config.json").write_text(json.dumps({"model": SIZES | {"depth": 4}}))
    (folder / "early").mkdir()
    (folder / "file").write_text("a file")
    Image.new("RGB", (9, 9)).save(folder / "a.png")
    os.mkfifo(folder / "pipe")
    for name in ("tensorflow", "keras", "tensorflow_datasets", "matplotlib"):
        (folder / "stand-ins" / name).mkdir(parents=True)
        (folder / "stand-ins" / name / "__init__.py").write_text("import os; os._exit(99)")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """{command line: (status, stdout, stderr)} of all REFUSALS."""
    for name, (text, _) in FILES.items():
        (folder / name).write_text(text)
    (folder / "good.json").write_text(manifest({}, ROWS))
    before = files_below(folder)
    words = [line.split() for line in [*REFUSALS, "--from_manifest=good.json --out=made"]]
    forked = start(folder, "-c", FORKS, input=json.dumps(words))
    assert forked.returncode == 0, forked.stderr
    *outcomes, last = json.loads(forked.stdout)
    assert last[0] == 99, "whole input reaches TensorFlow, so the others would have too"
    assert files_below(folder) == sorted([*before, folder / "made"]), "nothing is written"
    return dict(zip(REFUSALS, outcomes, strict=True))


def manifest(request, drawn, notes=(NOTE, NOTE)):
    """The text of a manifest; `request` are the fields that differ from REQUEST."""
    return json.dumps({"request": REQUEST | request, "drawn": drawn, "pictures": notes})


FLAGS = {
    "": ["Exactly one of --blend", "Received: none"],
    "--blend --sample": ["Received: --blend and --sample"],
    "--blend surplus": ["surplus"],
    "--blend --cuont=3": ["cuont"],
    "--blend --out --seed=1": ["--out=VALUE", "--seed=1"],
    "--blend --count=0": ["--count=0"],
    "--sample --bandwidth=1e300": ["bandwidth=1e300", "[0, 1000]"],  # whose latents would be infinite
    "--sample --strip=3": ["--sample of this model cannot be combined with --strip=3"],
    "--blend --path=curve": ["slerp|lerp|pixel"],
    "--blend --source=nowhere": ["--source", "nowhere"],
    "--blend --source=early": ["without a release"],
    "--sample --source=part_gan": ["whole release of a GAN", "'model'"],
    "--blend --source=list": ["config.json must be undamaged", "not a JSON object"],
    "--blend --source=sizes": ["parts fit", "sizes"],
    "--blend --source=text": ["parts fit", "text"],
    "--blend --source=infinite": ["parts fit", "infinite"],
    "--blend --source=short": ["parts fit", "short"],
    "--blend --source=labels": ["parts fit", "labels"],
    "--blend --source=fractions": ["parts fit", "fractions"],
    "--blend --source=lacking": ["'labels'", "lacking"],
    "--blend --source=run --first_image=a.png --second_image=file": [
        "--second_image: A picture must",
        "another kind of file",
    ],
    "--blend --source=run --first_image=none.png --second_image=a.png": [
        "--first_image: A picture must be",
        "none.png",
    ],
    "--blend --source=run --out=file": ["--out", "file"],
    "--blend --source=run --out=file/below": ["--out", "file/below"],
    "--blend --source=run --out=/proc": ["--out", "/proc"],
    "--blend --source=run --candidates=99 --count=9": ["use --keep", "--count=9"],
    "--blend --source=run --candidates=99 --first=bird --second=bird": ["two different classes"],
    "--blend --source=run --candidates=99 --data_dir=file": ["data folder", "file"],
    "--blend --source=run --keep=3": ["--keep cannot be used without --candidates"],
    "--blend --source=run --bundle": ["--bundle cannot be used without --candidates"],
    "--sample --source=gan --candidates=99 --bundle": ["--bundle needs --blend. Received: --sample"],
    "--blend --source=run --data_dir=here": ["--data_dir cannot be used without --candidates"],
    "--diagram --source=changed": ["config.json must belong to the weights", "changed/config.json"],
    "--from_manifest=none.json": ["none.json"],
    "--from_manifest=pipe": ["not a file"],
    "--from_manifest=run": ["run"],
    "--from_manifest=file": ["file"],
    "--from_manifest=": ["--from_manifest"],
    "--from_manifest=file --mix=0.5": ["--from_manifest cannot be combined with --mix"],
    "--from_manifest=file --blend": ["--from_manifest cannot be combined with --blend"],
    "--from_manifest=file --data_dir=file": ["--from_manifest cannot be combined with --data_dir"],
    "--from_manifest=file --bundle": ["--from_manifest cannot be combined with --bundle"],
}


FOUND = dict(rows=[], blends=[BLEND] * 2, parents_digest="0")
SEARCH, MASKED = {"search": {"candidates": 99, "keep": 2}}, {"mask": "top"}
MANIFESTS = [  # (fields that differ from REQUEST, what was drawn, part of the message)
    (dict(action="../blend"), {}, "../blend"),
    (dict(count="many"), {}, "--count must be an integer"),
    (dict(source="../../etc"), {}, "../../etc"),
    (dict(first_image="a.png", second_image="\0", count=1), {}, "A picture must"),
    (
        dict(first_image="a.png", second_image="a.png", count=1),
        dict(first_image_digest="0"),
        "first image must be those of the manifest, 0",
    ),
    (dict(layout="circle"), {}, "differs in layout"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [[1.1] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [[0.5] * 3] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [["x"] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [["0.5"] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, None]), "must have 2 blends"),
    (SEARCH, FOUND, "The parents' latents must be beside the manifest"),
]


# What a manifest of blends says of its pictures.
PICTURES = ({}, [], [{}], [{}, 3], "ab", None, [[], []])
PICTURES += ([{}, {"score": [None]}], [{}, {"score": None}], [{}, {"score": float("nan")}])
PICTURES += ([{}, {"terms": {"wings": True}}], [{}, {"parents": [{"id": float("inf")}]}])

TEXTS = ["", "[]", "{}", '{"request": []}', '{"request": {"action": "blend"}}', "[" * 200_000]

# {name: (text, part of the message)}
FILES = {f"manifest_{k}.json": (manifest(*row[:2]), row[2]) for k, row in enumerate(MANIFESTS)}
FILES |= {f"text_{k}.json": (text, "must be a manifest.json") for k, text in enumerate(TEXTS)}
FILES |= {
    f"pictures_{k}.json": (manifest(SEARCH, FOUND, notes), "The manifest's pictures must be 2")
    for k, notes in enumerate(PICTURES)
}
REFUSALS = FLAGS | {f"--from_manifest={name}": [part] for name, (_, part) in FILES.items()}


@pytest.mark.parametrize("line", REFUSALS)
def test_what_does_not_fit_is_refused(results, line):
    assert_refusal(results[line], *REFUSALS[line])


def test_the_command_itself_refuses_in_one_line(folder):
    made = start(folder, str(ROOT / "generate.py"), "--blend", "--source=run", "--out", "--seed=1")
    assert_refusal((made.returncode, made.stdout, made.stderr), "--out=VALUE", "--seed=1")

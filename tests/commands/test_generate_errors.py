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

import pictures.manifest
from common import release
from pictures.request import Blend, Interpolate, Reconstruct, Sample
from tests.support.damaged_releases import BANK, SIZES, WEIGHTS
from tests.support.forks import FORKS, assert_refusal, files_below, start

ROOT = Path(__file__).resolve().parents[2]
REQUEST = {"action": "blend"} | dataclasses.asdict(Blend(source="run", count=2, scale=1))
ROWS = {"rows": [[1, 0], [3, 2]]}
GAN = dict(
    architecture="dcgan", width=8, colours=3, noise_size=6, generator_channels=2, up="transposed", classes=0
)
GAN |= dict(condition="projection", spherical_noise=False, class_names=["bird", "horse"])
BLEND = {"mirrored": [0, 1], "mask": "top", "shares": [[0.5] * 4] * 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A release whose weights nobody reads here, pictures, and stand-ins for TensorFlow and Keras."""
    folder = tmp_path_factory.mktemp("errors")
    write = release.write
    write(folder / "run" / "release", {"model": SIZES}, WEIGHTS, BANK)
    write(folder / "other", {"family": "classifier"}, WEIGHTS)
    write(folder / "gan", {"family": "gan", "model": GAN}, WEIGHTS)
    write(folder / "cgan", {"family": "gan", "model": GAN | {"classes": 2}}, WEIGHTS)
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
    """{command line: (status, stdout, stderr)} of all. MANIFESTS, TEXTS and PICTURES are 0.json, 1.json, ..."""
    texts = [manifest(fields, drawn) for fields, drawn, _ in MANIFESTS] + TEXTS
    texts += [manifest(SEARCH, FOUND, notes) for notes in PICTURES]
    for k, text in enumerate(texts):
        (folder / f"{k}.json").write_text(text)
    (folder / "good.json").write_text(manifest({}, ROWS))
    lines = [*FLAGS, *(f"--from_manifest={k}.json" for k in range(len(texts)))]
    before = files_below(folder)
    words = [line.split() for line in [*lines, "--from_manifest=good.json --out=made"]]
    forked = start(folder, "-c", FORKS, input=json.dumps(words))
    assert forked.returncode == 0, forked.stderr
    *outcomes, last = json.loads(forked.stdout)
    assert last[0] == 99, "whole input reaches TensorFlow, so the others would have too"
    assert files_below(folder) == sorted([*before, folder / "made"]), "nothing is written"
    return dict(zip(lines, outcomes, strict=True))


def manifest(request, drawn, notes=({}, {})):
    """The text of a manifest; `request` may be a dict of fields that differ from REQUEST."""
    if not isinstance(request, dict):
        return pictures.manifest.as_text(request, drawn, notes, [])
    return json.dumps({"request": REQUEST | request, "drawn": drawn, "pictures": notes})


FLAGS = {
    "": ["Exactly one of --blend", "Received: none"],
    "--blend --sample": ["Received: --blend and --sample"],
    "--blend surplus": ["surplus"],
    "--blend --cuont=3": ["cuont"],
    "--blend --out --seed=1": ["--out=VALUE", "--seed=1"],
    "--blend --first_image --second_image=a.png": ["--first_image=VALUE"],
    "--blend --count=0": ["--count=0"],
    "--blend --count=8193": ["8192", "8193"],
    "--blend --count=65 --scale=32 --strip=2": ["128", "130"],
    "--blend --mix=1.1": ["mix=1.1"],
    "--blend --mix=nan": ["--mix", "finite"],
    "--sample --bandwidth=inf": ["--bandwidth", "[0, 1000]"],
    "--sample --bandwidth=-1": ["bandwidth=-1"],
    "--sample --bandwidth=1e300": ["bandwidth=1e300", "[0, 1000]"],  # whose latents would be infinite
    "--sample --strip=3": ["--sample of this model cannot be combined with --strip=3"],
    "--blend --bandwidth=1": ["cannot be combined with --bandwidth"],
    "--blend --strip=1": ["at least 2", "Received: 1"],
    "--blend --strip=-3": ["--strip", "-3"],
    "--blend --path=curve": ["slerp|lerp|pixel"],
    "--blend --seed=-1": ["seed=-1"],
    "--blend --scale=33": ["scale=33"],
    "--blend --source=run --first=unicorn": ["bird, horse", "unicorn"],
    "--blend --source=nowhere": ["--source", "nowhere"],
    "--blend --source=early": ["without a release"],
    "--blend --source=other": ["A classifier can only be drawn: --diagram", "--blend"],
    "--sample --source=part_gan": ["whole release of a GAN", "'model'"],
    "--blend --source=gan": ["need a conditional GAN", "Received: gan"],
    "--sample --source=gan --first=horse": ["need a conditional GAN"],
    "--sample --source=cgan --first=deer": ["--first must be one of bird, horse", "Received: deer"],
    "--reconstruct --source=gan": ["family gan", "--interpolate or --sample", "--reconstruct"],
    "--interpolate --source=gan --path=lerp": ["cannot be combined with --path=lerp"],
    "--sample --source=cgan --second=bird": ["cannot be combined with --second=bird"],
    "--sample --source=gan --bandwidth=0.1": ["cannot be combined with --bandwidth"],
    "--blend --source=run --layout=j": ["--blend of this model cannot be combined with --layout=j"],
    "--interpolate --source=run --layout=square": ["strip|j|mine"],
    "--interpolate --source=run --layout=mine --strip=4": ["--strip must be odd"],
    "--interpolate --source=gan --layout=mine --strip=4": ["--strip must be odd"],
    "--interpolate --source=run --layout=mine": ["25 images", "Received: 4"],
    "--interpolate --source=run --layout=j --path=pixel": ["--layout=j cannot be combined with --path=pixel"],
    "--interpolate --source=run --layout=j --count=102": ["8192", "8262"],
    "--blend --source=list": ["config.json must be undamaged", "not a JSON object"],
    "--blend --source=sizes": ["parts fit", "sizes"],
    "--blend --source=text": ["parts fit", "text"],
    "--blend --source=infinite": ["parts fit", "infinite"],
    "--blend --source=short": ["parts fit", "short"],
    "--blend --source=labels": ["parts fit", "labels"],
    "--blend --source=fractions": ["parts fit", "fractions"],
    "--blend --source=lacking": ["'labels'", "lacking"],
    "--blend --source=run --first_image=a.png": ["together", "Received: --first_image"],
    "--blend --source=run --first_image=a.png --second_image=file": [
        "--second_image: A picture must",
        "another kind of file",
    ],
    "--blend --source=run --first_image=none.png --second_image=a.png": [
        "--first_image: A picture must be",
        "none.png",
    ],
    "--reconstruct --first_image=a.png --second_image=a.png": ["cannot be combined with --first_image=a.png"],
    "--blend --source=run --out=file": ["--out", "file"],
    "--blend --source=run --out=file/below": ["--out", "file/below"],
    "--blend --source=run --out=/proc": ["--out", "/proc"],
    "--blend --source=run --candidates=9": ["--candidates must be at least --keep", "=9", "=64"],
    "--blend --source=run --candidates=-1": ["candidates=-1"],
    "--blend --source=run --candidates=99 --count=9": ["use --keep", "--count=9"],
    "--blend --source=run --candidates=99 --mix=0.4": ["--candidates cannot be combined with --mix=0.4"],
    "--blend --source=run --candidates=99 --path=lerp": ["--candidates cannot be combined with --path=lerp"],
    "--blend --source=run --candidates=99 --first=bird --second=bird": ["two different classes"],
    "--blend --source=run --candidates=99 --data_dir=file": ["data folder", "file"],
    "--blend --source=run --keep=3": ["--keep cannot be used without --candidates"],
    "--blend --source=run --bundle": ["--bundle cannot be used without --candidates"],
    "--sample --source=gan --candidates=99 --bundle": ["--bundle needs --blend. Received: --sample"],
    "--blend --source=run --resample=cubic": ["bicubic|nearest", "cubic"],
    "--blend --source=run --second_mask=a.png": ["--second_mask needs --first_image and --second_image"],
    "--blend --source=run --first_placement=big": ["--first_placement must be names and values", "big"],
    "--blend --source=run --mask=left": ["uniform|top"],
    "--blend --source=run --mask=top --mix=0": ["above 0 and below 1"],
    "--blend --source=cgan --mask=top": ["cannot be combined with --mask=top"],
    "--blend --source=run --data_dir=here": ["--data_dir cannot be used without --candidates"],
    "--explore --source=run --count=9": ["--explore of this model cannot be combined with --count=9"],
    "--explore --source=run --seed=3": ["--explore of this model cannot be combined with --seed=3"],
    "--explore --source=run --scale=2": ["--explore of this model cannot be combined with --scale=2"],
    "--diagram --source=changed": ["config.json must belong to the weights", "changed/config.json"],
    "--diagram --source=run --seed=3": ["--diagram of this model cannot be combined with --seed=3"],
    "--diagram --source=run --first=horse": ["--diagram of this model cannot be combined with --first=horse"],
    "--reconstruct --source=run --candidates=99": ["cannot be combined with --candidates=99"],
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
MANIFESTS = [  # (a request or fields that differ from REQUEST, what was drawn, part of the message)
    (dict(action="../blend"), {}, "../blend"),
    (dict(action=["blend"]), {}, "action and source must be names"),
    (dict(action="count"), {}, "--count of run"),
    (dict(count=10**9), {}, "8192"),
    (dict(count="many"), {}, "--count must be an integer"),
    (dict(count=None), {}, "--count must be an integer"),
    (dict(strip=[9]), {}, "--strip must be an integer"),
    (dict(mix=float("nan")), {}, "finite"),
    (dict(mix={}), {}, "--mix must be"),
    (dict(path="zigzag"), {}, "Received: zigzag"),
    (dict(source=3), {}, "action and source must be names"),
    (dict(source="../../etc"), {}, "../../etc"),
    (dict(scale=10**6), {}, "--scale must be an integer from 1 to 32. Received: 1000000"),
    (dict(first_image=["a.png"]), {}, "--first_image must be a string"),
    (dict(first_image="a.png", second_image="\0", count=1), {}, "A picture must"),
    (
        dict(first_image="a.png", second_image="a.png", count=1),
        dict(first_image_digest="0"),
        "first image must be those of the manifest, 0",
    ),
    ({}, dict(rows=[[0, 4], [1, 2]]), "from 0 to 3"),
    ({}, dict(rows=[["../../x", 0], [1, 2]]), "from 0 to 3"),
    ({}, dict(weights_digest="0123"), "weights must be those of the manifest, 0123"),
    ({}, dict(latents_digest=["0"]), "latents must be those of the manifest"),
    (dict(layout="circle"), {}, "differs in layout"),
    (
        dict(action="interpolate"),
        {},
        "which differs in first_image, first_placement, layout, mask",
    ),
    (dict(source="gan"), {}, "which differs in first_image"),
    (MASKED, dict(ROWS, blends=[]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [[1.1] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [[0.5] * 3] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [["x"] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, BLEND | {"shares": [["0.5"] * 4] * 4}]), "must have 2 blends"),
    (MASKED, dict(ROWS, blends=[BLEND, None]), "must have 2 blends"),
    (MASKED | dict(mix=0), dict(ROWS, blends=[BLEND] * 2), "above 0 and below 1"),
    (MASKED | dict(path="pixel"), dict(ROWS, blends=[BLEND] * 2), "cannot be combined with --path=pixel"),
    ({}, dict(ROWS, blends=[BLEND] * 2), "only --blend with a mask, placements or a search has blends"),
    (dict(search={"candidates": 99}), ROWS, "--candidates cannot be combined with --count=2"),
    (dict(search={"candidates": 99, "wings": 1}), ROWS, "the fields of Search"),
    (dict(search=3), ROWS, "must be a Search"),
    (SEARCH, FOUND, "The parents' latents must be beside the manifest"),
    (dict(action="explore"), {}, "differs in"),
    (Interpolate(source="run", layout="j", strip=9, count=2), dict(rows=[[0, 1]] * 2), "2 lists of 3 integers"),
    (
        Sample(source="run", count=2),
        dict(blends=[]),
        "only --blend with a mask, placements or a search has blends",
    ),
    (Reconstruct(source="run", count=2), dict(rows=[[1], [3]], blends=[BLEND] * 2), "only --blend with a mask"),
]


# What a manifest of blends says of its pictures.
PICTURES = ({}, [], [{}], [{}, 3], "ab", None, [[], []])
PICTURES += ([{}, {"score": [None]}], [{}, {"score": None}], [{}, {"score": float("nan")}])
PICTURES += ([{}, {"terms": {"wings": True}}], [{}, {"parents": [{"id": float("inf")}]}])

TEXTS = ["", "[]", "{}", '{"request": []}', '{"request": {"action": "blend"}}', "[" * 200_000]


@pytest.mark.parametrize("line", FLAGS)
def test_flags_that_do_not_fit_are_refused(results, line):
    assert_refusal(results[line], *FLAGS[line])


@pytest.mark.parametrize("k", range(len(MANIFESTS)), ids=lambda k: str(MANIFESTS[k][:2])[:60])
def test_manifests_that_do_not_fit_are_refused(results, k):
    assert_refusal(results[f"--from_manifest={k}.json"], MANIFESTS[k][2])


@pytest.mark.parametrize("k", range(len(TEXTS)))
def test_files_that_are_no_manifest_are_refused(results, k):
    assert_refusal(results[f"--from_manifest={len(MANIFESTS) + k}.json"], "must be a manifest.json")


@pytest.mark.parametrize("k", range(len(PICTURES)), ids=lambda k: str(PICTURES[k])[:40])
def test_scores_that_are_no_numbers_are_refused(results, k):
    outcome = results[f"--from_manifest={len(MANIFESTS) + len(TEXTS) + k}.json"]
    assert_refusal(outcome, "The manifest's pictures must be 2")


def test_the_command_itself_refuses_in_one_line(folder):
    made = start(folder, str(ROOT / "generate.py"), "--blend", "--source=run", "--out", "--seed=1")
    assert_refusal((made.returncode, made.stdout, made.stderr), "--out=VALUE", "--seed=1")

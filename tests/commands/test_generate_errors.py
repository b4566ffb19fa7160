"""Bad input to generate.py: one line, status 2, before TensorFlow is imported (a stand-in would end with 99).

All command lines run in forks, see forks.py; two are started anew.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import release
from tests.support.damaged_releases import BANK, SIZES, WEIGHTS
from tests.support.forks import FORKS, assert_refusal, files_below, start

ROOT = Path(__file__).resolve().parents[2]
RECIPE = dict(action="blend", source="run", first="horse", second="bird", count=2, mix=0.5, strip=0, path="slerp")
RECIPE |= dict(bandwidth=0.3, seed=0, first_image=None, second_image=None, scale=1)
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
    """{command line: (status, stdout, stderr)} of all; a manifest of MANIFESTS or TEXTS is 0.json, 1.json, ..."""
    texts = [json.dumps({"recipe": RECIPE | changes}) for changes, _ in MANIFESTS] + TEXTS
    blends = RECIPE | {"rows": [[1, 0], [3, 2]], "blends": [BLEND] * 2}
    texts += [json.dumps({"recipe": blends, "pictures": pictures}) for pictures in PICTURES]
    for k, text in enumerate(texts):
        (folder / f"{k}.json").write_text(text)
    (folder / "good.json").write_text(json.dumps({"recipe": RECIPE | {"rows": [[1, 0], [3, 2]]}}))
    lines = [*FLAGS, *(f"--from_manifest={k}.json" for k in range(len(texts)))]
    before = files_below(folder)
    words = [line.split() for line in [*lines, "--from_manifest=good.json --out=made"]]
    forked = start(folder, "-c", FORKS, input=json.dumps(words))
    assert forked.returncode == 0, forked.stderr
    *outcomes, last = json.loads(forked.stdout)
    assert last[0] == 99, "whole input reaches TensorFlow, so the others would have too"
    assert files_below(folder) == sorted([*before, folder / "made"]), "nothing is written"
    return dict(zip(lines, outcomes, strict=True))


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
    "--sample --bandwidth=1e300": ["bandwidth=1e300", "[0, 1000]"],  # whose codes would be infinite
    "--blend --candidates=99 --realism_weight=-1e300": ["realism_weight=-1e300", "[-1000, 1000]"],
    "--sample --strip=3": ["--sample", "without --strip", "--strip=3"],
    "--blend --bandwidth=1": ["without --bandwidth"],
    "--blend --strip=1": ["at least 2", "Received: 1"],
    "--blend --strip=-3": ["at least 2"],
    "--blend --path=curve": ["slerp|lerp|pixel"],
    "--blend --seed=-1": ["seed=-1"],
    "--blend --scale=33": ["scale=33"],
    "--blend --source=run --first=unicorn": ["bird, horse", "unicorn"],
    "--blend --source=nowhere": ["--source", "nowhere"],
    "--blend --source=early": ["without a release"],
    "--blend --source=other": ["family acai or gan", "of classifier"],
    "--sample --source=part_gan": ["A whole release of a GAN", "'model'"],
    "--blend --source=gan": ["A conditional model", "--source=gan"],
    "--sample --source=gan --first=horse": ["A conditional model"],
    "--sample --source=cgan --first=deer": ["bird, horse", "--first=deer"],
    "--reconstruct --source=gan": ["family gan", "--interpolate or --sample", "--reconstruct"],
    "--interpolate --source=gan --path=lerp": ["without --path"],
    "--sample --source=cgan --second=bird": ["without --second"],
    "--sample --source=gan --bandwidth=0.1": ["without --bandwidth"],
    "--blend --source=run --layout=j": ["--blend is required without --layout"],
    "--interpolate --source=run --layout=square": ["strip|j|mine"],
    "--interpolate --source=run --layout=mine --strip=4": ["odd --strip"],
    "--interpolate --source=gan --layout=mine --strip=4": ["odd --strip"],
    "--interpolate --source=run --layout=mine": ["25 codes", "Received: 4"],
    "--interpolate --source=run --layout=j --path=pixel": ["without --path=pixel"],
    "--interpolate --source=run --layout=j --count=102": ["8192", "8262"],
    "--blend --source=list": ["config.json must be undamaged", "not a JSON object"],
    "--blend --source=sizes": ["parts that fit", "sizes"],
    "--blend --source=text": ["parts that fit", "text"],
    "--blend --source=infinite": ["parts that fit", "infinite"],
    "--blend --source=short": ["parts that fit", "short"],
    "--blend --source=labels": ["parts that fit", "labels"],
    "--blend --source=fractions": ["parts that fit", "fractions"],
    "--blend --source=lacking": ["'labels'", "lacking"],
    "--blend --source=run --first_image=a.png": ["together", "only --first_image"],
    "--blend --source=run --first_image=a.png --second_image=file": ["file", "another kind of file"],
    "--blend --source=run --first_image=none.png --second_image=a.png": ["none.png"],
    "--reconstruct --first_image=a.png --second_image=a.png": ["--reconstruct is required without --first_image"],
    "--blend --source=run --out=file": ["--out", "file"],
    "--blend --source=run --out=file/below": ["--out", "file/below"],
    "--blend --source=run --out=/proc": ["--out", "/proc"],
    "--blend --source=run --candidates=9": ["--candidates", "at least --keep", "9 and 64"],
    "--blend --source=run --candidates=-1": ["candidates=-1"],
    "--blend --source=run --candidates=99 --count=9": ["--keep is required", "--count=9"],
    "--blend --source=run --candidates=99 --mix=0.4": ["no --mix", "--mix=0.4"],
    "--blend --source=run --candidates=99 --path=lerp": ["no --path"],
    "--blend --source=run --candidates=99 --first=bird": ["two different classes"],
    "--blend --source=run --candidates=99 --data_dir=file": ["data folder", "file"],
    "--blend --source=run --candidates=99 --realism_weight=nan": ["--realism_weight", "finite"],
    "--blend --source=run --refine=3": ["--refine is required with --candidates"],
    "--blend --source=run --keep=3": ["--keep is required with --candidates"],
    "--blend --source=run --bundle": ["--bundle is required with --candidates"],
    "--blend --source=run --second_like=airplane": ["--second_like is required with --candidates"],
    "--blend --source=run --candidates=99 --second_like=cloud": [
        "--second_like",
        "light, airplane, ",
        "cloud",
    ],
    "--blend --source=run --candidates=99 --second_like=light,cloud": ["--second_like", "light,cloud"],
    "--blend --source=run --lower_first=3": ["--lower_first is required with --candidates"],
    "--blend --source=run --candidates=99 --lower_first=13": ["lower_first", "13"],
    "--reconstruct --source=run --first_like=light": ["--first_like"],
    "--blend --source=run --mask=left": ["uniform|top"],
    "--blend --source=run --mask=top --mix=0": ["above 0 and below 1"],
    "--blend --source=cgan --mask=top": ["without --mask"],
    "--blend --source=run --data_dir=here": ["--data_dir is required with --candidates"],
    "--explore --source=run --count=9": ["--explore is required without --count", "--count=9"],
    "--explore --source=run --seed=3": ["--explore is required without --seed", "--seed=3"],
    "--explore --source=run --scale=2": ["--explore is required without --scale", "--scale=2"],
    "--diagram --source=run --seed=3": ["--diagram is required without --seed", "--seed=3"],
    "--diagram --source=run --count=3 --first=horse": ["--diagram is required without --first"],
    "--reconstruct --source=run --candidates=99": ["--reconstruct is required without --candidates"],
    "--from_manifest=none.json": ["none.json"],
    "--from_manifest=pipe": ["not a file"],
    "--from_manifest=run": ["run"],
    "--from_manifest=file": ["file"],
    "--from_manifest=": ["--from_manifest"],
    "--from_manifest=file --mix=0.5": ["--mix", "Beside --from_manifest"],
    "--from_manifest=file --blend": ["--blend"],
    "--from_manifest=file --data_dir=file": ["--data_dir", "Beside --from_manifest"],
    "--from_manifest=file --bundle": ["--bundle", "Beside --from_manifest"],
}


MANIFESTS = [
    (dict(action="../blend"), "../blend"),
    (dict(action=["blend"]), "unhashable"),
    (dict(action="count"), "the action count"),
    (dict(count=10**9), "8192"),
    (dict(count="many"), "count=many"),
    (dict(count=None), "count=None"),
    (dict(strip=[9]), "strip"),
    (dict(mix=float("nan")), "finite"),
    (dict(mix={}), "mix"),
    (dict(path="zigzag"), "path=zigzag"),
    (dict(source=3), "source=3"),
    (dict(source="../../etc"), "../../etc"),
    (dict(scale=10**6), "scale=1000000"),
    (dict(first_image=["a.png"]), "first_image"),
    (dict(first_image="a.png", second_image="\0"), "A picture must"),
    (
        dict(first_image="a.png", second_image="a.png", count=1, first_image_digest="0"),
        "first image of the manifest",
    ),
    (dict(rows=[[0, 4], [1, 2]]), "from 0 to 3"),
    (dict(rows=[["../../x", 0], [1, 2]]), "from 0 to 3"),
    (dict(weights_digest="0123"), "weights of the manifest (0123)"),
    (dict(codes_digest=["0"]), "codes of the manifest"),
    (dict(layout="circle"), "layout=circle"),
    (dict(action="interpolate", layout="j", count=10**6), "8192"),
    (dict(source="gan"), "A conditional model"),
    (dict(rows=[[1, 0], [3, 2]], blends=[]), "blends are required to be 2"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND, BLEND | {"mirrored": [0, 2]}]), "blends are required"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND, BLEND | {"shares": [[1.1] * 4] * 4}]), "blends are required"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND, BLEND | {"shares": [[0.5] * 3] * 4}]), "blends are required"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND, BLEND | {"shares": [["x"] * 4] * 4}]), "blends are required"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND, None]), "blends are required"),
    (
        dict(rows=[[1, 0], [3, 2]], blends=[BLEND, BLEND | {"shares": [["0.5"] * 4] * 4}]),
        "blends are required",
    ),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND] * 2, mix=0), "above 0 and below 1"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND] * 2, path="pixel"), "no --path"),
    (dict(action="sample", blends=[]), "blends are required with --blend"),
    (dict(action="reconstruct", rows=[[1], [3]], blends=[BLEND] * 2), "blends are required with --blend"),
    (dict(source="cgan", blends=[BLEND] * 2, refined_digest="0"), "without blends"),
    (dict(action="explore"), "--explore is required without --count"),
    (dict(rows=[[1, 0], [3, 2]], blends=[BLEND] * 2, refined_digest="0"), "Refined codes beside the manifest"),
]


# What a manifest of blends says of its pictures.
PICTURES = ({}, [], [{}], [{}, 3], "ab", None, [[], []])
PICTURES += ([{}, {"score": [1]}], [{}, {"score": None}], [{}, {"score": float("nan")}])
PICTURES += ([{}, {"terms": {"critic": {}}}], [{}, {"nearest": {"class": ["bird"]}}])


TEXTS = ["", "[]", "{}", '{"recipe": []}', '{"recipe": {"action": "blend"}}', "[" * 200_000]


@pytest.mark.parametrize("line", FLAGS)
def test_flags_that_are_refused(results, line):
    assert_refusal(results[line], *FLAGS[line])


@pytest.mark.parametrize("k", range(len(MANIFESTS)), ids=lambda k: str(MANIFESTS[k][0])[:40])
def test_hostile_manifests(results, k):
    assert_refusal(results[f"--from_manifest={k}.json"], MANIFESTS[k][1])


@pytest.mark.parametrize("k", range(len(TEXTS)))
def test_no_manifest_at_all(results, k):
    assert_refusal(results[f"--from_manifest={len(MANIFESTS) + k}.json"], "a manifest.json is required")


@pytest.mark.parametrize("k", range(len(PICTURES)), ids=lambda k: str(PICTURES[k])[:40])
def test_scores_that_are_no_scores(results, k):
    outcome = results[f"--from_manifest={len(MANIFESTS) + len(TEXTS) + k}.json"]
    assert_refusal(outcome, "The manifest's pictures are required to be 2")


def test_the_command_itself(folder):
    made = start(folder, str(ROOT / "generate.py"), "--blend", "--source=run", "--out", "--seed=1")
    assert_refusal((made.returncode, made.stdout, made.stderr), "--out=VALUE", "--seed=1")


def test_help_is_for_people(folder):
    made = start(folder, str(ROOT / "generate.py"), "--help")
    assert (made.returncode, made.stderr) == (0, "")
    for word in (
        "--blend",
        "--mix",
        "share of the second parent",
        "--from_manifest",
        "python generate.py --blend",
    ):
        assert word in made.stdout
    assert max(map(len, made.stdout.splitlines())) <= 120

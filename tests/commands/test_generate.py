"""generate.py through the real command: bad input before TensorFlow, then the pictures of a tiny release.

The release has random weights; what its pictures must be is computed with the model that it was made of.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import release

ROOT = Path(__file__).resolve().parents[2]
# Many command lines in one process, as TensorFlow takes seconds to start.
MANY = """
import json, sys, generate
from absl import flags
from common import cli
for words in json.loads(sys.argv[1]):
    flags.FLAGS.unparse_flags()
    sys.argv = ["generate.py", *words]
    cli.run(generate.main)
"""
RUNS = {
    "blend": "--blend --source=run --count=10 --strip=5 --scale=2 --mix=0.25 --out=blend",
    "few": "--blend --source=run --count=3 --scale=1 --mix=0.25 --out=few",
    "again": "--from_manifest=blend/manifest.json --source=copy --out=again",
    "first": "--blend --source=run --count=2 --mix=0 --scale=1 --path=slerp --out=first",
    "pixel": "--blend --source=run --count=4 --strip=3 --scale=1 --mix=0.3 --path=pixel --out=pixel",
    "own": "--blend --source=run --first_image=a.png --second_image=b.png --count=9 --strip=3 --scale=1 --out=own",
    "own_again": "--from_manifest=own/manifest.json --first_image=moved.png --out=own_again",
    "reconstruct": "--reconstruct --source=run --count=5 --scale=1 --out=reconstruct",
    "interpolate": "--interpolate --source=run --count=2 --scale=1 --out=interpolate",
    "sample": "--sample --source=run --count=5 --scale=1 --out=sample",
    "sample_few": "--sample --source=run --count=2 --scale=1 --out=sample_few",
    "j": "--interpolate --layout=j --source=run --strip=3 --scale=1 --out=j",
    "mine": "--interpolate --layout=mine --source=run --strip=3 --count=2 --scale=1 --out=mine",
    "j_again": "--from_manifest=j/manifest.json --source=copy --out=j_again",
    "gan": "--sample --source=cgan --count=5 --scale=1 --out=gan",
    "gan_few": "--sample --source=cgan --count=3 --scale=1 --out=gan_few",
    "gan_horses": "--sample --source=cgan --count=3 --scale=1 --first=horse --out=gan_horses",
    "morph": "--blend --source=cgan --count=3 --strip=3 --scale=1 --out=morph",
    "morph_again": "--from_manifest=morph/manifest.json --out=morph_again",
    "gan_strips": "--interpolate --source=cgan --count=2 --strip=4 --scale=1 --out=gan_strips",
    "gan_j": "--interpolate --layout=j --source=cgan --count=1 --strip=3 --scale=1 --out=gan_j",
    "gan_j_again": "--from_manifest=gan_j/manifest.json --out=gan_j_again",
    "masked": "--blend --source=run --count=3 --strip=3 --scale=1 --mask=top --out=masked",
    "masked_again": "--from_manifest=masked/manifest.json --out=masked_again",
    "search": "--blend --source=winners --candidates=12 --keep=4 --refine=2 --above_weight=0.5 --wings_weight=0.5 "
    "--lower_first=3 --bundle --scale=1 --out=search",
    "search_again": "--from_manifest=search/manifest.json --out=search_again",
    "bare": "--blend --source=winners --out=bare",
    "seeded": "--blend --source=winners --seed=0 --count=2 --scale=1 --out=seeded",
    "handwritten": "--from_manifest=handwritten.json --out=handwritten",
}


@pytest.fixture(scope="module")
def tiny():
    """(model, bank arrays, config) with weights and codes that float16 holds exactly."""
    from acai.model import paper_acai

    model = paper_acai(depth=2, latent_channels=2)
    random = np.random.default_rng(2)
    for variable in model.release_state().values():  # larger than a training begins with: pictures are not flat
        scale = 1.5 / np.sqrt(np.prod(variable.shape[:-1])) if len(variable.shape) > 1 else 0.2
        variable.assign(random.normal(scale=scale, size=variable.shape).astype(np.float16))
    arrays = {
        "latents": np.random.default_rng(0).normal(size=(12, 4, 4, 2)).astype(np.float16),
        "labels": np.arange(12, dtype=np.int32) % 2,
        "ids": np.arange(500, 512),
        "splits": np.array(["train"] * 8 + ["holdout"] * 4),
        "class_names": np.array(["bird", "horse"]),
    }
    sizes = dict(width=32, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=2)
    return model, arrays, {"model": sizes}


@pytest.fixture(scope="module")
def gan():
    """(released conditional GAN, weights, sizes) of weights that float16 holds exactly."""
    from common.variables import variables_by_name
    from gan.inference import ReleasedGAN
    from gan.networks import build_generator

    sizes = dict(architecture="dcgan", width=8, colours=3, noise_size=6, generator_channels=2, up="transposed")
    sizes |= dict(classes=2, condition="projection")
    weights = variables_by_name("generator", build_generator(sizes))
    random = np.random.default_rng(4)
    for name, variable in weights.items():
        value = np.ones(variable.shape) if "variance" in name else random.normal(scale=0.5, size=variable.shape)
        variable.assign(value.astype(np.float16))
    weights = {name: np.asarray(value) for name, value in weights.items()}
    sizes |= dict(spherical_noise=True, class_names=["bird", "horse"])
    return ReleasedGAN(sizes, weights, "a test"), weights, sizes


@pytest.fixture(scope="module")
def made(tiny, gan, tmp_path_factory):
    """The folder in which every command of RUNS has run."""
    model, arrays, config = tiny
    folder = tmp_path_factory.mktemp("generate")
    release.write(folder / "run" / "release", config, model.release_state(), arrays)
    release.write(folder / "cgan", {"family": "gan", "model": gan[2]}, gan[1])
    for name in ("copy", "winners"):
        shutil.copytree(folder / "run" / "release", folder / name)
    random = np.random.default_rng(1)
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{name}.png")
    shutil.copyfile(folder / "a.png", folder / "moved.png")
    write_manifest(folder / "handwritten.json", count=2, rows=[[1, 3], [0, 10]])
    words = json.dumps([run.split() for run in RUNS.values()])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": "no data set here"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # who sets it hears TensorFlow's start
    result = subprocess.run(
        [sys.executable, "-c", MANY, words], cwd=folder, env=environment, capture_output=True, text=True
    )
    progress = ("preparing", "decoding and scoring candidates", "refining latents")  # of a slow machine
    others = [line for line in result.stderr.splitlines() if not line.startswith(progress)]
    assert (result.returncode, others) == (0, [])
    (folder / "printed").write_text(result.stdout)
    return folder


def write_manifest(path, **changes):
    recipe = dict(
        action="blend", source="run", first="horse", second="bird", count=2, mix=0.5, strip=0, path="slerp"
    )
    recipe |= dict(bandwidth=0.3, seed=0, first_image=None, second_image=None, scale=1)
    path.write_text(json.dumps({"recipe": recipe | changes}))


def manifest(made, run):
    return json.loads((made / run / "manifest.json").read_text())


def read(path):
    return np.asarray(Image.open(path)).astype(int)


def singles(made, run):
    return np.stack([read(made / run / entry["file"]) for entry in manifest(made, run)["pictures"]])


def rows(made, run):
    return np.array([[p["row"] for p in entry["parents"]] for entry in manifest(made, run)["pictures"]])


def grey(images):
    return (np.clip(np.asarray(images), -1, 1) + 1) * 127.5


def assert_shows(pictures, images, tolerance=0.51):
    """Grey levels against unrounded images in [-1, 1]."""
    np.testing.assert_allclose(pictures, grey(images), atol=tolerance)
    assert pictures.std() > 5, "a constant picture shows nothing"


# Pictures


def test_prints_the_pictures_to_open(made):
    lines = (made / "printed").read_text().splitlines()
    assert lines[:4] == [f"blend/{name}" for name in ("grid.png", "parents.png", "strips.png", "manifest.json")]
    assert all((made / line).is_file() for line in lines)


def test_blends_are_decoded_between_their_parents(made, tiny):
    model, arrays, _ = tiny
    pairs = rows(made, "pixel")
    parents = np.asarray(model.decoder(arrays["latents"][pairs.ravel()])).reshape(4, 2, 32, 32, 3)
    assert_shows(singles(made, "pixel"), 0.7 * parents[:, 0] + 0.3 * parents[:, 1])
    cells = read(made / "pixel" / "parents.png").reshape(32, 8, 32, 3).swapaxes(0, 1)
    assert_shows(cells, parents.reshape(8, 32, 32, 3))
    # slerp, pair by pair, from the angle between the normalised codes
    for pair, picture in zip(rows(made, "few"), singles(made, "few"), strict=True):
        a, b = arrays["latents"][pair].astype(np.float64).reshape(2, -1)
        omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        code = (np.sin(0.75 * omega) * a + np.sin(0.25 * omega) * b) / np.sin(omega)
        assert_shows(picture, np.asarray(model.decoder(code.reshape(1, 4, 4, 2).astype(np.float32)))[0])


def test_parents_are_of_the_classes_asked_for(made):
    for entry in manifest(made, "blend")["pictures"]:
        assert [parent["class"] for parent in entry["parents"]] == ["horse", "bird"]
        for parent in entry["parents"]:
            assert parent["id"] == 500 + parent["row"]
            assert parent["split"] == ("train" if parent["row"] < 8 else "holdout")


def test_grid_and_strips_hold_the_single_pictures(made):
    grid, pictures = read(made / "blend" / "grid.png"), singles(made, "blend")
    assert grid.shape == (2 * 64, 8 * 64, 3)
    for k, picture in enumerate(pictures):
        np.testing.assert_array_equal(grid[k // 8 * 64 :, k % 8 * 64 :][:64, :64], picture)
    parents = read(made / "blend" / "parents.png")
    for k in range(10):
        strip = read(made / "blend" / f"strip-{k:03d}.png")
        row, column = divmod(2 * k, 8)
        ends = parents[row * 64 :, column * 64 :][:64, :128]
        np.testing.assert_array_equal(np.concatenate([strip[:, :64], strip[:, -64:]], axis=1), ends)
        np.testing.assert_array_equal(strip[:, 64:128], pictures[k])  # mixes 0, 1/4, ...; --mix=0.25


def test_picture_k_does_not_depend_on_what_else_is_made(made):
    np.testing.assert_array_equal(singles(made, "blend")[:3, ::2, ::2], singles(made, "few"))
    np.testing.assert_array_equal(singles(made, "sample")[:2], singles(made, "sample_few"))


def test_mix_0_is_the_first_parent(made):
    parents = read(made / "first" / "parents.png")
    np.testing.assert_array_equal(singles(made, "first")[0], parents[:, :32])
    np.testing.assert_array_equal(singles(made, "first")[1], parents[:, 64:96])


def test_a_manifest_makes_the_same_bytes_from_a_copied_release(made):
    names = sorted(path.name for path in (made / "blend").iterdir())
    assert names == sorted(path.name for path in (made / "again").iterdir()) and len(names) == 24
    for name in set(names) - {"manifest.json"}:
        assert (made / "blend" / name).read_bytes() == (made / "again" / name).read_bytes(), name
    before, after = manifest(made, "blend"), manifest(made, "again")
    assert before["recipe"].pop("source") == "run" and after["recipe"].pop("source") == "copy"
    assert before == after


def test_own_pictures_make_one_blend(made, tiny):
    model = tiny[0]
    own = np.stack([read(made / name) for name in ("a.png", "b.png")]) / 127.5 - 1
    parents = np.asarray(model.decoder(model.encoder(own.astype(np.float32))))
    assert len(manifest(made, "own")["pictures"]) == 1
    assert read(made / "own" / "grid.png").shape == (32, 256, 3)
    assert_shows(read(made / "own" / "parents.png")[:, :64], np.concatenate(list(parents), axis=1))
    strip = read(made / "own" / "strip-000.png")
    assert strip.shape == (32, 96, 3)
    np.testing.assert_array_equal(strip[:, 32:64], singles(made, "own")[0])
    np.testing.assert_array_equal(singles(made, "own"), singles(made, "own_again"))


def test_reconstructions_interpolations_and_rows_by_hand(made, tiny):
    model, arrays, _ = tiny
    assert_shows(singles(made, "reconstruct"), model.decoder(arrays["latents"][rows(made, "reconstruct")[:, 0]]))
    assert not (made / "reconstruct" / "parents.png").exists()
    strips = read(made / "interpolate" / "strips.png")
    assert strips.shape == (2 * 32, 9 * 32, 3) and not (made / "interpolate" / "grid.png").exists()
    ends = np.asarray(model.decoder(arrays["latents"][rows(made, "interpolate").ravel()]))
    assert_shows(np.stack([strips[:32, :32], strips[:32, -32:], strips[32:, :32], strips[32:, -32:]]), ends)
    assert rows(made, "handwritten").tolist() == [[1, 3], [0, 10]]


def test_scores_are_the_critics_guess(made, tiny):
    model, arrays, _ = tiny
    for run in ("reconstruct", "first"):  # pictures of the first parent's code
        scores = [entry["critic_score"] for entry in manifest(made, run)["pictures"]]
        expected = np.asarray(model.critic(model.decoder(arrays["latents"][rows(made, run)[:, 0]])))
        np.testing.assert_allclose(scores, expected, atol=2e-4)
        assert np.ptp(expected) > 0.01


def test_diagrams_of_codes(made, tiny):
    model, arrays, _ = tiny
    assert manifest(made, "j")["recipe"]["count"] == 4 and (made / "j" / "diagram-003.png").exists()
    for k, (a, b, c) in enumerate(arrays["latents"][rows(made, "j")].astype(np.float32)):
        cells = read(made / "j" / f"diagram-{k:03d}.png").reshape(3, 32, 3, 32, 3).swapaxes(1, 2)
        expected = np.asarray(model.decoder(np.stack([a, b, c, b + c - a])))
        assert_shows(cells[::2, ::2].reshape(4, 32, 32, 3), expected)
    cells = read(made / "mine" / "diagram-001.png").reshape(3, 32, 3, 32, 3).swapaxes(1, 2)
    anchors = arrays["latents"][rows(made, "mine")[1]].astype(np.float32)
    assert_shows(cells[::2, ::2].reshape(4, 32, 32, 3), np.asarray(model.decoder(anchors)))
    assert (made / "j" / "diagram-002.png").read_bytes() == (made / "j_again" / "diagram-002.png").read_bytes()


def test_samples_of_a_gan(made, gan):
    model = gan[0]
    noise = model.draw_noise(0, 5)
    assert_shows(singles(made, "gan"), model.sample(noise, [0, 1, 0, 1, 0]))
    np.testing.assert_array_equal(singles(made, "gan_few"), singles(made, "gan")[:3])
    assert_shows(singles(made, "gan_horses"), model.sample(noise[:3], [1, 1, 1]))
    assert manifest(made, "gan_horses")["pictures"][2] == {
        "file": "sample-002.png",
        "noise": [2],
        "class": "horse",
    }


def test_class_morphs_of_a_gan(made, gan):
    model = gan[0]
    noise = model.draw_noise(0, 3)
    assert_shows(singles(made, "morph"), model.sample(noise, np.full((3, 2), 0.5)))
    ends = read(made / "morph" / "parents.png").reshape(8, 8, 8, 3).swapaxes(0, 1)[:6]
    assert_shows(ends[::2], model.sample(noise, [1, 1, 1]))
    assert_shows(ends[1::2], model.sample(noise, [0, 0, 0]))
    for name in manifest(made, "morph")["files"]:
        assert (made / "morph" / name).read_bytes() == (made / "morph_again" / name).read_bytes()


def test_strips_and_diagrams_of_a_gan(made, gan):
    model = gan[0]
    strips = read(made / "gan_strips" / "strips.png")
    ends = model.sample(model.draw_noise(0, 4), [0, 0, 1, 1])
    assert_shows(np.stack([strips[:8, :8], strips[:8, -8:], strips[8:, :8], strips[8:, -8:]]), ends)
    a, b, c = model.draw_noise(0, 3)
    corner = model.sample((b + c - a)[None], [0])[0]
    assert_shows(read(made / "gan_j" / "diagram-000.png")[16:, 16:], corner)
    assert manifest(made, "gan_j")["recipe"] == manifest(made, "gan_j_again")["recipe"]


def test_masked_blends_lead_through_the_picture(made, tiny):
    model, arrays, _ = tiny
    assert manifest(made, "masked")["recipe"]["blends"][0]["shares"] == [[1] * 4] * 2 + [[0] * 4] * 2
    for k, (first, second) in enumerate(arrays["latents"][rows(made, "masked")].astype(np.float32)):
        code = np.concatenate([second[:2], first[2:]])
        expected = np.asarray(model.decoder(np.stack([first, code, second])))
        strip = read(made / "masked" / f"strip-{k:03d}.png").reshape(32, 3, 32, 3).swapaxes(0, 1)
        assert_shows(strip, expected)
    np.testing.assert_array_equal(singles(made, "masked"), singles(made, "masked_again"))
    entry = manifest(made, "masked_again")["pictures"][2]
    assert (entry["mix"], entry["mask"], entry["mirrored"]) == (0.5, "top", [0, 0]) and "score" not in entry


def test_a_search_is_made_again_from_its_manifest_and_bundled(made):
    names = manifest(made, "search")["files"]
    assert {"grid.png", "best.png", "manifest.npz"} < set(names) and len(singles(made, "search")) == 4
    for name in names:
        for run in ("search_again", "bare"):
            assert (made / run / name).read_bytes() == (made / "search" / name).read_bytes(), (run, name)
    assert (made / "winners" / "pegasus.json").read_bytes() == (made / "search" / "manifest.json").read_bytes()
    for run in ("search_again", "bare"):  # the scores too, which are not taken anew
        assert manifest(made, run)["pictures"] == manifest(made, "search")["pictures"]
    assert "blends" not in manifest(made, "seeded")["recipe"]
    np.testing.assert_array_equal(rows(made, "seeded"), rows(made, "first"))


def test_a_search_says_how_each_term_stands(made):
    made_of = manifest(made, "search")
    weights = made_of["recipe"]["weights"]
    for entry, blend in zip(made_of["pictures"], made_of["recipe"]["blends"], strict=True):
        assert {name: entry[name] for name in blend} == blend and len(blend) == 3
        assert {*entry["terms"], "together"} == set(weights)
        assert entry["mix"] == pytest.approx(np.mean(entry["shares"]), abs=1e-4)
        assert entry["score"] == pytest.approx(sum(weights[n] * v for n, v in entry["terms"].items()), abs=1e-3)


def test_the_best_stands_beside_its_parents_and_the_nearest_other_code(made, tiny):
    model, arrays, _ = tiny
    best = read(made / "search" / "best.png")
    assert best.shape == (96, 128, 3)
    np.testing.assert_array_equal(best[::3, :96:3], singles(made, "search")[0])
    parents = read(made / "search" / "parents.png")
    np.testing.assert_array_equal(best[:64, 96:], np.concatenate([parents[:32, :32], parents[:32, 32:64]]))
    with np.load(made / "search" / "manifest.npz") as file:
        code = file["codes"][0].astype(float)
    away = np.square(arrays["latents"].astype(float) - code).sum((1, 2, 3))
    away[rows(made, "search")[0]] = np.inf
    assert_shows(best[64:, 96:], np.asarray(model.decoder(arrays["latents"][[away.argmin()]]))[0])


@pytest.mark.parametrize("run", RUNS)
def test_a_manifest_lists_what_was_made(made, run):
    assert {path.name for path in (made / run).iterdir()} == {*manifest(made, run)["files"], "manifest.json"}

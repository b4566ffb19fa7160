"""generate.py --save_latents and --latents: latents of pictures into a file, and pictures out of one."""

import os

import numpy as np
import pytest

from common import release
from common.interpolation import slerp
from tests.support.generated_pictures import GeneratedPictures, assert_shows, tiny_acai, tiny_gan, write_tiny_acai

RUNS = {
    "reconstruct": "--reconstruct --source=run --count=5 --scale=1 --save_latents=r.npz",
    "decoded": "--sample --source=run --latents=r.npz --scale=1",
    "decoded_again": "--from_manifest=decoded/manifest.json",
    "blend": "--blend --source=run --count=3 --mix=0.25 --scale=1 --save_latents=b.npz",
    "masked": "--blend --source=run --count=3 --mask=top --scale=1 --save_latents=m.npz",
    "masked_decoded": "--sample --source=run --latents=m.npz --scale=1 --save_latents=m2.npz",
    "noise": "--sample --source=cgan --count=3 --first=horse --scale=1 --save_latents=n.npz",
    "noise_given": "--sample --source=cgan --latents=n.npz --first=horse --scale=1",
}
REFUSED = {
    "missing": ("--sample --source=run --latents=none.npz", "--latents must be an .npz file"),
    "text": ("--sample --source=run --latents=text.npz", "--latents must be an .npz file"),
    "pipe": ("--sample --source=run --latents=pipe.npz", "not a file"),
    "name": ("--sample --source=run --latents=other.npz", "--latents must be an .npz file"),
    "shape": ("--sample --source=run --latents=flat.npz", "of the shape N x 4 x 4 x 2"),
    "finite": ("--sample --source=run --latents=nan.npz", "must be numbers from"),
    "noise": ("--sample --source=cgan --latents=r.npz", "of the shape N x 6"),
    "count": ("--sample --source=run --latents=r.npz --count=2", "cannot be combined with --count"),
    "blend": ("--blend --source=run --latents=r.npz", "cannot be combined with --latents=r.npz"),
    "strips": ("--interpolate --source=run --save_latents=x.npz", "--save_latents needs"),
    "pixel": ("--blend --source=run --path=pixel --save_latents=x.npz", "--save_latents needs"),
    "folder": ("--sample --source=run --save_latents=nowhere/x.npz", "--save_latents must be a writable file"),
    "changed": (
        "--from_manifest=decoded/manifest.json --latents=b.npz",
        "given latents must be those of the manifest",
    ),
}


@pytest.fixture(scope="module")
def acai():
    return tiny_acai()


@pytest.fixture(scope="module")
def made(acai, tmp_path_factory):
    """The pictures of RUNS and what the REFUSED print."""
    folder = tmp_path_factory.mktemp("latents")
    write_tiny_acai(folder / "run" / "release", acai)
    _, weights, sizes = tiny_gan()
    release.write(folder / "cgan", {"family": "gan", "model": sizes}, weights)
    (folder / "text.npz").write_text("no arrays")
    os.mkfifo(folder / "pipe.npz")
    np.savez(folder / "other.npz", codes=np.zeros((2, 4, 4, 2)))
    np.savez(folder / "flat.npz", latents=np.zeros((2, 32)))
    np.savez(folder / "nan.npz", latents=np.full((2, 4, 4, 2), np.nan))
    refused = {f"refused_{name}": line for name, (line, _) in REFUSED.items()}
    return GeneratedPictures(folder, RUNS | refused)


def load(made, name):
    with np.load(made.path / name) as file:
        assert file["latents"].dtype == np.float32
        return file["latents"]


def test_latents_of_reconstructions_are_those_of_the_bank(made, acai):
    _, arrays, _ = acai
    np.testing.assert_array_equal(load(made, "r.npz"), arrays["latents"][made.rows("reconstruct")[:, 0]])
    assert made.printed("reconstruct")[-1] == "r.npz"


def test_given_latents_give_the_same_pictures(made):
    np.testing.assert_array_equal(made.singles("decoded"), made.singles("reconstruct"))
    np.testing.assert_array_equal(made.singles("decoded_again"), made.singles("decoded"))
    np.testing.assert_array_equal(made.singles("masked_decoded"), made.singles("masked"))
    np.testing.assert_array_equal(made.singles("noise_given"), made.singles("noise"))
    np.testing.assert_array_equal(load(made, "m2.npz"), load(made, "m.npz"))
    assert len(made.manifest("decoded")["pictures"]) == made.manifest("decoded")["request"]["count"] == 5


def test_latents_of_blends_lie_between_those_of_the_parents(made, acai):
    model, arrays, _ = acai
    first, second = arrays["latents"].astype(np.float32)[made.rows("blend").T]
    np.testing.assert_allclose(load(made, "b.npz"), slerp(first, second, 0.25), atol=1e-6)
    assert_shows(made.singles("blend"), model.decoder(load(made, "b.npz")))
    rows = made.rows("masked")
    upper = load(made, "m.npz")[:, :2]  # of which the second parent has all
    np.testing.assert_allclose(upper, arrays["latents"].astype(np.float32)[rows[:, 1], :2], atol=1e-5)


def test_latents_of_a_gan_are_its_noise(made):
    np.testing.assert_array_equal(load(made, "n.npz"), tiny_gan()[0].draw_noise(0, 3))


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_a_line(made, name):
    status, _, stderr = made.outcomes[f"refused_{name}"]
    lines = [line for line in stderr.splitlines() if line.startswith("error")]
    assert status == 2 and len(lines) == 1 and REFUSED[name][1] in lines[0] and "Traceback" not in stderr


def test_a_file_that_cannot_be_written_is_refused_before_pictures_are_made(made):
    assert not (made.path / "refused_folder").exists() and (made.path / "reconstruct").is_dir()

"""Every bundled model: its size, its contents and card, and its golden outputs computed again."""

import json

import numpy as np
import pytest

from acai.latent_bank import LatentBank
from common import release
from common.files import unpack
from pictures import manifest
from pictures.acai_plan import make_plan
from pictures.request import Blend
from tests.support.damaged_releases import FILES

BUNDLED = sorted(path.parent for path in release.BUNDLED.glob("*/config.json"))
MEGABYTE = 1_000_000
# Latents and scores are computed in float32; on another machine they differ by some 1e-5.
TOLERANCE = 2e-3

pytestmark = pytest.mark.skipif(not BUNDLED, reason="no model is bundled in pretrained/ yet")


@pytest.fixture(scope="module", params=BUNDLED, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def contents(folder):
    """(config, weights, bank arrays)."""
    return release.read(folder, release.family(folder))[:3]


def test_the_files_are_small(folder):
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    largest = 2 if folder.name == "acai_lines" else 5 if "bank.npz" in sizes else 4
    assert sum(sizes.values()) <= largest * MEGABYTE
    assert sizes.get("bank.npz", 0) <= 3.5 * MEGABYTE


def test_weights_and_latents_are_finite_float16(contents):
    _, weights, bank = contents
    for name, array in (weights | {name: bank[name] for name in bank if name == "latents"}).items():
        assert array.dtype == np.float16 and np.isfinite(array).all(), name
        assert np.abs(array).max() < 1000 and array.size, name


def test_the_config_contains_no_path(contents):
    assert "data_dir" not in json.dumps(contents[0])

    def strings(value):
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, str) else [text for inner in values for text in strings(inner)]

    assert not [text for text in strings(contents[0]) if "/" in text or "\\" in text]


def test_the_card_says_what_was_held_out(folder):
    card = (folder / "CARD.md").read_text(encoding="utf-8").lower()
    assert "hold-out" in card or "held out" in card
    for word in ("cifar-10", "kimg", "train.py"):
        assert word in card, word


def test_each_image_has_one_row_in_the_bank(contents):
    if not contents[2]:
        pytest.skip("only an ACAI has a bank")
    bank = LatentBank.from_arrays(contents[2])
    assert {str(split) for split in bank.splits} <= {"train", "holdout"}
    images = [tuple(bank.describe(row).values())[1:] for row in range(len(bank))]  # class, split, id
    assert len(set(images)) == len(images) > 0
    for name in bank.class_names:
        assert len(bank.rows(str(name))) >= 64, "for a grid without many repetitions"


def test_no_image_of_a_data_set_is_included(folder, contents):
    """There are weights, latents and labels; golden pictures are made by the decoder."""
    config, weights, bank = contents
    sizes = config["model"]
    if bank:
        assert bank.keys() == {"latents", "labels", "ids", "splits", "class_names", "weights_digest"}
        code = (sizes["latent_width"], sizes["latent_width"], sizes["latent_channels"])
        assert bank["latents"].shape[1:] == code
    assert all(array.dtype != np.uint8 and array.ndim in (1, 2, 4) for array in weights.values())
    networks = "encoder decoder critic classifier discriminator" if bank else "network generator"
    assert {name.partition("/")[0] for name in weights} <= {*networks.split()}
    known = {*FILES, "golden.npz", "CARD.md", "pegasus.json", "pegasus.npz"}
    others = [path for path in folder.rglob("*") if path.is_file() and path.name not in known]
    assert all(path.suffix in (".png", ".md") for path in others), "pictures of the CARD at most"


def test_golden_outputs_are_reproduced(folder):
    from training.export import golden_outputs

    stored = unpack((folder / "golden.npz").read_bytes(), "golden.npz")
    again = golden_outputs(folder)
    assert again.keys() == stored.keys()
    for name, array in again.items():
        tolerance = 1 if array.dtype == np.uint8 else TOLERANCE  # one grey level
        np.testing.assert_allclose(np.float64(array), stored[name], tolerance, tolerance, err_msg=name)
        assert stored[name].std() > 1e-3, "not all the same"


def test_bundled_searches_are_valid_requests():
    paths = sorted(release.BUNDLED.glob(f"*/{manifest.BUNDLED}"))
    assert len(paths) == 1
    for path in paths:
        stored = manifest.read(path)
        request = manifest.make_request(Blend, stored, {})
        plan = make_plan(request, path.parent, stored)
        assert request.source == path.parent.name and plan.parent_latents is not None
        assert all(note.keys() >= {"score", "terms", "parents"} for note in plan.notes)

"""training/export: what is bundled of a run, and what is left out."""

import numpy as np
import pytest

from common import release
from common.errors import InputError
from common.files import unpack
from tests.support.damaged_releases import FILES

SIZES = dict(width=32, colours=1, latent_width=2, latent_channels=2, depth=2, critic_depth=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory with the release of an untrained ACAI; its bank has 12 codes."""
    from acai.model import paper_acai

    model = paper_acai(width=32, colours=1, latent_width=2, latent_channels=2, depth=2, critic_depth=2, classes=3)
    codes = {
        "latents": np.random.default_rng(0).normal(size=(12, 2, 2, 2)),
        "labels": np.zeros(12, np.int64),
    }
    folder = tmp_path_factory.mktemp("run")
    config = {"family": "acai", "model": SIZES}
    release.write(folder / "release", config, model.release_state(), codes)
    return folder


def test_bundle_copies_the_whole_release_and_adds_golden_outputs_of_eight_latents(run, tmp_path):
    """Of these it checks names and shapes alone; `tests/commands/test_pretrained.py` reproduces their values."""
    from training.export import bundle

    bundle(run, tmp_path / "model")
    for name in FILES:
        assert (tmp_path / "model" / name).read_bytes() == (run / "release" / name).read_bytes(), name
    golden = unpack((tmp_path / "model" / "golden.npz").read_bytes(), "golden.npz")
    shapes = {name: array.shape for name, array in golden.items()}
    assert shapes == {"decoded": (8, 32, 32, 1), "encoded": (8, 2, 2, 2), "scores": (8,)}


def test_omitted_networks_are_removed_and_the_bank_fits_the_remaining_weights(run, tmp_path):
    from training.export import bundle

    bundle(run, tmp_path, ("critic", "classifier"))
    _, weights, bank, digest = release.read(tmp_path)
    whole = release.read(run / "release")[1]
    assert {name.partition("/")[0] for name in whole} == {"encoder", "decoder", "critic", "classifier"}
    kept = [name for name in whole if name.startswith(("encoder/", "decoder/"))]
    assert list(weights) == kept
    for name in kept:
        np.testing.assert_array_equal(weights[name], whole[name], err_msg=name)
    assert str(bank["weights_digest"]) == digest and len(bank["latents"]) == 12
    assert unpack((tmp_path / "golden.npz").read_bytes(), "golden.npz").keys() == {"decoded", "encoded"}


def test_the_run_before_is_named_without_its_path(run, tmp_path):
    from training.export import bundle

    config, weights, bank, _ = release.read(run / "release")
    config["train"] = {"start_from": f"{tmp_path}/runs/first/", "seed": 3}
    release.write(
        tmp_path / "second/release", config, weights, {"latents": bank["latents"], "labels": bank["labels"]}
    )
    bundle(tmp_path / "second", tmp_path / "model")
    assert release.read_config(tmp_path / "model") == config | {"train": {"start_from": "first", "seed": 3}}


def test_unknown_network_is_refused_before_anything_is_written(run, tmp_path):
    from training.export import bundle

    with pytest.raises(InputError, match="classifier, critic, decoder, encoder. Received: generator"):
        bundle(run, tmp_path / "new", ("critic", "generator"))
    assert not (tmp_path / "new").exists()

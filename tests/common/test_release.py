"""Releases are read back as they were written, and every kind of damage is refused in one line."""

import json

import numpy as np
import pytest

from common import release
from common.errors import InputError
from common.files import pack
from tests.support.damaged_releases import FILES

BANK = {"latents": np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 2, 2, 4), "ids": np.array([3, 1 << 40])}
WEIGHTS = {"encoder/00_kernel": np.array([0.1, 1e-6, -3], np.float32), "step": np.int64(7)}


@pytest.fixture
def folder(tmp_path):
    release.write(tmp_path / "run" / "release", {"model": {"depth": 2}}, WEIGHTS, BANK)
    return tmp_path / "run" / "release"


def test_weights_are_read_back_as_float16(folder):
    config, weights, bank_arrays, digest = release.read(folder)
    assert config == {"model": {"depth": 2}}
    assert weights.keys() == WEIGHTS.keys() and weights["step"] == 7
    assert weights["encoder/00_kernel"].dtype == bank_arrays["latents"].dtype == np.float16
    # float16 rounds normal numbers to 2^-11 of themselves, small ones to steps of 2^-24
    kernel = weights["encoder/00_kernel"].astype(float)
    np.testing.assert_allclose(kernel[[0, 2]], [0.1, -3], rtol=2**-11)
    assert abs(kernel[1] - 1e-6) <= 2**-25
    np.testing.assert_allclose(bank_arrays["latents"], BANK["latents"], rtol=2**-11, atol=2**-25)
    np.testing.assert_array_equal(bank_arrays["ids"], BANK["ids"])
    assert len(digest) == 16 and int(digest, 16) >= 0


def test_files_depend_on_the_contents_only_and_the_digest_on_the_weights(folder, tmp_path):
    release.write(tmp_path / "copy", {"model": {"depth": 2}}, WEIGHTS, BANK)
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "copy" / name).read_bytes()
    release.write(tmp_path / "other", {}, WEIGHTS | {"step": np.int64(8)}, BANK)
    assert release.read(tmp_path / "other")[3] != release.read(folder)[3]
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_release_is_found_by_run_directory_folder_and_name(folder, tmp_path, monkeypatch):
    assert release.resolve(folder.parent) == release.resolve(folder) == folder
    monkeypatch.setattr(release, "BUNDLED", tmp_path)
    release.write(tmp_path / "small", {}, WEIGHTS, BANK)
    assert release.resolve("small") == tmp_path / "small"
    with pytest.raises(InputError, match=r"bundled model \(small\). Received: large, which does not exist"):
        release.resolve("large")
    (tmp_path / "unreleased").mkdir()
    with pytest.raises(InputError, match="a folder without a release"):
        release.resolve(tmp_path / "unreleased")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "missing"])
def test_damaged_file_is_named(folder, name, damage):
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes({"cut": data[: len(data) // 2], "empty": b"", "noise": b"\xff\0" * 99}[damage])
    with pytest.raises(InputError, match=rf"{name} must be undamaged. Received: {folder}"):
        release.read(folder)


def test_a_changed_but_valid_config_is_refused(folder, tmp_path):
    changed = json.loads((folder / "config.json").read_text()) | {"depth": 17}
    (folder / "config.json").write_text(json.dumps(changed))
    with pytest.raises(InputError, match="config.json must belong to the weights"):
        release.read(folder)


def test_weights_without_a_config_digest_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"family": "gan"}')
    (tmp_path / "weights.npz").write_bytes(pack({"a": np.float16([1])}))
    with pytest.raises(InputError, match="config.json must belong to the weights"):
        release.read(tmp_path, "gan")


def test_newer_format_and_pickles_are_refused(folder):
    content = (folder / "bank.npz").read_bytes()
    np.savez(folder / "bank.npz", format=np.int64(2))
    with pytest.raises(InputError, match="format 2; update this project"):
        release.read(folder)
    np.savez(folder / "bank.npz", latents=np.array([{}], object))
    with pytest.raises(InputError, match="bank.npz must be undamaged"):
        release.read(folder)
    (folder / "bank.npz").write_bytes(content)
    release.read(folder)


def test_bank_of_other_weights_is_refused(folder, tmp_path):
    release.write(tmp_path / "other", {}, WEIGHTS | {"step": np.int64(8)}, BANK)
    (folder / "bank.npz").write_bytes((tmp_path / "other" / "bank.npz").read_bytes())
    with pytest.raises(InputError, match="bank.npz of other weights"):
        release.read(folder)
    np.savez(folder / "bank.npz", **BANK)  # without a digest of its weights
    with pytest.raises(InputError, match="bank.npz of other weights"):
        release.read(folder)


def test_release_of_a_classifier_has_no_bank_and_is_not_read_as_an_acai(tmp_path):
    release.write(tmp_path, {"family": "classifier"}, WEIGHTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "weights.npz"]
    config, weights, bank, _ = release.read(tmp_path, "classifier")
    assert release.family(tmp_path) == config["family"] == "classifier"
    assert weights.keys() == WEIGHTS.keys() and bank == {}
    with pytest.raises(InputError, match="must be of the family acai. Received: .* of the family classifier"):
        release.read(tmp_path)


def test_training_is_described_by_what_was_trained():
    """A run that was stopped at 14.8 kimg was not trained for the 600 of its config."""
    config = {"train": {"total_kimg": 600.0}}
    assert release.describe_training(config | {"trained_kimg": 14.784}) == "14.8 of 600 kimg"
    assert release.describe_training(config) == "not recorded"  # an earlier release
    second = {"trained_kimg": 14.784, "train": {"total_kimg": 600.0, "start_from": "runs/first"}}
    assert release.describe_training(second) == "14.8 of 600 kimg, after runs/first"

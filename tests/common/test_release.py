"""Releases, latent banks and released networks: round trips, and damage of every kind in one line."""

import json

import numpy as np
import pytest

from acai import latent_bank
from acai.latent_bank import LatentBank
from common import release
from common.data.datasets import ImageDataset
from common.errors import InputError
from common.files import pack

CODES = {"latents": np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 2, 2, 4), "ids": np.array([3, 1 << 40])}
WEIGHTS = {"encoder/00_kernel": np.array([0.1, 1e-6, -3], np.float32), "step": np.int64(7)}


@pytest.fixture
def folder(tmp_path):
    release.write(tmp_path / "run" / "release", {"model": {"depth": 2}}, WEIGHTS, CODES)
    return tmp_path / "run" / "release"


# common/release.py


def test_weights_are_read_back_as_float16(folder):
    config, weights, codes, digest = release.read(folder)
    assert config == {"model": {"depth": 2}}
    assert weights.keys() == WEIGHTS.keys() and weights["step"] == 7
    assert weights["encoder/00_kernel"].dtype == codes["latents"].dtype == np.float16
    # float16 rounds normal numbers to 2^-11 of themselves, small ones to steps of 2^-24
    kernel = weights["encoder/00_kernel"].astype(float)
    np.testing.assert_allclose(kernel[[0, 2]], [0.1, -3], rtol=2**-11)
    assert abs(kernel[1] - 1e-6) <= 2**-25
    np.testing.assert_allclose(codes["latents"], CODES["latents"], rtol=2**-11, atol=2**-25)
    np.testing.assert_array_equal(codes["ids"], CODES["ids"])
    assert len(digest) == 16 and int(digest, 16) >= 0


def test_equal_contents_make_equal_files_and_other_weights_another_digest(folder, tmp_path):
    release.write(tmp_path / "twin", {"model": {"depth": 2}}, WEIGHTS, CODES)
    for name in release.FILES:
        assert (folder / name).read_bytes() == (tmp_path / "twin" / name).read_bytes()
    release.write(tmp_path / "other", {}, WEIGHTS | {"step": np.int64(8)}, CODES)
    assert release.read(tmp_path / "other")[3] != release.read(folder)[3]
    assert {path.name for path in folder.iterdir()} == set(release.FILES)


def test_release_is_found_by_run_folder_and_name(folder, tmp_path, monkeypatch):
    assert release.resolve(folder.parent) == release.resolve(folder) == folder
    monkeypatch.setattr(release, "BUNDLED", tmp_path)
    release.write(tmp_path / "small", {}, WEIGHTS, CODES)
    assert release.resolve("small") == tmp_path / "small"
    with pytest.raises(InputError, match=r"bundled model \(small\). Received: large, which does not exist"):
        release.resolve("large")
    (tmp_path / "early").mkdir()
    with pytest.raises(InputError, match="a folder without a release"):
        release.resolve(tmp_path / "early")


@pytest.mark.parametrize("name", release.FILES)
@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "missing"])
def test_damaged_file_is_named(folder, name, damage):
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes({"cut": data[: len(data) // 2], "empty": b"", "noise": b"\xff\0" * 99}[damage])
    with pytest.raises(InputError, match=rf"{name} must be undamaged. Received: {folder}"):
        release.read(folder)


@pytest.mark.parametrize("name", ["bank.npz", "weights.npz"])
def test_one_changed_byte_is_detected(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[data.index(b"NUMPY") + 127] ^= 1  # the first array's first value: the zip's checksum tells
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=name):
        release.read(folder)


def test_a_changed_but_valid_config_is_refused(folder, tmp_path):
    changed = json.loads((folder / "config.json").read_text()) | {"depth": 17}
    (folder / "config.json").write_text(json.dumps(changed))
    with pytest.raises(InputError, match="config.json must belong to the weights"):
        release.read(folder)


def test_weights_without_a_config_digest_are_read(tmp_path):
    (tmp_path / "config.json").write_text('{"family": "gan"}')
    (tmp_path / "weights.npz").write_bytes(pack({"a": np.float16([1])}))
    assert release.read(tmp_path, "gan")[1] == {"a": np.float16([1])}


def test_newer_format_and_pickles_are_refused(folder):
    whole = (folder / "bank.npz").read_bytes()
    np.savez(folder / "bank.npz", format=np.int64(2))
    with pytest.raises(InputError, match="format 2; update this project"):
        release.read(folder)
    np.savez(folder / "bank.npz", latents=np.array([{}], object))
    with pytest.raises(InputError, match="bank.npz must be undamaged"):
        release.read(folder)
    (folder / "bank.npz").write_bytes(whole)
    release.read(folder)


def test_bank_of_other_weights_is_refused(folder, tmp_path):
    release.write(tmp_path / "other", {}, WEIGHTS | {"step": np.int64(8)}, CODES)
    (folder / "bank.npz").write_bytes((tmp_path / "other" / "bank.npz").read_bytes())
    with pytest.raises(InputError, match="bank.npz of other weights"):
        release.read(folder)
    np.savez(folder / "bank.npz", **CODES)  # says nothing of its weights
    with pytest.raises(InputError, match="bank.npz of other weights"):
        release.read(folder)


# acai/latent_bank.py


def dataset(count=30, split="train"):
    """Image k is of grey level k, of class k % 3, with the number 1000 + k."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, 3))
    labels = np.arange(count, dtype=np.int32) % 3
    return ImageDataset(images, labels, 1000 + np.arange(count), ("a", "b", "c"), split)


def test_subsets_have_equal_classes_and_are_nested():
    labels = dataset().labels
    small, large = latent_bank.draw_subset(dataset(), 4), latent_bank.draw_subset(dataset(), 7)
    assert np.bincount(labels[small]).tolist() == [4, 4, 4] and np.bincount(labels[large]).tolist() == [7, 7, 7]
    assert set(small) < set(large) and (np.diff(large) > 0).all()
    np.testing.assert_array_equal(latent_bank.draw_subset(dataset(), 99), np.arange(30))
    np.testing.assert_array_equal(latent_bank.draw_subset(dataset(), 4), small)
    assert not np.array_equal(latent_bank.draw_subset(dataset(), 4, seed=1), small)


def test_bank_records_the_image_of_each_latent():
    def encode(images):
        assert images.dtype == np.float32 and len(images) <= 5
        return images[..., :1] * 2

    bank = latent_bank.build_bank(encode, [dataset(), dataset(9, "holdout")], (4, 2), batch_size=5)
    assert len(bank) == 3 * 4 + 3 * 2 and bank.latents.dtype == np.float16 and bank.latents.shape[1:] == (2, 2, 1)
    for row in range(len(bank)):
        image = bank.describe(row)
        k = image["id"] - 1000
        assert image == {
            "row": row,
            "class": "abc"[k % 3],
            "split": "train" if row < 12 else "holdout",
            "id": k + 1000,
        }
        np.testing.assert_allclose(bank.latents[row], 2 * (k / 127.5 - 1), atol=2**-10)
        assert row in bank.rows(image["class"])
    json.dumps(bank.describe(0))
    with pytest.raises(InputError, match="a, b, c. Received: d"):
        bank.rows("d")


def test_bank_is_unchanged_by_a_release(tmp_path):
    bank = latent_bank.build_bank(lambda images: images, [dataset()], (2,))
    release.write(tmp_path, {}, WEIGHTS, bank.arrays())
    again = LatentBank.from_arrays(release.read(tmp_path)[2])
    for name, array in bank.arrays().items():
        np.testing.assert_array_equal(getattr(again, name), array)
        assert getattr(again, name).dtype == array.dtype


# acai/inference.py


@pytest.fixture(scope="module")
def acai():
    from acai.model import paper_acai

    return paper_acai(depth=2, critic_depth=3, latent_channels=2, ema_rate=0.9)


SIZES = dict(width=32, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=3)


def test_released_networks_are_averaged(acai):
    from acai.inference import ReleasedACAI

    random = np.random.default_rng(0)
    for variable in acai.variables:  # trained and averaged weights differ from here on
        if variable.dtype == "float32":
            variable.assign(random.normal(scale=0.3, size=variable.shape))
    weights = {name: np.asarray(value) for name, value in acai.release_state().items()}
    released = ReleasedACAI(SIZES, weights, "here", batch_size=3)
    images = random.uniform(-1, 1, (7, 32, 32, 3)).astype(np.float32)
    latents = random.normal(size=(7, 4, 4, 2)).astype(np.float16)
    close = dict(rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(released.encode(images), acai.released.encoder(images), **close)
    np.testing.assert_allclose(
        released.decode(latents), acai.released.decoder(latents.astype(np.float32)), **close
    )
    np.testing.assert_allclose(released.predict_mix(images), acai.adversaries[0].network(images), **close)
    assert not np.allclose(released.encode(images), acai.encoder(images), atol=1e-2)
    assert released.predict_mix(images).shape == (7,)


def test_weights_of_another_architecture_are_refused(acai):
    from acai.inference import ReleasedACAI

    weights = {name: np.asarray(value) for name, value in acai.release_state().items()}
    for changes in (dict(depth=3), dict(latent_channels=3), dict(critic_depth=2), dict(width=64)):
        with pytest.raises(InputError, match="Weights must fit the configured architecture.*Received: here with"):
            ReleasedACAI(SIZES | changes, weights, "here")
    short = {name: value for name, value in weights.items() if not name.startswith("critic/linear_then_conv2d_0/")}
    with pytest.raises(InputError, match="nothing"):
        ReleasedACAI(SIZES, short, "here")


def test_release_without_a_critic_can_be_used(acai):
    from acai.inference import ReleasedACAI

    weights = {name: np.asarray(value) for name, value in acai.release_state().items()}
    fewer = {name: value for name, value in weights.items() if not name.startswith("critic/")}
    released = ReleasedACAI(SIZES, fewer, "here")
    assert released.critic is None and released.encode(np.zeros((2, 32, 32, 3))).shape == (2, 4, 4, 2)


def test_release_of_another_family_needs_no_bank(tmp_path):
    """Of another family's it is refused before its files are, and its family is told."""
    release.write(tmp_path, {"family": "classifier"}, WEIGHTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "weights.npz"]
    config, weights, bank, _ = release.read(tmp_path, "classifier")
    assert release.family(tmp_path) == config["family"] == "classifier"
    assert weights.keys() == WEIGHTS.keys() and bank == {}
    with pytest.raises(InputError, match="must be of the family acai. Received: .* of the family classifier"):
        release.read(tmp_path)

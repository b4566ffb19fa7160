"""training/export/onnx_files.py: onnxruntime computes with the files what Keras computes with the release."""

import numpy as np
import pytest

from common import release
from common.errors import InputError
from common.files import unpack
from common.images import to_uint8
from common.variables import weights_by_name
from training.export import __main__ as command
from training.export import onnx_files

TOLERANCE = 2e-3  # as in tests/commands/test_pretrained.py
SIZES = dict(width=8, colours=1, latent_width=2, latent_channels=2, depth=2, critic_depth=2)


@pytest.fixture
def installed():
    """Skips a test where the packages of the extra are absent."""
    for name in onnx_files.PACKAGES:
        pytest.importorskip(name, reason=f"needs {name} of the onnx extra: pip install -e .[onnx]")


def stored(name):
    """(bank, golden outputs) of a bundled model."""
    folder = release.BUNDLED / name
    bank = release.read(folder, release.family(folder))[2]
    return bank, unpack((folder / "golden.npz").read_bytes(), "golden.npz")


def assert_same_pictures(images, golden):
    assert np.abs(to_uint8(images).astype(int) - golden).max() <= 1


@pytest.mark.usefixtures("installed")
def test_bundled_autoencoder(tmp_path):
    paths = onnx_files.export("pegasus", tmp_path)
    assert [path.removeprefix(f"{tmp_path}/") for path in paths] == ["decoder.onnx", "encoder.onnx"]
    bank, golden = stored("pegasus")
    images = onnx_files.run(paths[0], {"latents": np.float32(bank["latents"][:8])})["images"]
    assert_same_pictures(images, golden["decoded"])
    latents = onnx_files.run(paths[1], {"images": images})["latents"]
    np.testing.assert_allclose(latents, golden["encoded"], TOLERANCE, TOLERANCE)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["cgan", "dcgan"])
def test_bundled_generator(tmp_path, name):
    from gan.inference import ReleasedGAN

    (path,) = onnx_files.export(name, tmp_path)
    inputs = {"noise": ReleasedGAN.load(name).draw_noise(0, 8)}
    if name == "cgan":
        inputs["class_weights"] = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1, 2, 3]]
    assert_same_pictures(onnx_files.run(path, inputs)["images"], stored(name)[1]["sampled"])


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["classifier", "wing_classifier"])
def test_bundled_classifier(tmp_path, name):
    from training.classifier import noise_pictures

    (path,) = onnx_files.export(name, tmp_path)
    outputs = onnx_files.run(path, {"images": noise_pictures(32).astype(np.float32)})
    golden = stored(name)[1]
    assert outputs.keys() == golden.keys() == {"probabilities", "features"}
    for key, array in golden.items():
        np.testing.assert_allclose(outputs[key], array, TOLERANCE, TOLERANCE, err_msg=key)


def write_release(folder, kind):
    """Writes the release of an untrained autoencoder with a bottleneck of that kind; returns the autoencoder."""
    from acai.autoencoder import Autoencoder

    config = SIZES | {"bottleneck": kind, "bottleneck_strength": 0.5, "codebook_size": 5}
    autoencoder = Autoencoder.from_config(config)
    weights = {}
    for name, network in autoencoder.networks.items():
        weights |= weights_by_name(name, network)
    for variable in weights.values():
        variable.assign(np.float16(variable))  # as a release stores them
    latents = np.random.default_rng(0).normal(size=(9, 2, 2, 2)).astype(np.float32)
    release.write(folder, {"family": "acai", "model": config}, weights, {"latents": latents})
    return autoencoder


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", ["plain", "vae", "vqvae", "projected_vqvae"])
def test_every_number_of_rows_and_what_a_bottleneck_does(tmp_path, kind):
    autoencoder = write_release(tmp_path / "release", kind)
    decoder, encoder = onnx_files.export(tmp_path, tmp_path)
    import onnxruntime

    session = onnxruntime.InferenceSession(decoder)
    values = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
    assert values == {"latents": ["N", 2, 2, 2], "images": ["N", 8, 8, 1]}
    random = np.random.default_rng(1)
    for rows in (1, 5):
        latents = random.normal(size=(rows, 2, 2, 2)).astype(np.float32)
        images = random.uniform(-1, 1, (rows, 8, 8, 1)).astype(np.float32)
        decoded, encoded = (
            onnx_files.run(decoder, {"latents": latents}),
            onnx_files.run(encoder, {"images": images}),
        )
        np.testing.assert_allclose(decoded["images"], autoencoder.decode(latents), 1e-4, 1e-5)
        np.testing.assert_allclose(encoded["latents"], autoencoder.encode(images), 1e-4, 1e-5)


@pytest.mark.usefixtures("installed")
def test_a_file_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    write_release(tmp_path / "release", "plain")
    golden = onnx_files.golden_outputs

    def others(folder):
        outputs = golden(folder)
        return outputs | {"encoded": outputs["encoded"] + 0.1}

    monkeypatch.setattr(onnx_files, "golden_outputs", others)
    with pytest.raises(
        RuntimeError, match="encoder.onnx: the output latents differs from the golden output encoded"
    ):
        onnx_files.export(tmp_path, tmp_path)
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["decoder.onnx"]


def test_agreement_is_within_a_grey_level_or_a_tolerance():
    golden = np.array([0, 100, 255], np.uint8)
    levels = (golden + np.array([1, -1, 0])) / 127.5 - 1
    assert onnx_files.agree(levels, golden)
    assert not onnx_files.agree(levels + 1 / 127.5, golden)
    assert onnx_files.agree(np.array([1.001]), np.array([1.0]))
    assert not onnx_files.agree(np.array([1.01]), np.array([1.0]))
    assert not onnx_files.agree(np.array([np.nan]), np.array([1.0]))


def test_absent_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_files, "PACKAGES", ("numpy", "no_such_package"))
    with pytest.raises(InputError, match="The packages numpy, .* Received: no no_such_package; pip"):
        command.main(["--onnx", "pegasus", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [["--onnx"], ["--onnx", "pegasus"], ["--onnx", "pegasus", "a", "b"]])
def test_a_wrong_number_of_arguments_is_refused(words):
    with pytest.raises(InputError, match=f"Received: {len(words) - 1} arguments"):
        command.main(words)


@pytest.mark.parametrize("words", [["pegasus"], ["--onnx", "pegasus"]])
def test_a_folder_that_cannot_be_made_is_refused(words, monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_files, "check_packages", lambda: None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="The folder must be a folder that can be written to. Received"):
        command.main([*words, str(tmp_path / "file" / "x")])


def test_an_unknown_source_is_refused_before_a_folder_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_files, "PACKAGES", ())
    with pytest.raises(InputError, match="The first argument must be a run directory or a bundled model"):
        command.main(["--onnx", "no_such_model", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()

"""What TensorBoard shows beside scalars and pictures: hyperparameters, histograms, the projector."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray

from training import callbacks
from training.projector import ProjectorWriter
from training.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory(str(tmp_path / "run"), {})


def read_values(run):
    """All summaries of a run's event file, with their steps."""
    loader = EventFileLoader(next(str(path) for path in Path(run.path).glob("events*")))
    return [(event.step, value) for event in loader.Load() for value in event.summary.value]


def test_the_projector_shows_each_latent_with_its_picture_and_class(tmp_path):
    latents = np.random.default_rng(0).normal(size=(7, 5))
    pictures = np.stack([np.full((4, 6, 3), 30 * k, np.uint8) for k in range(7)])
    names = ["bird", "horse"] * 3 + ["bird"]
    writer = ProjectorWriter(SimpleNamespace(path=str(tmp_path)), lambda: (latents, pictures, names), 0)
    for step in (5, 10):  # the second in place of the first
        writer.on_interval(step)
    config = projector.ProjectorConfig()
    text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), config)
    (embedding,) = config.embeddings
    np.testing.assert_allclose(np.loadtxt(tmp_path / embedding.tensor_path), latents, rtol=1e-4)
    assert (tmp_path / embedding.metadata_path).read_text().splitlines() == names
    sprite = np.asarray(Image.open(tmp_path / embedding.sprite.image_path))
    width, height = embedding.sprite.single_image_dim
    assert (width, height) == (6, 4) and sprite.shape == (
        3 * 4,
        3 * 6,
        3,
    )  # TensorBoard expects a square of pictures
    for k in range(7):
        row, column = divmod(k, 3)
        assert (sprite[4 * row : 4 * row + 4, 6 * column : 6 * column + 6] == 30 * k).all()


def test_hyperparameters_are_written_for_the_table_of_runs(run):
    callbacks.ScalarWriter(run, 64, {"model.depth": 16, "train.flip": True, "data.classes": ["a", "b"]}).close()
    plugins = [value.metadata.plugin_data for _, value in read_values(run)]
    protos = [data.content for data in plugins if data.plugin_name == "hparams"]
    (start,) = [plugin_data_pb2.HParamsPluginData.FromString(proto).session_start_info for proto in protos]
    assert start.hparams["model.depth"].number_value == 16 and start.hparams["train.flip"].bool_value
    assert start.hparams["data.classes"].string_value == "['a', 'b']" and start.group_name == run.path


def test_histograms_hold_what_was_measured(run):
    writer = callbacks.ScalarWriter(run, 10)
    callbacks.HistogramWriter(writer, lambda: {"norms": [1.0, 1.0, 3.0]}, 5).on_interval(20)
    writer.close()
    (buckets,) = [make_ndarray(v.tensor) for step, v in read_values(run) if (v.tag, step) == ("norms", 200)]
    assert buckets[:, 2].sum() == 3 and (buckets[0, 0], buckets[-1, 1], buckets[0, 2]) == (1, 3, 2)

"""The suite "viewers": where its pictures come from, and a round and its tally through the real command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from common.data import datasets
from common.errors import InputError
from evaluation.inputs import EvaluationConfig, Inputs, Release
from evaluation.suites import viewers
from pictures.manifest import find_bundled
from tests.support.generated_pictures import GeneratedPictures, tiny_acai, write_tiny_acai
from tests.support.viewer_rounds import photographs, read_key, shown_pictures, write_answers

ROOT = Path(__file__).resolve().parents[3]
RUNS = {
    "blend": "--blend --source=run --count=5 --scale=1",
    "j": "--interpolate --layout=j --source=run --strip=3",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pictures of generate.py in the folders of RUNS."""
    folder = tmp_path_factory.mktemp("viewers")
    write_tiny_acai(folder / "run" / "release", tiny_acai())
    return GeneratedPictures(folder, RUNS)


def test_pictures_of_a_manifest_are_decoded_again(made):
    expected = [np.asarray(Image.open(made.path / "blend" / f"blend-{k:03d}.png")) for k in range(5)]
    for path in (made.path / "blend" / "manifest.json", made.path / "blend"):
        pictures = viewers.load_pictures(path, str(made.path / "run"))
        np.testing.assert_array_equal(pictures, expected)


def test_pictures_in_a_folder_are_read_by_name(tmp_path):
    for name, grey in (("b.png", 7), ("a.png", 200), (".c.png", 3)):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(tmp_path / name)
    pictures = viewers.load_pictures(tmp_path, "pegasus")
    assert pictures.shape == (2, 32, 32, 3) and pictures[:, 0, 0, 0].tolist() == [200, 7]


def test_what_is_no_picture_is_refused(made, tmp_path):
    source = str(made.path / "run")
    with pytest.raises(InputError, match="strips or diagrams"):
        viewers.load_pictures(made.path / "j", source)
    with pytest.raises(InputError, match="empty"):
        viewers.load_pictures(tmp_path, source)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.png"):
        viewers.load_pictures(tmp_path, source)
    with pytest.raises(InputError, match="weights must be those of the manifest"):
        viewers.load_pictures(made.path / "blend", "acai_small")


def test_a_round_is_described(tmp_path):
    section = viewers.evaluate(str(tmp_path), shown_pictures(), photographs(), {"source": "pegasus"})
    assert all(os.path.isfile(row["file"]) for row in section.table) and len(section.table) == 4
    assert section.text.startswith("Shown are 64 of picture, 12 of real horse, 12 of real bird, 12 of cross-fade.")
    assert read_key(tmp_path)["facts"] == {"source": "pegasus", "seed": 0}


def test_the_photographs_among_the_pictures_are_test_images():
    config = EvaluationConfig("cat", "dog", pictures="a folder", out="out", seed=3, data_dir="data")
    release = SimpleNamespace(source="a run", digest="0123")
    with (
        mock.patch.object(viewers, "load_pictures", autospec=True) as load_pictures,
        mock.patch.object(datasets, "load_cifar10", lambda *arguments: arguments),
        mock.patch.object(viewers, "evaluate", autospec=True) as evaluate,
    ):
        viewers.run(Inputs(release, {}, config))
    load_pictures.assert_called_once_with("a folder", "a run")
    loaded = "data", "test", ("horse", "bird")
    facts = {"source": "a run", "weights": "0123", "pictures": "a folder"}
    evaluate.assert_called_once_with("out", load_pictures.return_value, loaded, facts, 3)


def evaluate(*arguments):
    command = [sys.executable, ROOT / "evaluate.py", "--suite=viewers", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_answers_are_tallied_by_the_command(tmp_path):
    folder = tmp_path / "round"
    folder.mkdir()
    viewers.evaluate(str(folder), shown_pictures(), photographs(), {"source": "the model"})
    path = write_answers(folder, tmp_path / "a.json", lambda e: "pegasus" if e["kind"] == "picture" else "a horse")
    printed = evaluate(f"--out={folder}", f"--answers={path}")
    assert "Named by 1 viewer: people" in printed and "winged_horse_64" in printed and "By picture" not in printed
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["facts"]["source"] == "the model"
    figures = metrics["sections"]["Named by 1 viewer: people"]["figures"]
    assert figures["winged_horse_64"]["value"] == 1 and figures["decoys_winged_horse_36"]["value"] == 0
    assert len(metrics["sections"]["By picture"]["table"]) == 100
    report = (folder / "report.html").read_text()
    assert "Sheet 4" in report and "vision-language" not in report
    assert printed.splitlines()[-2:] == [f"{folder}/metrics.json", f"{folder}/report.html"]


@pytest.mark.slow
@pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="needs the real CIFAR-10")
def test_viewers_are_asked_about_the_bundled_pictures(tmp_path):
    printed = evaluate(f"--out={tmp_path}")
    assert str(tmp_path / "ask" / "page.html") in printed
    key, bundled = read_key(tmp_path), json.loads(Path(find_bundled("pegasus")).read_text())["pictures"]
    assert [entry["kind"] for entry in key["pictures"]].count("picture") == len(bundled)
    assert key["facts"]["source"] == "pegasus" and key["facts"]["pictures"] == "bundled"


def test_a_model_without_bundled_pictures_is_refused(made):
    source = str(made.path / "run")
    inputs = Inputs(Release.read(source), {}, EvaluationConfig("horse", "bird", None))
    with pytest.raises(InputError, match="--pictures must be given"):
        viewers.run(inputs)

"""The notebook: it is what its Markdown source makes, and each cell prints what it says."""

import re
import shutil
from pathlib import Path

import pytest

from common.data import datasets
from common.errors import InputError

jupytext = pytest.importorskip("jupytext", reason="needs the test extra")
nbformat = pytest.importorskip("nbformat", reason="needs the test extra")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "pegasus.ipynb"
SMALL = "KIMG, MINUTES = 3, 0.01"  # in place of the notebook's own
CELL_TIMEOUT = 900  # seconds


def contents(notebook):
    """What two equal notebooks have in common: cells but for their ids and outputs."""
    return [(cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def test_the_notebook_is_what_its_source_makes():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    source = jupytext.read(NOTEBOOK.with_suffix(".md"))
    assert contents(notebook) == contents(source), "run: make notebook"
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_commands_and_files_of_the_notebook_exist():
    text = NOTEBOOK.with_suffix(".md").read_text()
    scripts = set(re.findall(r"!python ([\w.]+\.py)", text))
    assert scripts == {"generate.py", "train.py", "evaluate.py"} and all(
        (ROOT / name).is_file() for name in scripts
    )
    named = {*re.findall(r'Image\("(out/.*?)"\)', text)}
    assert named == {*re.findall(r"# prints: (out/\S+\.png)", text)}


@pytest.mark.slow
def test_each_cell_prints_what_it_says(tmp_path, monkeypatch):
    """Executes the notebook from beginning to end with a small training, in a copy of the project."""
    nbclient = pytest.importorskip("nbclient", reason="needs the test extra")
    pytest.importorskip("ipykernel", reason="needs the test extra")
    try:
        datasets.check_cifar10(None, download=False)
    except InputError as error:
        pytest.skip(f"needs CIFAR-10: {error}")
    project = tmp_path / "project"
    skipped = shutil.ignore_patterns(".*", "runs", "out", "tests", "__pycache__", "docs")
    shutil.copytree(ROOT, project, ignore=skipped)
    monkeypatch.setenv("PYTHONPATH", str(project))
    notebook = nbformat.read(project / "notebooks" / NOTEBOOK.name, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(SMALL))
    nbclient.NotebookClient(
        notebook, timeout=CELL_TIMEOUT, resources={"metadata": {"path": project / "notebooks"}}
    ).execute()
    checked = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            printed = "".join(text_of(output) for output in cell.outputs)
            for words in re.findall(r"# prints: (.*)", cell.source):
                assert words.lower() in printed.lower(), f"{cell.source}\n\n{printed}"
                checked += 1
            if "Image(" in cell.source and "import" not in cell.source:
                assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
            assert "error:" not in printed and "Traceback" not in printed, printed
    assert checked >= 9


def text_of(output):
    """The text of a cell's output, of a stream or of a result."""
    data = output.get("data", {})
    return output.get("text", "") + data.get("text/plain", "") + data.get("text/html", "")

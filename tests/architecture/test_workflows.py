"""GitHub's schemas fit the files in .github/, which run only what a reader can run; pages have no dead links."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gpu_check import runner

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SCHEMAS = {"workflows": "vendor.github-workflows", "ISSUE_TEMPLATE": "vendor.github-issue-forms"}


def run_lines(text):
    """All lines of the `run:` steps of a workflow."""
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    return [line.strip() for step in steps for line in step.get("run", "").splitlines() if line.strip()]


@pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None, reason="needs check-jsonschema of the dev extra"
)
@pytest.mark.parametrize("folder", SCHEMAS)
def test_files_fit_their_schema(folder):
    paths = sorted((ROOT / ".github" / folder).glob("*.yml"))
    assert paths
    command = [sys.executable, "-m", "check_jsonschema", f"--builtin-schema={SCHEMAS[folder]}", *paths]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_make_targets_and_programs_of_ci(path):
    lines = run_lines(path.read_text())
    assert lines
    makefile = (ROOT / "Makefile").read_text()
    for line in lines:
        if target := re.fullmatch(r"make ([\w-]+)", line):
            assert re.search(rf"^{target[1]}:", makefile, flags=re.MULTILINE), line
        else:
            assert re.fullmatch(r"\.ci/\w+", line), line
            assert (ROOT / line).stat().st_mode & 0o111, f"{line} is not executable"


def test_run_lines_are_found_in_every_job():
    block = "jobs:\n  a:\n    steps:\n    - run: |\n        x\n\n        make y\n"
    assert run_lines(block + "  b: {steps: [{uses: u}, {run: z}]}") == ["x", "make y", "z"]


def test_the_oldest_python_of_the_workflow_is_the_oldest_that_the_project_allows():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    versions = workflow["jobs"]["tests"]["strategy"]["matrix"]["python-version"]
    assert f'requires-python = ">={versions[0]}"' in (ROOT / "pyproject.toml").read_text()
    assert versions == ["3.11", "3.12", "3.13"]


def test_issue_template_asks_for_what_check_gpu_prints_and_writes():
    text = (ROOT / ".github/ISSUE_TEMPLATE/gpu.yml").read_text()
    assert runner.format_table([]).startswith("| check | result |") and "`| check | result |`" in text
    report = "out/gpu_check.json"
    assert report in text and f'"report", "{report}"' in (ROOT / "gpu_check/__main__.py").read_text()


def test_pages_lead_only_to_files_and_headings_that_are_published(tmp_path):
    (tmp_path / "explore.html").write_text("written by generate.py")
    subprocess.run([sys.executable, ".ci/pages.py", tmp_path], cwd=ROOT, check=True)
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    names = {str(path.relative_to(tmp_path)) for path in pages}
    assert names >= {"index.html", "docs/gallery.html", "pegasus/labels/README.html"}
    for path, text in pages.items():
        for name, heading in re.findall(r'(?:href|src)="([^":#]*)#?([^":]*)"', text):
            linked = (path.parent / name).resolve() if name else path
            assert linked.is_file(), f"{path} leads to {name}"
            assert not heading or f'id="{heading}"' in pages[linked], f"{path} leads to {name}#{heading}"
    gallery = pages[tmp_path / "docs/gallery.html"]
    assert "<title>Gallery</title>" in gallery and "<table>" in gallery and "```" not in gallery
    assert (tmp_path / "docs/pegasus.png").read_bytes() == (ROOT / "docs/pegasus.png").read_bytes()
    assert (tmp_path / "explore.html").read_text() == "written by generate.py"

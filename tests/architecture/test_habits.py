"""What contributors meet: pre-commit hooks, CONTRIBUTING.md, the template for problems."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]


def installed_versions():
    """{package: version} of constraints.txt, without those that the dev extra does not name."""
    dev = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
    pinned = re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    return {name: version for name, version in pinned if name in {re.split("[>=<[]", need)[0] for need in dev}}


def test_hooks_have_the_versions_that_make_test_installs():
    hooks = {repository["repo"].rpartition("/")[2]: repository["rev"] for repository in HOOKS}
    versions = installed_versions()
    assert hooks == {"ruff-pre-commit": f"v{versions['ruff']}", "nbstripout": versions["nbstripout"]}


def test_hooks_are_those_of_their_repositories():
    assert {hook["id"] for repository in HOOKS for hook in repository["hooks"]} == {
        "ruff-check",
        "ruff-format",
        "nbstripout",
    }


@pytest.mark.skipif(
    importlib.util.find_spec("nbstripout") is None, reason="needs nbstripout of the dev extra: make test"
)
def test_the_hook_of_notebooks_changes_none_of_ours_and_finds_outputs(tmp_path):
    (hook,) = HOOKS[1]["hooks"]
    command = [sys.executable, "-m", "nbstripout", "--verify", *hook["args"]]
    notebook = ROOT / "notebooks/pegasus.ipynb"
    assert subprocess.run([*command, notebook]).returncode == 0
    executed = notebook.read_text().replace('"execution_count": null', '"execution_count": 1', 1)
    (tmp_path / "executed.ipynb").write_text(executed)
    assert subprocess.run([*command, tmp_path / "executed.ipynb"]).returncode == 1


def test_contributing_is_one_page():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60


def test_the_template_asks_for_the_manifest_and_for_doctor():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/problem.yml").read_text())
    fields = {field["id"]: field for field in form["body"]}
    assert fields["doctor"]["validations"] == {"required": True}
    assert "`make doctor`" in fields["doctor"]["attributes"]["description"]
    assert "`manifest.json`" in fields["manifest"]["attributes"]["description"]

"""What contributors meet: pre-commit hooks."""

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

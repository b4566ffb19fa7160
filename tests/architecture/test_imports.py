"""Who may import whom, and that importing costs nothing and changes nothing."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = {"absl", "ml_collections"}  # the models take plain arguments
ENTRY_POINTS = {"train", "generate", "evaluate", "training", "evaluation"}
FAMILIES = {"acai", "gan", "classifiers"}
FORBIDDEN = {"common": FAMILIES | {"configs"} | ENTRY_POINTS}
FORBIDDEN |= {f: FAMILIES - {f} | {"configs"} | CONFIGURATION | ENTRY_POINTS for f in sorted(FAMILIES)}


def imported(source, package):
    """Top-level names that a source file imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(package if node.level else node.module.partition(".")[0])
    return names


def test_imported_sees_every_form():
    source = "import a.b, c as d\nfrom e.f import g\ndef late():\n    import h\n    from . import i\n"
    assert imported(source, "own") == {"a", "c", "e", "h", "own"}


@pytest.mark.parametrize("package", FORBIDDEN)  # in a fixed order: parallel processes collect the same tests
def test_import_rule(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files or package == "gan"
    for file in files:
        wrong = imported(file.read_text(), package) & FORBIDDEN[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_no_catch_all_modules_and_no_standard_names():
    for package in (*FORBIDDEN, "configs"):
        for file in (ROOT / package).rglob("*.py"):
            assert file.stem not in {"utils", "util", "helpers", "helper", "misc"}, file
            assert file.stem not in sys.stdlib_module_names, f"{file} is named after a standard module"


def test_light_modules_stay_light():
    """Entry points check flags, paths and pictures with these before TensorFlow is imported."""
    program = """
import json, os, sys
before = dict(os.environ)
import common.cli, common.data.datasets, common.images, pictures.latents
heavy = {"tensorflow", "keras", "tensorflow_datasets", "matplotlib"} & set(sys.modules)
print(json.dumps([sorted(heavy), dict(os.environ) == before]))
"""
    # Without inherited PYTHON* settings, so that what a user runs is what is tested.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout) == [[], True]  # nothing heavy, environment untouched

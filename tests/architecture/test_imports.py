"""Models take plain arguments, and importing light modules is quick and has no side effects."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = {"absl", "ml_collections"}


def imported_names(source):
    """Returns the top-level names that Python source imports, at module level or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_imported_names_finds_every_form():
    source = "import a.b, c as d\nfrom e.f import g\ndef late():\n    import h\n"
    assert imported_names(source) == {"a", "c", "e", "h"}


@pytest.mark.parametrize("package", ["acai", "gan", "classifiers"])
def test_models_do_not_import_configuration_libraries(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        wrong = imported_names(file.read_text()) & CONFIGURATION
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_light_modules_import_nothing_heavy_and_leave_the_environment_unchanged():
    """Entry points check flags, paths and pictures with these modules before TensorFlow is imported."""
    program = """
import json, os, sys
before = dict(os.environ)
import common.cli, common.data.datasets, common.images, pictures.latents
heavy = {"tensorflow", "keras", "tensorflow_datasets", "matplotlib"} & set(sys.modules)
print(json.dumps([sorted(heavy), dict(os.environ) == before]))
"""
    # Without inherited PYTHON* settings, as users run it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout) == [[], True]

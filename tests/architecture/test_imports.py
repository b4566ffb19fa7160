"""Importing light modules is quick and has no side effects."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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

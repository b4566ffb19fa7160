"""docs/api.md is what the docstrings say, and describes all that can be called of what it names."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/api.md"
SECTIONS = re.split("^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


def test_document_is_up_to_date():
    pytest.importorskip("griffe2md", reason="needs griffe2md of the dev extra")
    result = subprocess.run([sys.executable, ".ci/api.py"], cwd=ROOT, capture_output=True, check=True)
    assert result.stdout.decode() == DOCUMENT.read_text(encoding="utf-8"), "make api writes docs/api.md anew"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.split("`")[1])
def test_each_section_describes_a_function_or_a_class_with_its_methods(section):
    module, _, name = section.split("`")[1].rpartition(".")
    item = getattr(importlib.import_module(module), name)
    if inspect.isclass(item):
        methods = {name for name in vars(item) if not name.startswith("_")} - {"family"}
        methods |= {"load"} | {name for name in ("__call__",) if name in vars(item)}
        assert {*re.findall("^### `(.*)`$", section, flags=re.MULTILINE)} == methods
        assert ">>> " in section
    else:
        assert f"{name}{inspect.signature(item)}\n" in section

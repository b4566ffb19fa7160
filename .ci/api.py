"""Writes what a library user needs as Markdown, from the docstrings: python .ci/api.py [docs/api.md]"""

import re
import sys
from pathlib import Path

import griffe
import griffe2md

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = {
    "acai.inference": ["ReleasedACAI"],
    "gan.inference": ["ReleasedGAN"],
    "classifiers.inference": ["ReleasedClassifier", "ReleasedWingClassifier"],
    "common.interpolation": ["lerp", "slerp", "interpolate_path"],
    "common.images": ["read_picture", "to_float", "to_uint8", "grid", "enlarge", "write_png"],
}
INTRODUCTION = """# Use as a library

Written by `make api` from the docstrings. After `make install` or `pip install -e .` these names can be imported
in any folder; [examples](../examples) has four short scripts to copy. None needs a data set.
"""
PARSING = {
    "returns_multiple_items": False,
    "returns_named_value": False,
    "warn_missing_types": False,
    "warn_unknown_params": False,
}
OPTIONS = {
    "show_if_no_docstring": False,
    "show_object_full_path": False,
    "show_root_members_full_path": False,
    "show_bases": False,
    "summary": False,
    "filters": ["!^_(?!_call__)"],
    "inherited_members": ["load"],
    "members_order": "source",
    "line_length": 115,
}


def api():
    """Returns the whole document."""
    parser = griffe.Parser("google")
    loader = griffe.GriffeLoader(search_paths=[ROOT], docstring_parser=parser, docstring_options=PARSING)
    objects = [loader.load(module)[name] for module, names in PUBLIC.items() for name in names]
    parts = [griffe2md.render_object_docs(item, OPTIONS, format_md=True) for item in objects]
    text = "\n".join([INTRODUCTION, *parts])
    text = re.sub(r"<code>\[(\w+)\]\(#[\w.]+\)</code>", r"`\1`", text)  # without links, which lead nowhere here
    text = re.sub(r"\[(\*\*\w+\*\*)\]\(#[\w.]+\)", r"\1", text)
    return text.replace("- – ", "- ")  # of values without a type


if __name__ == "__main__":
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(api(), encoding="utf-8")
    else:
        print(api(), end="")

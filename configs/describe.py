"""Describes configs, their variants and their fields for --help, with the texts of the config files themselves."""

import ast
import importlib
import io
import re
import textwrap
import tokenize
from pathlib import Path

FAMILIES = ("acai", "gan", "classifier")
FIELD = re.compile(r"(?:config\.)?((?:data|model|train)\.\w+)")
WIDTH, INDENT, INDENT_OF_NAMES = 110, 40, " " * 4
MOST_OF_VALUE = 80  # characters of a field's value that are shown


def describe(flag):
    """Describes all variants of the project's configs, and the fields of the chosen one, for --help.

    Args:
        flag: --config, parsed.
    """
    title = f"Fields of {flag.config_filename}, each a flag such as --config.train.seed=1:"
    source = Path(flag.config_filename.partition(":")[0]).read_text(encoding="utf-8")
    return "\n\n".join([describe_variants(), title, describe_fields(flag.value, source)])


def describe_variants():
    """Lists the variants of each config with the first paragraphs of their docstrings."""
    lines = ["Configs and their variants, as in --config=configs/acai.py:pegasus:"]
    for family in FAMILIES:
        lines += ["", f"  configs/{family}.py"]
        texts = {}
        for name, function in importlib.import_module(f"configs.{family}").VARIANTS.items():
            texts.setdefault(first_paragraph(function), []).append(name)
        for text, names in texts.items():
            lines += format_row(", ".join(names), text)
    return "\n".join(lines)


def describe_fields(config, source):
    """Lists the fields of a config by section with their values and the comments in the source of its file."""
    comments = read_comments(source)
    sections = []
    for section in ("data", "model", "train"):
        lines = [f"  {section}"]
        for field, value in config[section].items():
            name = f"{section}.{field}"
            shown = textwrap.shorten(repr(value), MOST_OF_VALUE, placeholder=" ...")
            lines += format_row(f"{name} = {shown}", comments.get(name, ""))
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def read_comments(source):
    """Reads what a config file says about fields.

    Args:
        source: Python code in which fields are assigned, as in `data.flip = True  # mirror half of the images`.

    Returns:
        {"section.field": comment} of the first assignment with a comment behind it or in the lines above it.
    """
    trailing, above = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, text = token.start[0], token.string.lstrip("# ")
            if token.line.lstrip().startswith("#"):
                above[row] = " ".join([above.get(row - 1, ""), text]).strip()
            else:
                trailing[row] = text
    comments = {}
    assignments = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    for node in sorted(assignments, key=lambda node: node.lineno):
        comment = trailing.get(node.end_lineno) or above.get(node.lineno - 1)
        targets = [t for target in node.targets for t in getattr(target, "elts", [target])]
        for match in (FIELD.fullmatch(ast.unparse(target)) for target in targets):
            if match and comment:
                comments.setdefault(match[1], comment)
    return comments


def first_paragraph(function):
    """Returns the first paragraph of a docstring as one line."""
    return " ".join(function.__doc__.split("\n\n")[0].split())


def format_row(name, text):
    """Returns lines with a name on the left and a text on the right, below it if the name is long."""
    names = textwrap.wrap(name, WIDTH, initial_indent=INDENT_OF_NAMES, subsequent_indent=INDENT_OF_NAMES)
    lines = textwrap.wrap(text, WIDTH - INDENT, break_on_hyphens=False)
    if lines and len(names[-1]) < INDENT - 1:
        names[-1] = names[-1].ljust(INDENT) + lines.pop(0)
    return [*names, *(" " * INDENT + line for line in lines)]

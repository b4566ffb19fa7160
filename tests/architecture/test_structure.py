"""What keeps the code readable: who may import whom, and how long files, folders and argument lists may be."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = {"common"}
MAY_IMPORT = {  # each package -> packages of this project that it may import beside itself
    "common": set(),
    "acai": BASE,
    "gan": BASE,
    "classifiers": BASE,
    "pegasus": BASE | {"acai", "classifiers"},
    "pictures": BASE | {"acai", "gan", "classifiers", "pegasus"},
    "configs": BASE | {"pegasus", "gan"},
    "evaluation": BASE | {"acai", "gan", "classifiers", "pegasus", "pictures", "configs"},
    "training": BASE | {"acai", "gan", "classifiers", "pegasus", "pictures", "configs", "evaluation"},
    "gpu_check": BASE | {"acai", "gan", "classifiers", "training"},
}
MOST_LINES, MOST_FILES, MOST_PARAMETERS = 300, 20, 12
# What is still above a bound. Shorten these lists; nothing may be added.
LONG_FILES = set()
LONG_ARGUMENT_LISTS = set()


def tracked(pattern):
    """Paths relative to the root of the tracked or new files that match a git pattern."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [Path(name) for name in found if (ROOT / name).is_file()]


def imported_packages(source):
    """Top-level names that Python source imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else node.module.partition(".")[0])
    return names


def argument_lists(source):
    """{name: number of parameters} of the functions and methods in Python source, without self, * and **."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            found[f"{node.name}:{node.lineno}"] = len([name for name in names if name not in ("self", "cls")])
    return found


def wrong_imports(package, source):
    """Packages of this project that source in a package may not import."""
    return imported_packages(source) & ({*MAY_IMPORT, "train", "generate", "evaluate", "tests", "."}) - (
        MAY_IMPORT[package] | {package}
    )


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_import_rule(package):
    files = [path for path in tracked("*.py") if path.parts[0] == package]
    assert files
    for path in files:
        wrong = wrong_imports(package, (ROOT / path).read_text())
        assert not wrong, f"{path} imports {wrong}"


def test_the_import_rule_sees_every_form():
    source = "import acai.b, c as d\nfrom gan.f import g\ndef late():\n    import pegasus\n    from . import i\n"
    assert wrong_imports("common", source) == {"acai", "gan", "pegasus", "."}
    assert wrong_imports("pegasus", "from acai import model\nimport common.files\nimport numpy") == set()


def test_no_import_runs_in_a_circle():
    """Each package may be imported only by packages that it does not import."""
    for package, others in MAY_IMPORT.items():
        assert not [other for other in others if package in MAY_IMPORT[other]]


def test_files_are_short():
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in tracked("*.py")}
    assert {path for path, length in lengths.items() if length > MOST_LINES} == LONG_FILES


def test_folders_hold_few_files():
    folders = [path.parent for path in tracked("*.py")]
    assert not [folder for folder in set(folders) if folders.count(folder) > MOST_FILES]


def test_argument_lists_are_short():
    long = set()
    for path in tracked("*.py"):
        for name, count in argument_lists((ROOT / path).read_text()).items():
            if count > MOST_PARAMETERS:
                long.add(f"{path}:{name.partition(':')[0]}")
    assert long == LONG_ARGUMENT_LISTS
    assert argument_lists("class A:\n    def f(self, a, /, b, *c, d=1, **e): pass") == {"f:2": 3}


def test_no_catch_all_names_and_no_names_of_builtins():
    import builtins
    import sys

    for path in tracked("*.py"):
        if path.parts[0] in MAY_IMPORT:
            assert path.stem not in {"utils", "util", "helpers", "helper", "misc", *dir(builtins)}, path
            assert path.stem not in sys.stdlib_module_names or path.stem == "__init__", path


def test_tests_do_not_import_from_each_other():
    for path in tracked("tests/**/*.py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").rpartition(".")[2].startswith("test_"), path

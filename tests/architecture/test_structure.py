"""Rules for the structure of the code: imports between packages, sizes of files, folders and argument lists."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = {"common"}
MAY_IMPORT = {  # package: packages of this project that it may import besides itself
    "common": set(),
    "acai": BASE,
    "gan": BASE,
    "classifiers": BASE,
    "pegasus": BASE | {"acai", "classifiers"},
    "composites": BASE | {"pegasus"},
    "pictures": BASE | {"acai", "gan", "classifiers", "pegasus"},
    "configs": BASE | {"pegasus", "gan"},
    "evaluation": BASE | {"acai", "gan", "classifiers", "composites", "pegasus", "pictures", "configs"},
    "training": BASE
    | {"acai", "gan", "classifiers", "composites", "pegasus", "pictures", "configs", "evaluation"},
    "gpu_check": BASE | {"acai", "gan", "classifiers", "training"},
}
MODELS = {"acai", "gan", "classifiers"}  # they take plain arguments, so not those of configuration libraries
CONFIGURATION = {"absl", "ml_collections"}
MOST_LINES, MOST_FILES, MOST_PARAMETERS = 300, 20, 12
# Exceptions that remain. Shorten these lists; add nothing.
LONG_FILES = set()
LONG_ARGUMENT_LISTS = set()


def tracked(pattern):
    """Returns the paths, relative to the root, of tracked and new files that match a git pattern."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [Path(name) for name in names if (ROOT / name).is_file()]


def imported_packages(source):
    """Returns the top-level names that Python source imports, at module level or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else node.module.partition(".")[0])
    return names


def count_parameters(source):
    """Returns {"name:line": number of parameters} of all functions, not counting self, cls, * and **."""
    counts = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            counts[f"{node.name}:{node.lineno}"] = len([name for name in names if name not in ("self", "cls")])
    return counts


def find_forbidden_imports(package, source):
    """Returns the packages that Python source of a package imports although it must not."""
    forbidden = {*MAY_IMPORT, "train", "generate", "evaluate", "tests", "."} - (MAY_IMPORT[package] | {package})
    return imported_packages(source) & (forbidden | (CONFIGURATION if package in MODELS else set()))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_allowed_packages(package):
    files = [path for path in tracked("*.py") if path.parts[0] == package]
    assert files
    for path in files:
        wrong = find_forbidden_imports(package, (ROOT / path).read_text())
        assert not wrong, f"{path} imports {wrong}"


def test_forbidden_imports_are_found_in_every_form():
    source = "import acai.b, c as d\nfrom gan.f import g\ndef late():\n    import pegasus\n    from . import i\n"
    assert find_forbidden_imports("common", source) == {"acai", "gan", "pegasus", "."}
    assert find_forbidden_imports("pegasus", "from acai import model\nimport common.files\nimport numpy") == set()
    configured = "import absl.flags\ndef late():\n    from ml_collections import ConfigDict\n"
    assert find_forbidden_imports("gan", configured) == {"absl", "ml_collections"}
    assert find_forbidden_imports("configs", configured) == set()


def test_packages_have_no_circular_imports():
    """No two packages may import each other."""
    for package, others in MAY_IMPORT.items():
        assert not [other for other in others if package in MAY_IMPORT[other]]


def test_files_have_at_most_300_lines():
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in tracked("*.py")}
    assert {path for path, length in lengths.items() if length > MOST_LINES} == LONG_FILES


def test_folders_have_at_most_20_files():
    folders = [path.parent for path in tracked("*.py")]
    assert not [folder for folder in set(folders) if folders.count(folder) > MOST_FILES]


def test_functions_have_at_most_12_parameters():
    long = set()
    for path in tracked("*.py"):
        for name, count in count_parameters((ROOT / path).read_text()).items():
            if count > MOST_PARAMETERS:
                long.add(f"{path}:{name.partition(':')[0]}")
    assert long == LONG_ARGUMENT_LISTS
    assert count_parameters("class A:\n    def f(self, a, /, b, *c, d=1, **e): pass") == {"f:2": 3}


def test_modules_have_no_catch_all_or_builtin_names():
    import builtins
    import sys

    for path in tracked("*.py"):
        if path.parts[0] in MAY_IMPORT:
            assert path.stem not in {"utils", "util", "helpers", "helper", "misc", *dir(builtins)}, path
            assert path.stem not in sys.stdlib_module_names or path.stem == "__init__", path


def test_test_files_do_not_import_each_other():
    for path in tracked("tests/**/*.py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").rpartition(".")[2].startswith("test_"), path

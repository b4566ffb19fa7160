"""The documents name only files, flags, configs and headings that exist, and README stays short."""

import functools
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README_LINES = 170
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md")),
]
DOCUMENTS += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("pretrained/*/CARD.md"))
PROGRAMS = ("train.py", "generate.py", "evaluate.py", "benchmarks/train_step.py", "benchmarks/scale.py")
WORKFLOW_PAGE = re.compile(r"^\.\./\.\./actions/(workflows/\w+\.yml)(/badge\.svg)?$")  # beside README on GitHub
OUTPUTS = ("runs/", "out/", ".venv/")  # folders that commands write
WITHOUT_FLAGS = ("-m evaluation.report.curve", "-m training.export", "-m pytest", "-m venv")


def read(document):
    return (ROOT / document).read_text(encoding="utf-8")


def code_of(text):
    """The code in Markdown: fenced and indented blocks, and spans between backticks, a list of lines."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (?=\S)(.*)", prose, flags=re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [line for block in fenced for line in block.replace("\\\n", " ").splitlines()] + indented + spans


def links_of(text):
    """Targets of links and pictures in Markdown that are not on another host."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def headings_of(text):
    """The anchors that GitHub gives to the headings of a document."""
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def paths_of(text):
    """Words of the code in Markdown that name a file or folder of the project."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    words = [word.strip(",;()") for line in code_of(text) for word in re.split(r"[\s=,]", line.partition("#")[0])]
    paths = {re.sub(r":.*", "", word) for word in words if re.fullmatch(r"[\w./-]+(:\w*)?", word)}
    inside = {path for path in paths if "/" in path and path.partition("/")[0] in folders}
    modules = {path for path in paths if re.fullmatch(r"\w+\.(py|toml)", path)}
    return sorted(path for path in inside | modules if not path.startswith(OUTPUTS))


def commands_of(text):
    """(program, flags) of each Python command in the code of Markdown; a flag is its name without dashes."""
    commands = []
    for line in code_of(text):
        found = re.search(r"python3? (-m [\w.]+|[\w./]+\.py)([^#|&;]*)", line)
        if found and not found[1].startswith(WITHOUT_FLAGS):
            commands.append((found[1], re.findall(r"(?<!\S)--([\w.]+)", found[2])))
    return commands


@functools.cache
def flags_of(program):
    """Names of the flags that a program takes."""
    if program.startswith("-m "):
        module = f"{program.removeprefix('-m ')}.__main__"
    else:
        module = program.removesuffix(".py").replace("/", ".")
    source = f"import json, importlib; importlib.import_module({module!r}); from absl import flags; "
    source += "print(json.dumps(list(flags.FLAGS)))"
    result = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        *json.loads(result.stdout.splitlines()[-1]),
        "flagfile",
        "help",
    }  # of absl and common.cli, defined apart


@functools.cache
def config_fields(family):
    """Names of the fields of configs/FAMILY.py, as "train.seed"."""
    config = importlib.import_module(f"configs.{family}").get_config().to_dict()
    return {f"{section}.{field}" for section in ("data", "model", "train") for field in config[section]}


def test_readme_is_short():
    assert len(read("README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings(document):
    for target in links_of(read(document)):
        name, _, heading = target.partition("#")
        name = WORKFLOW_PAGE.sub(r".github/\1", name)
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), f"{document} links to {target}"
        assert not heading or heading in headings_of(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_paths_exist(document):
    missing = [path for path in paths_of(read(document)) if not (ROOT / path).exists()]
    assert not missing, f"{document} names {missing}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_configs_exist(document):
    for family, variant in re.findall(r"configs/(\w+)\.py:(\w+)", read(document)):
        importlib.import_module(f"configs.{family}").get_config(variant)  # raises for an unknown variant


def test_named_flags_exist():
    for document in DOCUMENTS:
        for program, names in commands_of(read(document)):
            plain = {name for name in names if not name.startswith("config")} - {"help", "helpfull"}
            plain = {name if name in flags_of(program) else re.sub("^no", "", name) for name in plain}
            assert plain <= flags_of(program), f"{document}: {program} has no {plain - flags_of(program)}"


def test_named_config_fields_exist():
    fields = set().union(*(config_fields(family) for family in ("acai", "gan", "classifier")))
    for document in DOCUMENTS:
        for name in re.findall(r"--config\.([a-z]\w*\.\w+)", read(document)):
            assert name in fields, f"{document} sets {name}"


def test_named_make_targets_exist():
    makefile = read("Makefile")
    for document in DOCUMENTS:
        for line in code_of(read(document)):
            for target in re.findall(r"(?:^|&& )make ([a-z][\w-]*)", line):
                assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"{document}: make {target}"


def test_every_program_is_documented():
    assert {program for program, _ in commands_of(read("README.md"))} >= {*PROGRAMS[:3]}
    documented = {program for document in DOCUMENTS for program, _ in commands_of(read(document))}
    assert documented >= {*PROGRAMS}


def test_readers_of_markdown():
    text = "# A `b` c!\n[x](y.md#z) [w](https://h/p)\n```\npython train.py --a=1 --config.b.c # --d\n```\n"
    assert links_of(text) == ["y.md#z"]
    assert headings_of(text) == {"a-b-c"}
    assert commands_of(text) == [("train.py", ["a", "config.b.c"])]
    text = "`train.py:pegasus` and\n\n    python tests/conftest.py --x=runs/y\n"
    assert paths_of(text) == ["tests/conftest.py", "train.py"]

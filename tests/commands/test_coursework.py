"""docs/coursework.md: every command is one that its program accepts, parsed by the program's own flags."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.support.forks import start
from training.metric_descriptions import DESCRIPTIONS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "coursework.md").read_text(encoding="utf-8")
PARSERS = {  # of the program's words: its main function up to the work, in one process
    "generate.py": """
import generate as program
from pictures.request import from_flags, request_class
def parse():
    action, stored, values = program.read_flags()
    folder = release.resolve(values.get("source", program.FLAGS.source))
    if not stored:
        from_flags(request_class(release.family(folder), action, folder), values)
""",
    "evaluate.py": """
import evaluate as program
from evaluation.inputs import Release
def parse():
    source = Release.read(program.FLAGS.source[0])
    model = source.kind, source.data_source, source.class_names
    suites, _ = program.suites.choose_suites(program.FLAGS.suite, source.source, *model)
    program.read_config([suite.name for suite in suites], source)
""",
    "train.py": """
import train as program
from configs.check import check
def parse():
    check(program.FLAGS.config)
    assert program.FLAGS.check or program.FLAGS.workdir.startswith("runs/")
""",
}
PARSE = """
import json, os, sys
from pathlib import Path
from common import cli, release
{parser}
for run in ("quick", "pegasus", "dcgan", "no_critic", "batch_64"):  # what is trained is stood in for
    Path("runs", run).mkdir(parents=True)
    bundled = "dcgan" if run == "dcgan" else "pegasus"
    Path("runs", run, "release").symlink_to(release.BUNDLED / bundled)
for words in json.load(sys.stdin):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, words
        continue
    sys.argv = ["program", *words]  # where --config looks for its fields
    cli.parse_flags(sys.argv, getattr(program, "define_config", None))
    parse()
    os._exit(0)
"""


def commands():
    """The words of each command in the fenced blocks, without comments."""
    blocks = re.findall(r"^```\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("program", PARSERS)
def test_programs_accept_their_commands(tmp_path, program):
    words = [command[2:] for command in commands() if command[:2] == ["python", program]]
    assert len(words) >= 4
    out = tmp_path / "out"
    (out / "search").mkdir(parents=True)
    shown = [word for command in words for word in command if word.startswith("--from_manifest=out/blend/")]
    if shown:
        (out / "blend").mkdir()
        for suffix in ("json", "npz"):
            bundled = ROOT / "pretrained" / "pegasus" / f"pegasus.{suffix}"
            (out / "blend" / f"manifest.{suffix}").symlink_to(bundled)
    result = start(tmp_path, "-c", PARSE.format(parser=PARSERS[program]), input=json.dumps(words))
    assert result.returncode == 0, result.stderr


def test_all_other_commands_are_known():
    """The figures of a curve are metrics that a training logs."""
    for command in commands():
        if command[:3] == ["python", "-m", "evaluation.report.curve"]:
            assert {*command[4].split(",")} <= {*DESCRIPTIONS} and len(command) >= 6
            assert command[3].endswith(".png") and all(run.startswith("runs/") for run in command[5:])
        else:
            known = [["python", name] for name in PARSERS] + [["tensorboard", "--logdir"], ["make", "install"]]
            assert command[:2] in known, command

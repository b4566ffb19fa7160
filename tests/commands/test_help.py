"""--help of generate.py and evaluate.py: every flag in one section, the most used commands first."""

import json

import pytest

from tests.support.forks import ROOT, start

PROGRAMS = {  # {program: (its first command, a line of a flag)}
    "generate": ("python generate.py --blend ", "  --candidates=...        number of blends that a search draws"),
    "evaluate": ("python evaluate.py --suite=search ", "  --suite=...             <gan|blend|"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_shows_commands_and_flags_on_short_lines(tmp_path, program):
    made = start(tmp_path, str(ROOT / f"{program}.py"), "--help")
    assert (made.returncode, made.stderr) == (0, "")
    lines, (command, flag) = made.stdout.splitlines(), PROGRAMS[program]
    assert next(line for line in lines if "python " in line).strip().startswith(command)
    assert any(line.startswith(flag) for line in lines)
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(("program", "module"), [("generate", "pictures.flags"), ("evaluate", "evaluation.flags")])
def test_every_flag_is_in_one_section(tmp_path, program, module):
    source = f"""
import json, {program}, {module}
from absl import flags
defined = [flag.name for flag in flags.FLAGS.flags_by_module_dict()[{module!r}]]
print(json.dumps([defined, list({module}.SECTIONS.values())]))
"""
    made = start(tmp_path, "-c", source)
    assert made.returncode == 0, made.stderr
    defined, sections = json.loads(made.stdout)
    assert sorted(defined) == sorted(name for names in sections for name in names)

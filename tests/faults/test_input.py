"""Damaged releases and hostile pictures through the real commands: one line, status 2, and no file changes.

As in tests/commands/test_generate_errors.py, command lines run in forks of one process, and a stand-in for
TensorFlow ends a command with status 99.
"""

import json

import numpy as np
import pytest
from PIL import Image

from common import files, release
from common.errors import InputError
from pictures.acai_plan import make_plan
from pictures.request import Blend
from tests.support.damaged_releases import BANK, FILES, SIZES, WEIGHTS
from tests.support.forks import FORKS, assert_refusal, files_below, start
from tests.support.hostile_files import READABLE, REFUSED

CONFIG = {"family": "acai", "model": SIZES, "data": {"source": "lines", "classes": []}}
DAMAGES = ("cut", "bit", "empty", "newer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with stand-ins for TensorFlow and Keras, and the release `run`."""
    folder = tmp_path_factory.mktemp("faults")
    for name in ("tensorflow", "keras", "tensorflow_datasets", "matplotlib"):
        (folder / "stand-ins" / name).mkdir(parents=True)
        (folder / "stand-ins" / name / "__init__.py").write_text("import os; os._exit(99)")
    release.write(folder / "run" / "release", CONFIG, WEIGHTS, BANK)
    return folder


def run_commands(folder, program, lines):
    """[(status, stdout, stderr)] of command lines, lists of words."""
    result = start(folder, "-c", FORKS.replace("generate", program), input=json.dumps(lines))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def damage_file(data, name, damage):
    """Damages the bytes of a release's file; None where the file has no format number."""
    if damage == "newer":
        if name == "config.json":
            return None
        return files.pack(files.unpack(data, name) | {"format": np.int64(files.FORMAT + 1)})
    data = bytearray(data)
    if damage == "bit":
        data[0 if name == "config.json" else data.index(b"NUMPY") + 127] ^= 4  # a brace, or an array's first value
    else:
        del data[len(data) // 2 if damage == "cut" else 0 :]
    return bytes(data)


@pytest.fixture(scope="module")
def damages(folder):
    """{(file, damage): the copy of the release that has it}."""
    copies = {}
    for name in FILES:
        for damage in DAMAGES:
            copy = folder / f"{damage}-{name}"
            release.write(copy, CONFIG, WEIGHTS, BANK)
            data = damage_file((copy / name).read_bytes(), name, damage)
            if data is not None:
                (copy / name).write_bytes(data)
                copies[name, damage] = copy
    return copies


@pytest.mark.parametrize("program", ["generate", "evaluate"])
def test_a_damaged_release_is_refused(folder, damages, program):
    flags = ["--blend"] if program == "generate" else []
    lines = [[*flags, f"--source={copy.name}"] for copy in damages.values()]
    before = {path: path.read_bytes() for path in files_below(folder) if path.is_file()}
    *outcomes, whole = run_commands(folder, program, [*lines, [*flags, "--source=run", "--out=pictures"]])
    assert whole[0] == 99, whole
    for ((name, damage), copy), outcome in zip(damages.items(), outcomes, strict=True):
        words = ["format 2", "update this project"] if damage == "newer" else [f"{name} must be undamaged"]
        assert_refusal(outcome, *words, f"Received: {copy.name}/{name}")
    assert {path: path.read_bytes() for path in files_below(folder) if path.is_file()} == before


SLOW = {"bank.npz": pytest.mark.slow}  # like weights.npz, but larger


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in FILES])
def test_a_changed_bit_anywhere_is_noticed_or_changes_nothing(folder, tmp_path, name):
    """One bit of each byte. A changed config may still be valid; weights and latents are equal or refused."""
    release.write(tmp_path, CONFIG, WEIGHTS, BANK)
    whole, random = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    read, refused = release.read(tmp_path), 0
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << random.integers(8)
        (tmp_path / name).write_bytes(data)
        try:
            make_plan(Blend(count=2), tmp_path)
            again = release.read(tmp_path)
        except InputError as error:
            assert " must " in str(error)
            refused += 1
        else:
            for before, after in zip(read[1:3], again[1:3], strict=True):
                assert all(np.array_equal(array, after[key]) for key, array in before.items())
    assert refused > (0.2 if name == "config.json" else 0.7) * len(whole)


def test_a_hostile_picture_is_refused_in_one_line_and_an_unusual_one_is_read(folder):
    """By --first_image and --second_image; the others of hostile_files.py are in test_hostile_pictures.py."""
    Image.new("RGB", (9, 9)).save(folder / "good.png")
    (folder / "hostile.jpg").write_bytes(REFUSED["tiff of damaged lzw"])
    (folder / "unusual.jpg").write_bytes(READABLE["interlaced gif"])
    lines = [["--first_image=hostile.jpg", "--second_image=good.png"]]
    lines += [["--first_image=good.png", "--second_image=unusual.jpg"]]
    refused, read = run_commands(folder, "generate", [["--blend", "--source=run", *words] for words in lines])
    assert_refusal(refused, "hostile.jpg", "A picture must")
    assert len(refused[2]) < 500 and refused[2][:-1].isprintable()
    assert read[0] == 99, read

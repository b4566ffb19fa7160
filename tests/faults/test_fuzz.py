"""Fuzzing of what comes from outside: pictures, manifests, configs, checkpoints. All but InputError is a fault.

A few seconds by default; FUZZ_EXAMPLES=20000 python -m pytest tests/test_fuzz.py takes longer, prints counts.
"""

import atexit
import collections
import functools
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from absl import flags
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import files, release
from common.errors import InputError, one_line
from common.images import read_picture
from configs import acai, classifier, gan
from configs.check import check
from pegasus.manifest import attach
from pictures import acai_recipes, gallery
from tests.support.hostile_files import REFUSED, TAKEN, tiff
from training import checkpoints
from training.run_directory import RunDirectory

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 30))
COUNTS = collections.Counter()
FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "input"
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
if "FUZZ_EXAMPLES" in os.environ:
    atexit.register(lambda: print(f"examples: {sum(COUNTS.values())}, {dict(COUNTS)}"))


@st.composite
def mutated(draw, seeds):
    """Bytes of one of `seeds` with some replaced, cut out, doubled or added."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, min(len(data) - 1, draw(st.sampled_from([40, 400, 10**6]))))))
        end = at + draw(st.integers(0, 16))
        kind = draw(st.sampled_from(["set", "set", "cut", "double", "add", "end"]))
        if kind == "set":
            data[at : at + 1] = draw(st.sampled_from([b"\0", b"\1", b"\x7f", b"\xff"]) | st.binary(max_size=4))
        elif kind == "cut":
            del data[at:end]
        elif kind == "double":
            data[at:at] = data[at:end]
        elif kind == "add":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            del data[at:]
    return bytes(data)


SMALL = [data for data in (*TAKEN.values(), *REFUSED.values(), tiff()) if len(data) < 20_000]


@fuzz
@given(data=mutated(SMALL) | st.binary(max_size=200), channels=st.sampled_from([1, 3]))
def test_pictures(data, channels):
    COUNTS["pictures"] += 1
    PATH.write_bytes(data)
    try:
        picture = read_picture(PATH, 8, channels)
    except InputError as error:
        assert str(error).isprintable()
    else:
        assert picture.shape == (8, 8, channels) and picture.dtype == np.uint8


STATE = {"format": np.int64(1), "step": np.int64(5), "kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}
NAMED = {"names": np.array(["bird", "horse"]), "flags": np.ones(3, bool)}
PACKED = [files.pack(STATE), files.pack(NAMED)]


@fuzz
@given(data=mutated(PACKED) | st.binary(max_size=100))
def test_checkpoints(data):
    COUNTS["checkpoints"] += 1
    try:
        arrays = files.unpack(data, "source")
    except InputError as error:
        assert "format" in str(error)
    except ValueError as error:
        assert str(error).isprintable()
    else:
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        assert sum(array.nbytes for array in arrays.values()) <= 2 * len(data)


RECIPE = dict(action="blend", source="acai", first="horse", second="bird", count=2, mix=0.5, strip=0, path="slerp")
RECIPE |= dict(bandwidth=0.3, seed=0, first_image=None, second_image=None, scale=1, layout="strip", rows=[[0, 1]])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v))
CHANGES = st.fixed_dictionaries({}, optional={name: VALUES for name in RECIPE})
MANIFESTS = CHANGES.map(lambda changes: json.dumps({"recipe": RECIPE | changes}).encode())


SIZES = dict(width=4, colours=3, latent_width=2, latent_channels=3, depth=2, critic_depth=2)
BANK = dict(
    latents=np.random.default_rng(0).normal(size=(4, 2, 2, 3)),
    labels=np.array([0, 1, 0, 1], np.int32),
    ids=np.arange(4),
    splits=np.array(["train"] * 4),
    class_names=np.array(["bird", "horse"]),
)
SHARES = st.lists(st.lists(st.floats(0, 1) | VALUES, min_size=2, max_size=2), min_size=2, max_size=2) | VALUES
MIRRORED = st.sampled_from([[0, 0], [0, 1], [1, 1]]) | VALUES
BLENDS = st.fixed_dictionaries(
    {"mirrored": MIRRORED, "mask": st.sampled_from(["top", "uniform"]) | VALUES, "shares": SHARES}
)
NOTES = st.fixed_dictionaries({}, optional={n: VALUES for n in ("score", "terms", "nearest", "file", "mix")})
PAIRS = {"rows": [[1, 0], [3, 2]]}
WHOLE = [  # manifests that are in order
    PAIRS | {"blends": [{"mirrored": [0, 1], "mask": "top", "shares": [[0.5, 1], [0, 0.25]]}] * 2},
    PAIRS | {"mask": "learned", "strip": 3},
    PAIRS | {"path": "pixel", "strip": 3, "mix": 0.25},
    {"action": "sample", "rows": []},
    {"action": "reconstruct", "rows": [[0], [1]]},
    {"action": "interpolate", "strip": 3, "layout": "j", "rows": [[0, 1, 2], [2, 1, 0]]},
    {"action": "interpolate", "strip": 3, "layout": "mine", "rows": [[0, 1, 2, 3], [2, 1, 0, 3]]},
]
EDITS = {  # and what may be wrong with them
    "rows": st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=2, max_size=2) | VALUES,
    "action": st.sampled_from(["blend", "sample", "reconstruct", "interpolate"]),
    "blends": st.lists(BLENDS, min_size=2, max_size=2) | VALUES,
    "strip": st.integers(0, 5),
    "layout": st.sampled_from(["strip", "j", "mine"]),
    "path": st.sampled_from(["slerp", "lerp", "pixel"]),
    "mask": st.sampled_from(["top", "random", "learned"]),
    "mix": st.floats(0, 1),
    "bandwidth": st.floats(0),
    "seed": st.integers(0, 10**30),
    "refined_digest": VALUES,
}
EDITED = st.lists(st.sampled_from(sorted(EDITS)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: EDITS[name] for name in names})
)


class Plain:
    """In place of acai.inference.ReleasedACAI: without TensorFlow."""

    critic = None

    def __init__(self, *_):
        pass

    def decode(self, latents):
        return np.tanh(np.asarray(latents, np.float32)).repeat(2, 1).repeat(2, 2)

    def encode(self, images):
        return np.asarray(images, np.float32)[:, ::2, ::2]


@fuzz
@given(
    whole=st.sampled_from(WHOLE),
    edited=EDITED,
    pictures=st.none() | st.lists(NOTES, min_size=2, max_size=2) | VALUES,
)
def test_pictures_of_manifests(generate, whole, edited, pictures):
    """Up to an ACAI's pictures: what a manifest says is refused, or pictures and a whole manifest come of it."""
    COUNTS["pictures of manifests"] += 1
    folder = Path(FOLDER.name) / "release"
    if not folder.is_dir():
        release.write(folder, {"model": SIZES}, {"encoder/00_kernel": np.ones(3)}, BANK)
    manifest = {"recipe": RECIPE | {"source": str(folder)} | whole | edited}
    PATH.write_text(json.dumps(manifest if pictures is None else manifest | {"pictures": pictures}))
    generate.FLAGS.unparse_flags()
    for name in (*generate.RECIPE_FLAGS, *generate.ACTIONS):
        generate.FLAGS[name].unparse()
    generate.FLAGS(["generate.py", f"--from_manifest={PATH}"])
    try:
        drawn = generate.read_manifest(str(PATH))
        recipe = generate.recipe_of_flags() | drawn
        source = generate.recipes_of(folder, recipe).load(folder, recipe)
        if "blends" in drawn:
            source = attach(source, recipe, str(PATH))
    except InputError as error:
        assert one_line(error).isprintable()
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "acai.inference", SimpleNamespace(ReleasedACAI=Plain))
        rendered, entries = acai_recipes.render(recipe, source)
    assert len(entries) == recipe["count"] == 2 and all(np.isfinite(array).all() for array in rendered.values())
    json.dumps({"recipe": recipe, "pictures": entries}, allow_nan=False)


@pytest.fixture(scope="module")
def generate():
    """generate.py with flags of its own: another command's have the same names."""
    own, known = flags.FlagValues(), flags.FLAGS
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in dir(flags) if name.startswith("DEFINE_")]:
            patch.setattr(flags, name, functools.partial(getattr(flags, name), flag_values=own))
        patch.setattr(flags, "FLAGS", own)
        patch.delitem(sys.modules, "generate", raising=False)
        module = importlib.import_module("generate")
    sys.modules.pop("generate")
    own(["generate.py"])
    assert flags.FLAGS is known
    return module


@fuzz
@given(data=MANIFESTS | mutated([json.dumps({"recipe": RECIPE}).encode()]) | st.binary(max_size=50))
def test_manifests(generate, data):
    COUNTS["manifests"] += 1
    PATH.write_bytes(data)
    generate.FLAGS.unparse_flags()
    for name in (*generate.RECIPE_FLAGS, *generate.ACTIONS):
        generate.FLAGS[name].unparse()
    generate.FLAGS(["generate.py", f"--from_manifest={PATH}"])
    try:
        drawn = generate.read_manifest(str(PATH))
        recipe = generate.recipe_of_flags() | drawn
    except InputError as error:
        assert one_line(error).isprintable()
    else:
        assert recipe["action"] in generate.ACTIONS and 1 <= recipe["count"] <= 8192


@fuzz
@given(names=VALUES, data=mutated([b'{"files": ["grid.png", "../x.png"]}']))
def test_lists_of_files_in_manifests(names, data):
    COUNTS["lists of files"] += 1
    for content in (json.dumps({"files": names}).encode(), data):
        PATH.write_bytes(content)
        for name in gallery.files_of(PATH):
            assert os.path.basename(name) == name and name.endswith(".png")


NAMES = [  # (get_config, section, field)
    (module.get_config, section, field)
    for module in (acai, classifier, gan)
    for section in ("data", "model", "train")
    for field in sorted(module.get_config()[section])
]


@fuzz
@given(fields=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), data=st.data())
def test_configs(fields, data):
    """Values of a field's own type, which is all that the flags let through."""
    COUNTS["configs"] += 1
    config = fields[0][0]()
    for _, section, field in fields:
        if field in config[section]:
            kind = type(config[section][field])
            items = st.text(max_size=5) | st.integers() | st.sampled_from(["bird", "horse"])
            values = {int: st.integers(), float: st.floats(), str: st.text(max_size=5), bool: st.booleans()}
            config[section][field] = data.draw(values.get(kind, st.lists(items, max_size=3).map(tuple)))
    try:
        check(config)
    except InputError as error:
        assert "required" in str(error) or "must" in str(error)


@fuzz
@given(data=mutated([b'{"model": {"depth": 2}, "train": {"total_kimg": 1.0}}\n']) | st.binary(max_size=60))
def test_stored_configs(data):
    COUNTS["stored configs"] += 1
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.Checkpoints(os.path.join(folder, "checkpoints")).save(1, {})
        (Path(folder) / "config.json").write_bytes(data)
        try:
            RunDirectory(folder, {"model": {"depth": 2}, "train": {"total_kimg": 1.0}}).close()
        except InputError as error:
            assert "required to resume" in str(error)
            assert (Path(folder) / "config.json").read_bytes() == data

"""Fuzzing of files from outside: pictures, manifests, configs, checkpoints. Only InputError may be raised.

Takes a few seconds. FUZZ_EXAMPLES=20000 python -m pytest tests/faults -k fuzz takes longer and prints counts.
"""

import dataclasses
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

from common import files, release
from common.errors import InputError, one_line
from common.images import read_picture
from configs import acai, classifier, gan
from configs.check import check
from pegasus.search_config import MaskSearch
from pictures import acai_plan, acai_render, gallery, manifest
from pictures.request import Blend, Interpolate, Reconstruct, Sample, request_class
from tests.faults.fuzzing import COUNTS, FOLDER, PATH, VALUES, fuzz, mutated
from tests.support.hostile_files import READABLE, REFUSED, tiff
from training import checkpoints
from training.run_directory import RunDirectory

SMALL = [data for data in (*READABLE.values(), *REFUSED.values(), tiff()) if len(data) < 20_000]


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


REQUEST = {"action": "blend"} | dataclasses.asdict(Blend(first="horse", second="bird", count=2, scale=1))
CHANGES = st.fixed_dictionaries({}, optional={name: VALUES for name in REQUEST})
DRAWN = st.fixed_dictionaries({}, optional={name: VALUES for name in ("rows", "blends", "weights_digest")})


def manifest_bytes(request, drawn, pictures=()):
    return json.dumps({"request": request, "drawn": drawn, "pictures": pictures}).encode()


MANIFESTS = st.builds(lambda changes, drawn: manifest_bytes(REQUEST | changes, drawn), CHANGES, DRAWN | VALUES)


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
BLEND = {"mirrored": [0, 1], "mask": "top", "shares": [[0.5, 1], [0, 0.25]]}
NOTES = st.fixed_dictionaries({}, optional={n: VALUES for n in ("score", "terms", "parents", "file", "mix")})
PAIRS = {"rows": [[1, 0], [3, 2]]}
FIELDS = dict(first="horse", second="bird", count=2, scale=1)
SEARCH = MaskSearch(9, keep=2)
WHOLE = [  # (valid request, what was drawn)
    (Blend(**FIELDS, search=SEARCH), {"rows": [], "blends": [BLEND] * 2}),
    (Blend(**FIELDS, mask="top"), PAIRS | {"blends": [BLEND] * 2}),
    (Blend(**FIELDS, mask="learned", strip=3), PAIRS),
    (Blend(**FIELDS, path="pixel", strip=3, mix=0.25), PAIRS),
    (Sample(**FIELDS), {"rows": []}),
    (Reconstruct(**FIELDS), {"rows": [[0], [1]]}),
    (Interpolate(**FIELDS, strip=3, layout="j"), {"rows": [[0, 1, 2], [2, 1, 0]]}),
    (Interpolate(**FIELDS, strip=3, layout="mine"), {"rows": [[0, 1, 2, 3], [2, 1, 0, 3]]}),
]
EDITS = {  # of a request, which may then be invalid
    "action": st.sampled_from(["blend", "sample", "reconstruct", "interpolate"]),
    "strip": st.integers(0, 5),
    "layout": st.sampled_from(["strip", "j", "mine"]),
    "path": st.sampled_from(["slerp", "lerp", "pixel"]),
    "mask": st.sampled_from(["top", "random", "learned"]),
    "mix": st.floats(0, 1),
    "bandwidth": st.floats(0),
    "seed": st.integers(0, 10**30),
    "search": VALUES,
}
DRAWN_EDITS = {
    "rows": st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=2, max_size=2) | VALUES,
    "blends": st.lists(BLENDS, min_size=2, max_size=2) | VALUES,
    "parents_digest": VALUES,
}


def some_of(edits):
    """Up to two of {name: strategy}."""
    names = st.lists(st.sampled_from(sorted(edits)), max_size=2, unique=True)
    return names.flatmap(lambda names: st.fixed_dictionaries({name: edits[name] for name in names}))


class Plain:
    """In place of acai.inference.ReleasedACAI: without TensorFlow."""

    critic = None

    def decode(self, latents):
        return np.tanh(np.asarray(latents, np.float32)).repeat(2, 1).repeat(2, 2)

    def encode(self, images):
        return np.asarray(images, np.float32)[:, ::2, ::2]


@fuzz
@given(
    whole=st.sampled_from(WHOLE),
    edits=some_of(EDITS),
    drawn_edits=some_of(DRAWN_EDITS),
    pictures=st.just([{}, {}]) | st.lists(NOTES, min_size=2, max_size=2) | VALUES,
)
def test_pictures_of_manifests(whole, edits, drawn_edits, pictures):
    """A manifest is refused, or it gives an ACAI's pictures and a valid manifest."""
    COUNTS["pictures of manifests"] += 1
    folder = Path(FOLDER.name) / "release"
    if not folder.is_dir():
        release.write(folder, {"model": SIZES}, {"encoder/00_kernel": np.ones(3)}, BANK)
    request, drawn = whole
    fields = {"action": request.action} | dataclasses.asdict(request) | {"source": str(folder)} | edits
    PATH.write_bytes(manifest_bytes(fields, drawn | drawn_edits, pictures))
    try:
        stored = manifest.read(PATH)
        request = manifest.make_request(request_class("acai", stored.action, "here"), stored, {})
        plan = acai_plan.make_plan(request, folder, stored)
    except InputError as error:
        assert one_line(error).isprintable()
        return
    if not plan.drawn["rows"] and request.action not in ("sample", "explore"):
        assert request.search and "blends" not in plan.drawn  # a search would run
        return
    rendered, entries = acai_render.render(plan, Plain())
    assert len(entries) == request.count == 2 and all(np.isfinite(array).all() for array in rendered.values())
    json.loads(manifest.as_text(request, plan.drawn, entries, []), parse_constant=pytest.fail)


@fuzz
@given(data=MANIFESTS | mutated([manifest_bytes(REQUEST, PAIRS)]) | st.binary(max_size=50))
def test_manifests(data):
    COUNTS["manifests"] += 1
    PATH.write_bytes(data)
    try:
        stored = manifest.read(PATH)
        request = manifest.make_request(request_class("acai", stored.action, "here"), stored, {})
    except InputError as error:
        assert one_line(error).isprintable()
    else:
        assert request.action == stored.action and 1 <= request.count <= 8192


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
    """Values have the type of their field, which flags check before."""
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
            assert "config" in str(error) and "resum" in str(error)
            assert (Path(folder) / "config.json").read_bytes() == data

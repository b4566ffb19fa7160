"""Fuzzing of what users set: paths, tuple flags, TF_CONFIG, earlier configs, folders of images.

As in test_fuzz.py, only InputError may be raised, and FUZZ_EXAMPLES sets the number of examples.
"""

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")
from absl import flags
from hypothesis import given
from hypothesis import strategies as st
from ml_collections import config_dict, config_flags

from common.data import folders
from common.distribute import cluster
from common.errors import InputError, one_line
from common.files import expand_path
from configs import tuple_flags
from configs.acai import get_config
from configs.earlier_configs import GONE, NEUTRAL, in_current_fields
from configs.fields import flatten
from tests.faults.fuzzing import COUNTS, FOLDER, VALUES, fuzz, mutated

HOME = Path(FOLDER.name) / "home"
LETTERS = st.text(max_size=12) | st.text("~/:.a gs\0\udcff\n", max_size=12)


@fuzz
@given(
    path=st.sampled_from(["", "~", "~/", "~root", "gs://", "C:/", "a"]).flatmap(lambda p: LETTERS.map(p.__add__))
)
def test_paths(path):
    COUNTS["paths"] += 1
    try:
        expanded = expand_path(path, "--out")
    except InputError as error:
        assert one_line(error).isprintable() and "--out must be" in str(error)
    else:
        assert not expanded.startswith("~") and not path.startswith("gs://")
        assert "\0" not in expanded and os.fsencode(expanded).decode() == expanded


FORMS = st.text("(),'\"[]{}ab1.-~ \\n", max_size=14) | st.text(max_size=6) | VALUES.map(repr)


@fuzz
@given(words=st.lists(FORMS, min_size=1, max_size=2))
def test_tuple_flags(words):
    """The field is a tuple whatever is given, or it is told what is wrong."""
    COUNTS["tuple flags"] += 1
    tuple_flags.register()
    values, config = flags.FlagValues(), config_dict.ConfigDict({"classes": ("cat",)})
    argv = ["program", *(f"--config.classes={word}" for word in words)]
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
        values(argv)
    except flags.Error as error:
        assert one_line(error).isprintable() and "must be a tuple" in str(error)
    else:
        assert isinstance(values.config.classes, tuple)


@fuzz
@given(text=mutated([cluster.EXAMPLE.encode()]).map(lambda b: b.decode(errors="replace")) | VALUES.map(json.dumps))
def test_descriptions_of_clusters(text):
    COUNTS["TF_CONFIG"] += 1
    try:
        assert cluster.worker_index(text) >= 0
    except InputError as error:
        assert one_line(error).isprintable() and "TF_CONFIG" in str(error)


CURRENT = flatten(json.loads(get_config("pegasus").to_json()))
FIELDS = {name: VALUES for name in [*NEUTRAL, *GONE, "train.seed"]}


@fuzz
@given(changes=st.fixed_dictionaries({}, optional=FIELDS))
def test_configs_of_earlier_versions(changes):
    """The current fields stay as they are, and what is not neutral is never dropped."""
    COUNTS["earlier configs"] += 1
    fields = in_current_fields(CURRENT | changes, CURRENT.keys())
    assert CURRENT.keys() <= fields.keys()
    for name in GONE.keys() & changes.keys():
        assert fields.get(name, GONE[name]) == changes[name] or changes[name] != changes[name]


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=9)
NAMES |= st.sampled_from(["a", "b", "test", ".x", "Thumbs.db", "__MACOSX", "\udcff"])
NAMES = NAMES.filter(lambda name: name not in (".", ".."))


@contextlib.contextmanager
def quiet_logs():
    """Warnings of folders that are left out are not printed."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@fuzz
@given(entries=st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["file", "folder", "link"])), max_size=5))
def test_folders_of_images(entries):
    """Both functions name the same classes, and links lead to no endless walk."""
    COUNTS["folders of images"] += 1
    with quiet_logs(), tempfile.TemporaryDirectory() as top:
        for parent, name, kind in entries:
            path = Path(top, parent, name)
            try:
                path.parent.mkdir(exist_ok=True)
                if kind == "link":
                    path.symlink_to(Path(top, entries[0][0]))
                else:
                    path.mkdir() if kind == "folder" else path.touch()
            except OSError:  # it is there already
                continue
        try:
            files, _ = folders.list_classes(Path(top))
        except InputError as error:
            assert one_line(error).isprintable() and "image_folder must be" in str(error)
        else:
            assert [*files] == folders.list_class_names(top)
            assert all(len({*paths}) == len(paths) for paths in files.values())

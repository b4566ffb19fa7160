"""Files from outside run no code and reach no file beyond the output folder; TensorBoard listens here only."""

import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from common import files, release
from common.errors import InputError, one_line
from common.files import pack, unpack
from pictures import gallery
from pictures.request import Sample
from training.checkpoints import Checkpoints
from training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]


class Bomb:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def fuse(tmp_path):
    """The folder that a Bomb would create. A first Bomb is unpickled to show that it works."""
    fuse = tmp_path / "exploded"
    pickle.loads(pickle.dumps(Bomb(fuse)))
    os.rmdir(fuse)
    yield fuse
    assert not fuse.exists()


def bombs(fuse):
    """Yields files with a pickle: .npz with an object array, .npy, and plain pickles of every protocol."""
    array = np.array([Bomb(fuse)], object)
    yield pack({"encoder/00_kernel": array})
    yield pack({"format": array})
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    yield buffer.getvalue()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(Bomb(fuse), protocol)
        yield data
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("encoder.npy", data)
        yield packed.getvalue()


def test_npz_files_and_checkpoints_do_not_unpickle(tmp_path, fuse):
    for number, data in enumerate(bombs(fuse)):
        with pytest.raises(ValueError, match="not an undamaged .npz"):
            unpack(data, "x")
        folder = tmp_path / f"{number}"
        saved = Checkpoints(folder)
        (folder / f"{5:09d}-{files.digest(data)}.npz").write_bytes(data)  # the digest is right
        with pytest.raises(InputError):
            saved.load_latest()


def test_releases_do_not_unpickle(tmp_path, fuse):
    for data in bombs(fuse):
        for name in ("weights.npz", "bank.npz", "config.json"):
            release.write(tmp_path / "release", {}, {"a": np.ones(2)}, {"ids": np.arange(3)})
            (tmp_path / "release" / name).write_bytes(data)
            with pytest.raises(InputError):
                release.read(tmp_path / "release")


def test_stored_configs_do_not_unpickle(tmp_path, fuse):
    with RunDirectory(str(tmp_path / "run"), {}) as run:
        run.checkpoints.save(1, {})
    for data in bombs(fuse):
        Path(run.file("config.json")).write_bytes(data)
        with pytest.raises(InputError):
            RunDirectory(run.path, {})


def test_compressed_arrays_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10**6))
    with pytest.raises(ValueError, match="compressed"):
        unpack(buffer.getvalue(), "x")


def npz(shape, kind="<f8", body=b""):
    """An .npz file whose array has a shape in its header and the bytes `body`."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body)
    return packed.getvalue()


@pytest.mark.parametrize("shape", ["(10**15,)", "(1000000000000000,)", "(-1,)", "(99,)", "((1,),)", "(1 << 70,)"])
def test_a_shape_larger_than_the_file_is_refused(shape):
    with pytest.raises(ValueError, match="not an undamaged .npz"):
        unpack(npz(shape), "x")


def test_sources_never_unpickle_or_evaluate():
    words = (
        "pickle.load",
        "import pickle",
        "allow_pickle=True",
        "marshal",
        "yaml.load",
        "safe_mode=False",
        " eval(",
    )
    packages = ("acai", "classifiers", "common", "configs", "evaluation", "gan", "pegasus", "pictures", "training")
    paths = [*ROOT.glob("*.py"), *(path for package in packages for path in (ROOT / package).rglob("*.py"))]
    assert len(paths) > 50
    for path in paths:
        text = path.read_text()
        assert not [word for word in words if word in text], path
        assert text.count("np.load(") == text.count("allow_pickle=False"), path


# pictures


def test_a_picture_replaces_a_link_and_does_not_follow_it(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "precious.png").write_text("a user's file")
    for name in ("grid.png", "manifest.json"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "precious.png")
    gallery.write(
        str(tmp_path / "out"), Sample(scale=1), {}, {"pictures": np.zeros((1, 4, 4, 3), np.float32)}, [{}]
    )
    assert (tmp_path / "precious.png").read_text() == "a user's file"


def test_messages_escape_terminal_codes():
    assert one_line(ValueError("a\x1b[2Jb\x07\x9b c\u202e d")) == "a\\x1b[2Jb\\x07\\x9b c\\u202e d"


# Servers


@pytest.mark.slow
def test_tensorboard_listens_on_loopback_only(tmp_path):
    """With the README's command, which names no host."""
    assert "`tensorboard --logdir runs`" in (ROOT / "README.md").read_text()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", tmp_path, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stderr if "http://" in line)
            port = int(re.search(r"http://localhost:(\d+)/", line)[1])
            tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
        finally:
            process.kill()
    sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
    addresses = [row[1] for row in sockets if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    loopback = "0100007F", "00000000000000000000000001000000"
    assert addresses and all(address.startswith(loopback) for address in addresses)

"""Hostile and unusual pictures: a one-line error or the right result, in bounded memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from common.images import read_picture
from tests.support.hostile_files import (
    BLUE,
    GREEN,
    READABLE,
    RED,
    REFUSED,
    WHITE,
    damaged_tiff,
    encode,
    quarters,
    tiff,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_pictures_are_refused_in_one_line(tmp_path, capfd, name):
    path = tmp_path / "picture.png"
    path.write_bytes(REFUSED[name])
    with pytest.raises(InputError) as error:
        read_picture(path)
    message = str(error.value)
    assert str(path) in message and "A picture must" in message and ". Received" in message
    assert message.isprintable() and len(message) < 500
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", READABLE)
def test_unusual_pictures_are_read(tmp_path, name):
    (tmp_path / "picture.gif").write_bytes(READABLE[name])  # the extension does not matter
    picture = read_picture(tmp_path / "picture.gif", width=4)
    corners = [picture[row, column].tolist() for row in (0, -1) for column in (0, -1)]
    np.testing.assert_allclose(corners, [RED, GREEN, BLUE, WHITE], atol=3 if "jpeg" in name else 0)


def test_a_tiff_whose_pages_form_a_cycle_is_read(tmp_path):
    (tmp_path / "a.tiff").write_bytes(tiff(following=24))
    assert (read_picture(tmp_path / "a.tiff") == 0).all()


def test_a_slightly_damaged_tiff_is_read_without_output(tmp_path, capfd):
    (tmp_path / "a.tiff").write_bytes(damaged_tiff("jpeg"))
    assert read_picture(tmp_path / "a.tiff").shape == (32, 32, 3)
    os.write(2, b"later output")
    assert capfd.readouterr() == ("", "later output")


def test_links_are_followed_and_broken_ones_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(encode(quarters(), "PNG"))
    (tmp_path / "link.png").symlink_to("picture.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "link.png"), read_picture(tmp_path / "picture.png"))
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "lost.png").symlink_to("nowhere.png")
    (tmp_path / "folder.png").symlink_to(tmp_path)
    names = {"a.png": "symbolic links", "lost.png": "no such file", "folder.png": "a folder"}
    names |= {"x" * 300: "name too long", "picture.png/a": "not a directory"}
    for name, reason in names.items():
        with pytest.raises(InputError, match=reason):
            read_picture(tmp_path / name)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/self/environ", "", "\ud800"])
def test_special_files_are_refused(path):
    with pytest.raises(InputError):
        read_picture(path)


LIMITED = """
import sys
from common.images import read_picture
from common.cli import InputError
def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
before = peak()
try:
    read_picture(sys.argv[1])
except InputError as error:
    print(error, file=sys.stderr)
print((peak() - before) // 1024)
"""


def peak_megabytes(path, limit=None):
    """Measures the memory that reading a picture takes in a process of its own.

    Args:
        path: of the picture.
        limit: of the address space, in bytes; None: no limit.

    Returns:
        (MB, stderr).
    """
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, path],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))),
    )
    assert result.returncode == 0, result.stderr
    return int(result.stdout), result.stderr


@pytest.mark.parametrize("name", ["png international text bomb", "gif frame bomb", "tiff bomb", "webp bomb"])
def test_bombs_take_little_memory(tmp_path, name):
    (tmp_path / "bomb").write_bytes((REFUSED | READABLE)[name])
    assert peak_megabytes(tmp_path / "bomb")[0] < 64


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "I;16", "P"])
def test_pictures_of_the_maximum_size_take_bounded_memory(tmp_path, mode):
    image = Image.new(mode, (10_000, 5_000))
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image.save(tmp_path / "large", kind, **({"progressive": True} if mode == "CMYK" else {}))
    megabytes, message = peak_megabytes(tmp_path / "large")
    print(f"{mode}: {megabytes} MB")
    assert message == "" and megabytes < 1000


@pytest.mark.slow
def test_too_little_memory_is_reported(tmp_path):
    Image.new("RGBA", (10_000, 5_000)).save(tmp_path / "large.png")
    _, message = peak_megabytes(tmp_path / "large.png", limit=500_000_000)
    assert "A picture must be undamaged" in message and "MemoryError" in message

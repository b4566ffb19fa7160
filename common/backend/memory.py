"""Memory of the machine and settings of the memory allocator."""

import contextlib
import ctypes
import os
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc


def total_bytes():
    """Returns the bytes of memory of the machine or, if it has less, of the container."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # "max", or there is no such file
        size = min(size, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return size


def keep_freed_memory():
    """Tells glibc to keep freed memory instead of returning it to the kernel.

    A compiled step allocates the same hundred megabytes each time, and the kernel would clear every page again.
    This made the ACAI step at depth 16 1.18 times as fast on two cores. It costs resident memory, and has no
    effect on other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**28)

"""How much memory there is, and what keeps freed memory in the process.

A compiled step asks for the same hundred megabytes at every step.
"""

import contextlib
import ctypes
import os
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc


def total_bytes():
    """Bytes of memory of the machine or, where it is less, of the container."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # "max", or no such file
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return found


def keep_freed_memory():
    """Tells glibc not to give memory back to the kernel, which would clear every page of it anew at each step.

    Made the ACAI step at depth 16 1.18 times as fast on two cores. Does nothing on another C library. Costs
    resident memory: what was once in use stays so.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**28)

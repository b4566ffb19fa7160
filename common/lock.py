"""A lock on a folder, so that only one process at a time writes there. It ends with the process."""

import errno
import os
import socket
import time

from absl import logging

from common.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # all others
    msvcrt = None

NAME = ".lock"
MSVCRT_BYTE = 2**30  # the position that is locked: Windows keeps others from reading what is locked


class FolderLock:
    """A lock that is held from construction until `release` or the end of the process.

    It is flock(2), on Windows _locking, on the file `.lock`, whose text names the holder for the error message of
    a second process. On NFS it holds between hosts, unless the mount option is local_lock or nolock. On a file
    system without locks it only warns. The package filelock is not used: it truncates the file before it has the
    lock, so that the holder's name is lost, and it fails on file systems without locks.

    Args:
        folder: str, an existing folder.

    Raises:
        InputError: another process holds the lock; the message names it.
        OSError: the file cannot be opened for writing.
    """

    def __init__(self, folder):
        self.file = os.open(os.path.join(folder, NAME), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _lock(self.file)
        except BlockingIOError:
            holder = os.read(self.file, 200).decode(errors="replace") or "another process"
            os.close(self.file)
            raise InputError(
                f"The folder must not be in use by another training. Received: {folder}, in use by {holder}; "
                "wait for it, stop it or pass another --workdir."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                os.close(self.file)
                raise
            logging.warning("%s: this file system has no locks (%s); run only one training there", folder, error)
        os.truncate(self.file, 0)
        holder = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}"
        os.write(self.file, holder.encode())

    def release(self):
        """Releases the lock; a second call does nothing."""
        if self.file is not None:
            os.truncate(self.file, 0)
            os.close(self.file)
            self.file = None


def _lock(file):
    """Locks an open file until it is closed.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: there are no locks.
    """
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif msvcrt:
        os.lseek(file, MSVCRT_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    else:
        raise OSError(errno.ENOSYS, "this Python has none")

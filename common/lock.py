"""A lock on a folder, so that one process at a time writes there. A killed process leaves none behind."""

import errno
import fcntl
import os
import socket
import time

from absl import logging

from common.errors import InputError

NAME = ".lock"


class FolderLock:
    """Held from its making to `release`, or until the process ends, however it ends.

    It is flock(2) on the file `.lock`, which stays and names its holder for the message to a second process.
    Linux passes flock on to an NFS server, so it holds between hosts unless the mount says local_lock or nolock.
    A file system without locks gets a warning.

    Args:
        folder: str, an existing folder.

    Raises:
        InputError: naming who holds the lock.
        OSError: the file cannot be opened for writing.
    """

    def __init__(self, folder):
        self.file = os.open(os.path.join(folder, NAME), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self.file, 200).decode(errors="replace") or "another process"
            os.close(self.file)
            raise InputError(
                f"A folder in which no other training runs is required. Received: {folder}, in use by {holder}; "
                "wait for it, stop it or name another --workdir."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                os.close(self.file)
                raise
            logging.warning("%s: no locks on this file system (%s); run one training there", folder, error)
        os.truncate(self.file, 0)
        holder = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}"
        os.write(self.file, holder.encode())

    def release(self):
        """Gives the lock up; a second call does nothing."""
        if self.file is not None:
            os.truncate(self.file, 0)
            os.close(self.file)
            self.file = None

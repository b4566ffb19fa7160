"""Standard output and error: streams that end no work when they are closed or full, and messages from C code."""

import contextlib
import errno
import io
import os
import select
import stat
import sys
import tempfile


class Output(io.FileIO):
    """Standard output or error that keeps the error of a failed write, instead of raising it.

    The error is not kept if nobody reads any more. A pipe that is full is waited for, even if it does not block.
    """

    error = None

    def write(self, data):
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])
            return count
        except OSError as error:
            if not isinstance(error, ConnectionError) and not self._is_lost_terminal(error):
                self.error = error
            return len(data)

    def _is_lost_terminal(self, error):
        return error.errno in (errno.EIO, errno.ENXIO) and stat.S_ISCHR(os.fstat(self.fileno()).st_mode)


def open_streams():
    """Replaces stdout and stderr by ones that raise no error and opens closed ones; returns stdout's Output."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # takes the number of a closed stream
        pass
    os.close(number)
    outputs = {}
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        outputs[name] = Output(number, "w", closefd=False)
        if stream is getattr(sys, f"__{name}__"):  # otherwise a caller has replaced it
            options = {"line_buffering": outputs[name].isatty() or name == "stderr", "errors": "backslashreplace"}
            encoding = stream.encoding if stream else "utf-8"
            buffered = io.BufferedWriter(outputs[name])
            setattr(sys, name, io.TextIOWrapper(buffered, encoding, **options))
    return outputs["stdout"]


@contextlib.contextmanager
def silence_stderr():
    """Discards all that the process writes to file descriptor 2 within the context, including C libraries.

    If stderr was closed at the start of Python, 2 may be another file, and nothing is changed.
    """
    if sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


@contextlib.contextmanager
def hold_stderr():
    """Buffers what the process writes to file descriptor 2; prints it only if an exception is raised."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        file = tempfile.TemporaryFile()
    except OSError:  # no temporary folder is writable
        file = open(os.devnull, "w+b")
    with file as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)

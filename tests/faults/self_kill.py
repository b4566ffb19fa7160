"""Makes a process kill itself before one of its calls of the operating system."""

import itertools
import os
import signal


def kill_before_call(number, names):
    """From now on sends SIGKILL to this process before call `number`, from 0, of the functions `names` of `os`."""
    calls = itertools.count()

    def with_kill(function):
        def call(*arguments, **options):
            if next(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in names:
        setattr(os, name, with_kill(getattr(os, name)))

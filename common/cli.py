"""Runs an entry point: parses flags, reports errors in one line, and imports TensorFlow last."""

import contextlib
import errno
import os
import sys
import tempfile

from absl import flags

from common.backend import compiler
from common.errors import InputError, one_line

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


def run(main, define=None):
    """Parses the command line, calls `main()` and exits: status 0, or 2 after one line on stderr.

    Args:
        main: function without arguments that reads `flags.FLAGS`. It should check flags and paths before it
            imports TensorFlow, so that errors are reported quickly.
        define: function that defines flags whose definition can fail, such as --config.
    """
    try:
        parse_flags(sys.argv, define)
        main()
    except InputError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has exited, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # such as a full or read-only disk
        if error.errno not in DISK_ERRORS:
            raise
        print(f"error: The disk must be writable with free space. Received: {one_line(error)}", file=sys.stderr)
        sys.exit(2)


def parse_flags(argv, define=None):
    """Parses `argv` into `flags.FLAGS`. `--help` prints the program's own flags and exits with status 0.

    Args:
        argv: the program's name and its flags.
        define: see `run`. A config file is read when its flag is defined.

    Raises:
        InputError: for any error that absl, ml_collections or a config file reports.
    """
    try:
        if define:
            define()
        if any(word.lstrip("-") in ("help", "h", "helpfull", "helpshort") for word in argv[1:] if word[:1] == "-"):
            flags.FLAGS.mark_as_parsed()
            print(sys.modules["__main__"].__doc__.strip(), "\n\nFlags:", flags.FLAGS.main_module_help(), sep="\n")
            sys.exit(0)
        rest = flags.FLAGS(argv)
        for value in flags.FLAGS.flag_values_dict().values():
            hasattr(value, "keys")  # a config reports a missing file only on access
    except (AttributeError, KeyError) as error:  # not a config file, or an unknown field
        raise InputError(
            "--config must be a file of configs/, and the name after it, as in --config.train.seed, one of its "
            f"fields. Received: {one_line(error)}"
        ) from error
    except Exception as error:  # a config file is Python code that can raise anything
        raise InputError(one_line(error)) from error
    if len(rest) > 1:
        raise InputError(f"Flags must be given as --name=value. Received: {rest[1]!r}; --help lists them.")


def import_tensorflow(strategy="default", one_core=False, deterministic=False):
    """Imports TensorFlow and Keras and initializes the devices, without their start-up messages on stderr.

    If TF_CPP_MIN_LOG_LEVEL is set, all messages are shown. GPU memory is allocated on demand, so that a second
    command can share the GPU. Products of float32 are not rounded to TF32.

    Args:
        strategy: one of `common.distribute.cluster.STRATEGIES`. "default" uses the first GPU only. "multi_worker"
            leaves the devices uninitialized, because TensorFlow can join a cluster only before.
        one_core: run each operation on one core if there is no GPU, see `common.backend.towers`.
        deterministic: give the same bits in every run on the same GPU, at a cost of speed.
    """
    multi_worker = strategy == "multi_worker"
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if deterministic:  # disables autotuning, which can choose different algorithms in each run
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    if compiler.has_onednn():  # by default TensorFlow uses it with AVX-512 only
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    quiet = contextlib.nullcontext() if "TF_CPP_MIN_LOG_LEVEL" in os.environ else _hold_stderr()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if multi_worker else "2")
    with quiet, _hide_module("sklearn"):  # Keras would import it for a second, for wrappers that are not used here
        import keras  # noqa: F401
        import tensorflow as tf

        if one_core and not compiler.has_gpu():
            tf.config.threading.set_intra_op_parallelism_threads(1)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        if strategy == "default":
            tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
        if not multi_worker:
            tf.config.list_logical_devices()


@contextlib.contextmanager
def _hide_module(module):
    """Makes imports of a module fail within the context, unless it has been imported before."""
    imported = module in sys.modules
    sys.modules.setdefault(module, None)
    try:
        yield
    finally:
        if not imported:
            del sys.modules[module]


@contextlib.contextmanager
def silence_stderr():
    """Discards all that the process writes to file descriptor 2 within the context, including C libraries."""
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
def _hold_stderr():
    """Buffers what the process writes to file descriptor 2; prints it only if an exception is raised."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
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

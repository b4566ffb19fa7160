"""How every entry point meets its user: flags first, errors in one line, TensorFlow last."""

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
        main: function without arguments that reads `flags.FLAGS`; it checks flags and paths before it
            imports TensorFlow, so that an error is quick.
        define: function that defines those flags whose definition can fail already.
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
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # what no command has foreseen: a full disk, one that cannot be written
        if error.errno not in DISK_ERRORS:
            raise
        print(f"error: A disk to write to, with room, is required. Received: {one_line(error)}", file=sys.stderr)
        sys.exit(2)


def parse_flags(argv, define=None):
    """Parses `argv` into `flags.FLAGS`; `--help` prints the program's own flags and exits with status 0.

    Args:
        argv: the program's name, then its flags.
        define: see `run`; a config file is read when its flag is defined.

    Raises:
        InputError: for whatever absl, ml_collections or a config file find wrong.
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
            hasattr(value, "keys")  # a config whose file is missing says so only when it is touched
    except (AttributeError, KeyError) as error:  # a Python file that is no config, or a field that there is not
        raise InputError(
            "--config is required to be a file of configs/, and what stands behind it, as in --config.train.seed, "
            f"to be a field there. Received: {one_line(error)}"
        ) from error
    except Exception as error:  # a config file is Python: it may raise anything
        raise InputError(one_line(error)) from error
    if len(rest) > 1:
        raise InputError(f"Flags are required as --name=value. Received: {rest[1]!r}; --help lists them.")


def import_tensorflow(strategy="default", one_core=False, deterministic=False):
    """Imports TensorFlow and Keras and starts the devices, without their start-up messages on stderr.

    With TF_CPP_MIN_LOG_LEVEL in the environment all messages are shown. GPU memory is taken as it is needed, so
    that a second command finds room, and float32 is not rounded to TF32.

    Args:
        strategy: of common.distribute.cluster.STRATEGIES. With "default" a single GPU is used, the first. With
        "multi_worker"
            the devices are not started: TensorFlow takes a cluster only before that.
        one_core: run each operation on one core, where there is no GPU: see `common.backend.towers`.
        deterministic: give the same bits in every run on the same GPU, which costs speed.
    """
    machines = strategy == "multi_worker"
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if deterministic:  # no autotuning, which may choose another algorithm in each run
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    if compiler.has_onednn():  # which TensorFlow by itself uses with AVX-512 only
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    quiet = contextlib.nullcontext() if "TF_CPP_MIN_LOG_LEVEL" in os.environ else _held_stderr()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if machines else "2")
    with quiet, _unseen("sklearn"):  # Keras would import it, a second long, for wrappers that nobody here uses
        import keras  # noqa: F401
        import tensorflow as tf

        if one_core and not compiler.has_gpu():
            tf.config.threading.set_intra_op_parallelism_threads(1)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        if strategy == "default":
            tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
        if not machines:
            tf.config.list_logical_devices()


@contextlib.contextmanager
def _unseen(module):
    """Within it who imports the module, not imported before, does not find it."""
    known = module in sys.modules
    sys.modules.setdefault(module, None)
    try:
        yield
    finally:
        if not known:
            del sys.modules[module]


@contextlib.contextmanager
def silence_stderr():
    """Discards what is written to file descriptor 2, by C libraries too; of the whole process."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextlib.contextmanager
def _held_stderr():
    """Holds back what is written to file descriptor 2, by C++ too; lets it out when an exception passes."""
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

"""Runs an entry point: parses flags, reports errors in one line, and imports TensorFlow last."""

import contextlib
import errno
import os
import re
import sys
import tempfile

from absl import flags, logging

from common import environment, flag_help, streams  # environment must come before numpy
from common.backend import compiler
from common.errors import InputError, one_line
from common.files import cache_folder, expand_path

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)
LIBRARY_VARIABLES = re.compile(
    "(TF|TF2|XLA|KERAS|ONEDNN|DNNL|AUTOGRAPH|NVIDIA_TF32|TFDS_RETRY|PROTOCOL_BUFFERS_PYTHON)_"
)
KEPT_VARIABLES = re.compile(  # they decide where to run, how much memory to take and what to log
    "(TF_(CONFIG|CPP|CUDA|DUMP|FORCE_GPU|GPU|GRPC|NUM|PER_DEVICE)|XLA_PJRT_GPU|ONEDNN_VERBOSE"
    "|TF_(CLI|DATA_DIR|IN|INPUT|LOG|PLUGIN|VAR|WORKSPACE))(_|$)"  # Terraform's
)
HELP = ("help", "h", "helpshort", "helpfull")
KEPT_XLA_FLAGS = ("--xla_gpu_cuda_data_dir=", "--xla_dump_")


class PathParser(flags.ArgumentParser):
    """Parses a flag for a path, see `common.files.expand_path`."""

    def parse(self, argument):
        return expand_path(argument, "The value")


class PathListParser(flags.ListParser):
    """Parses a flag for paths with commas between them."""

    def parse(self, argument):
        return [expand_path(path, "The value") for path in super().parse(argument)]


def run(main, define=None, sections=None, describe=None):
    """Parses the command line, calls `main()` and exits: status 0, or 2 after one line on stderr.

    A stream that is closed or cannot be written to does not end `main`. Afterwards lost output gives status 2,
    unless its reader has exited, as in `| head` or after a lost terminal.

    Args:
        main: function without arguments that reads `flags.FLAGS`. It should check flags and paths before it
            imports TensorFlow, so that errors are reported quickly.
        define: function that defines flags whose definition can fail, such as --config.
        sections: {title: names of flags} for --help; None: all flags of the program's own file.
        describe: function without arguments that returns more text for --help; it can read `flags.FLAGS`.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"  # paths are UTF-8 to TensorFlow, whatever the locale
        os.execv(sys.executable, sys.orig_argv)
    output = streams.open_streams()
    status, message = 0, None
    try:
        if sys.flags.optimize > 1:
            raise InputError(
                "Python must keep docstrings, for --help and diagrams. Received: -OO or PYTHONOPTIMIZE=2; use -O."
            )
        parse_flags(sys.argv, define, sections, describe)
        main()
    except SystemExit as end:  # of --help
        status = end.code
    except InputError as error:
        status, message = 2, f"error: {one_line(error)}"
    except KeyboardInterrupt:
        status, message = 130, "stopped by Ctrl-C"
    except OSError as error:  # such as a full or read-only disk
        if error.errno not in DISK_ERRORS:
            raise
        status = 2
        message = f"error: The disk must be writable with free space. Received: {one_line(error)}"
    sys.stdout.flush()
    if output.error and not message:
        status = 2
        message = f"error: stdout must be writable. Received: {output.error.strerror}; all else was done"
    if message:
        print(message, file=sys.stderr)
    if status:
        sys.exit(status)


def parse_flags(argv, define=None, sections=None, describe=None):
    """Parses `argv` into `flags.FLAGS`. `--help` prints the program's own flags, `--helpfull` all; status 0.

    Args:
        argv: the program's name and its flags.
        define, sections, describe: see `run`. A config file is read when its flag is defined.

    Raises:
        InputError: for any error that absl, ml_collections or a config file reports.
    """
    try:
        if define:
            define()
        asked = {word for word in argv[1:] if word[:1] == "-" and word.lstrip("-") in HELP}
        if asked:
            flags.FLAGS([word for word in argv if word not in asked], known_only=True)
            text = flag_help.format_sections(sections) if sections else f"Flags:{flags.FLAGS.main_module_help()}"
            texts = [text, describe()] if describe else [text]
            if "helpfull" in {word.lstrip("-") for word in asked}:
                texts = [flags.FLAGS.get_help()]
            print(sys.modules["__main__"].__doc__.strip(), *texts, sep="\n\n")
            sys.exit(0)
        rest = flags.FLAGS(argv)
        for value in flags.FLAGS.flag_values_dict().values():
            hasattr(value, "keys")  # a config reports a missing file only on access
    except (AttributeError, KeyError) as error:  # not a config file, or an unknown field
        raise InputError(
            "--config must be a file of configs/, and the name after it, as in --config.train.seed, one of its "
            f"fields. Received: {one_line(error)}"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"A flag file or config must be text in UTF-8. Received: {one_line(error)}") from error
    except Exception as error:  # a config file is Python code that can raise anything
        raise InputError(one_line(error)) from error
    if len(rest) > 1:
        raise InputError(f"Flags must be given as --name=value. Received: {rest[1]!r}; --help lists them.")


def import_tensorflow(strategy="default", one_core=False, deterministic=False):
    """Imports TensorFlow and Keras and initializes the devices, without their start-up messages on stderr.

    If TF_CPP_MIN_LOG_LEVEL is set, all messages are shown. GPU memory is allocated on demand, so that a second
    command can share the GPU. Products of float32 are not rounded to TF32. Settings of the user's Keras and
    environment variables that change results have no effect.

    Args:
        strategy: one of `common.distribute.cluster.STRATEGIES`. "default" uses the first GPU only. "multi_worker"
            leaves the devices uninitialized, because TensorFlow can join a cluster only before.
        one_core: run each operation on one core if there is no GPU, see `common.backend.towers`.
        deterministic: give the same bits in every run on the same GPU, at a cost of speed.
    """
    multi_worker = strategy == "multi_worker"
    set_variables(deterministic)
    try:
        tempfile.gettempdir()
    except OSError:  # none is writable, but absl.testing needs a name when TensorFlow imports it
        tempfile.tempdir = os.sep
    quiet = contextlib.nullcontext() if "TF_CPP_MIN_LOG_LEVEL" in os.environ else streams.hold_stderr()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if multi_worker else "2")
    # Keras would import them for seconds, for what is not used here. Settings of matplotlib can end its import.
    with quiet, _hide_module("sklearn"), _hide_module("matplotlib"):
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


def set_variables(deterministic=False):
    """Sets environment variables of TensorFlow and Keras.

    Removes those that change results or end an import. A warning names them and those of `common.environment`.
    """
    ours = {"KERAS_BACKEND": "tensorflow", "KERAS_NNX_ENABLED": "0"}  # of JAX
    ours["KERAS_HOME"] = os.path.join(cache_folder(), "keras")  # without the user's keras.json
    ours["TF2_BEHAVIOR"] = "1"  # as TensorFlow does
    if compiler.has_onednn():  # by default TensorFlow uses it with AVX-512 only
        ours["TF_ENABLE_ONEDNN_OPTS"] = "1"
    ignored = [*environment.REMOVED]
    xla_flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag.startswith(KEPT_XLA_FLAGS)]
    kept = {"XLA_FLAGS": " ".join(xla_flags)} if xla_flags else {}
    for name in [name for name in os.environ if LIBRARY_VARIABLES.match(name) and not KEPT_VARIABLES.match(name)]:
        if os.environ.pop(name) != (ours | kept).get(name):
            ignored.append(name)
    if ignored:
        logging.warning(
            "ignoring environment variables that can change what a command does: %s", ", ".join(sorted(ignored))
        )
    if deterministic:  # disables autotuning, which can choose different algorithms in each run
        kept["XLA_FLAGS"] = " ".join([*xla_flags, "--xla_gpu_deterministic_ops=true"])
    os.environ.update(ours | kept)
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


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

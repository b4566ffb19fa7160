"""Reads TF_CONFIG, which names the machines of a training, before TensorFlow is imported."""

import json
import os

from common.errors import InputError

STRATEGIES = ("default", "mirrored", "multi_worker")
EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'


def worker_index(text=None):
    """Returns the index of this process among the workers; 0 is the chief, which alone writes files.

    Args:
        text: content of TF_CONFIG; None: of the environment variable.

    Raises:
        InputError: TF_CONFIG does not list workers with different addresses and the index of one of them.
    """
    text = os.environ.get("TF_CONFIG", "") if text is None else text
    try:
        settings = json.loads(text)
        (job, workers), *others = settings["cluster"].items()
        task = settings["task"]
        valid = (job, task["type"]) == ("worker", "worker") and not others and isinstance(workers, list)
        valid = valid and all(_is_address(worker) for worker in workers) and len({*workers}) == len(workers)
        valid = valid and type(task["index"]) is int and 0 <= task["index"] < len(workers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise InputError(
            f"TF_CONFIG must list all workers and the index of this one, e.g. {EXAMPLE}, for "
            f"--config.train.strategy=multi_worker. Received: {text[:200] or 'nothing'}"
        )
    return task["index"]


def _is_address(text):
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536

"""The machines that train together, as TF_CONFIG names them; read before TensorFlow is imported."""

import json
import os

from common.errors import InputError

STRATEGIES = ("default", "mirrored", "multi_worker")
EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'


def worker_index(text=None):
    """The number of this process among the workers; 0 is the chief, who alone writes.

    Args:
        text: what TF_CONFIG holds; None: the environment's.

    Raises:
        InputError: for anything but workers with an address each, and the index of one of them.
    """
    text = os.environ.get("TF_CONFIG", "") if text is None else text
    try:
        settings = json.loads(text)
        (job, workers), *others = settings["cluster"].items()
        task = settings["task"]
        fits = (job, task["type"]) == ("worker", "worker") and not others and isinstance(workers, list)
        fits = fits and all(_is_address(worker) for worker in workers) and len({*workers}) == len(workers)
        fits = fits and type(task["index"]) is int and 0 <= task["index"] < len(workers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise InputError(
            f"TF_CONFIG is required to name every worker and which one this is, such as {EXAMPLE}, with "
            f"--config.train.strategy=multi_worker. Received: {text[:200] or 'nothing'}"
        )
    return task["index"]


def _is_address(text):
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536

"""Takes the logs of a run back to a checkpoint: metrics.jsonl and TensorBoard's event files."""

import json
import os

from absl import logging

from common.files import write_atomically


def rewind_metrics(path, step):
    """Rewrites metrics.jsonl without lines after `step` and without an incomplete last line."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if _step_of(line) <= step]
    write_atomically(path, "".join(lines).encode())


def rewind_events(path, images):
    """Rewrites a TensorBoard event file without events after a number of images and an incomplete last event.

    A file without events up to there is removed.
    """
    import tensorflow as tf

    with open(path, "rb") as file:
        content = file.read()
    kept, last, start = [], 0, 0
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event_images, end = tf.compat.v1.Event.FromString(record).step, start + 16 + len(record)
            if event_images <= images:
                kept.append(content[start:end])  # includes its length and two checksums
                last = max(last, event_images)
            start = end
    except tf.errors.DataLossError:
        pass  # the incomplete last event of a killed run
    kept = b"".join(kept)
    if not last:
        os.remove(path)
    elif kept != content:
        write_atomically(path, kept)
        logging.info("removed events after %.1f kimg from %s", images / 1000, path)


def _step_of(line):
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")  # the incomplete last line of a killed run

"""Reads what a training has logged to the metrics.jsonl of its run directory."""

import json
import os

from common.errors import InputError


def read_log(run):
    """Reads the records of a run directory, dicts with "kimg"; without a last line that is being written.

    Raises:
        InputError: if there is no readable log.
    """
    path = os.path.join(run, "metrics.jsonl")
    try:
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file if line.endswith("\n")]
        if not all(isinstance(record, dict) and "kimg" in record for record in records):
            raise ValueError("a line that is no record with kimg")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be the log of a training. Received: {error}") from error
    return records


def select_figure(records, name):
    """Selects {kimg: value} of a figure from the records of `read_log`; {} if it was never logged."""
    return {record["kimg"]: record[name] for record in records if name in record}

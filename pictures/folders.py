"""The folders that pictures and reports are written to by default, and what is replaced there."""

import dataclasses
import json
import os
from pathlib import Path

from common.errors import InputError
from pictures import manifest
from pictures.request import Blend

SINGLE_FILES = {"explore": "explore.html", "diagram": "architecture.png"}  # of requests without a manifest


def source_name(source):
    """The name of a bundled model, or that of the run directory or folder at a path."""
    path = os.path.abspath(source)
    return os.path.basename(os.path.dirname(path) if os.path.basename(path) == "release" else path)


def default_folder(request, again=False):
    """out/ and the action, with a name added for another model, for pictures of one's own and for pictures again.

    So none of these replaces the pictures of a bare command.

    Args:
        request: of pictures.request.
        again: whether it comes from a manifest that the user has named.
    """
    names = [request.action]
    if request.source != Blend.source:
        names.append(source_name(request.source))
    images = (getattr(request, name, None) for name in ("first_image", "second_image"))
    names += [Path(image).stem for image in images if image]
    return os.path.join("out", "-".join([*names, "again"] if again else names))


def describe_replaced(out, request):
    """Says in one line what the files of a request will replace in a folder.

    Returns:
        The line; "" where there is nothing, or pictures of the same request.
    """
    path = os.path.join(out, SINGLE_FILES.get(request.action, "manifest.json"))
    if request.action in SINGLE_FILES:
        return f"note: replaces {path}" if os.path.exists(path) else ""
    try:
        old = manifest.read(path)
    except InputError:  # there is no manifest, or one that nobody can use
        return ""
    if old.fields == json.loads(json.dumps(dataclasses.asdict(request))) and old.action == request.action:
        return ""
    count, seed = old.fields.get("count"), old.fields.get("seed")
    return (
        f"note: replaces what is in {out}, {count} of --{old.action} with --source={old.fields['source']} "
        f"--seed={seed}; --out=DIR would keep it"
    )

"""The manifest.json beside pictures: the request, what was drawn for it, and the files.

    {"about": {...}, "request": {"action", ...}, "drawn": {"weights_digest", "rows", ...}, "pictures": [...],
     "files": [...]}

"about" tells readers what names in it mean. "drawn" holds all that the pictures depend on beside the request:
digests of what they were made from and, of an ACAI, the rows of the latent bank and the blends. The same manifest
gives the same pictures.
"""

import contextlib
import dataclasses
import json
import os
from pathlib import Path

from common import release
from common.errors import InputError
from common.files import write_atomically
from pegasus.search_config import MaskSearch, Search

LINE_LENGTH = 110  # characters of a manifest's lines
ABOUT = {  # what the names in a manifest mean
    "seed": "picture k depends on the seed and k",
    "search": "how many blends were drawn and scored, and how many of them were kept",
    "weights_digest": "of the model's weights; a model with others does not make these pictures again",
    "rows": "for each picture the rows of its parents in the model's bank of latents, bank.npz",
    "blends": "how the parents of each picture were blended, in the order of the pictures",
    "shares": "the second parent's share of each cell of the latents, row by row, from 0 to 1",
    "mirrored": "for each parent 1 if it was mirrored, else 0",
    "mask": "where the second parent weighs more",
    "placements": "where the parents were placed: enlarged, turned (degrees), mirrored, then moved (pixels)",
    "candidate": "number of the drawn blend, from 0",
    "terms": "what the score is the sum of; higher is better",
    "critic_score": "the critic's estimate of how much the picture is a blend: 0 for none, 0.5 at most",
    "mix": "the second parent's share of the picture, from 0 to 1",
    "id": "number of the image in CIFAR-10's training images, or among the files of a folder",
}
BUNDLED = "pegasus.json"  # in a release's folder: the manifest of a search, shown by a bare --blend


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest as it was read. Only its outline has been checked.

    Attributes:
        path: the file.
        action: name of the request's action.
        fields: {field: value} of the request.
        drawn: see the module.
        pictures: what it says of each picture.
    """

    path: str
    action: str
    fields: dict
    drawn: dict
    pictures: object


def read(path):
    """The Manifest in a file; InputError for a file that is none."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would block
            raise ValueError("not a file")
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        fields, drawn = dict(content["request"]), dict(content["drawn"])
        if not isinstance(fields["action"], str) or not isinstance(fields["source"], str):
            raise ValueError("action and source must be names")
        return Manifest(str(path), fields.pop("action"), fields, drawn, content["pictures"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"--from_manifest must be a manifest.json. Received: {path} ({reason})") from error


def find_bundled(source):
    """The path of the manifest that a search has left in the release of `source`; None where there is none."""
    with contextlib.suppress(InputError):
        path = release.resolve(source) / BUNDLED
        return path if path.is_file() else None


def as_text(request, drawn, pictures, files):
    """The manifest as the text of a JSON file."""
    fields = {"action": request.action, **dataclasses.asdict(request)}
    content = {"request": fields, "drawn": drawn, "pictures": pictures, "files": files}
    names = set(_keys(content))
    about = {name: text for name, text in ABOUT.items() if name in names}
    return _as_json({"about": about} | content) + "\n"


def _keys(value):
    """Yields the keys of all dicts in nested dicts and lists."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for item in value if isinstance(value, list | tuple) else ():
        yield from _keys(item)


def _as_json(value, indent=0):
    """JSON in which what fits into a line stands on one; numbers, and plain values of a list, share lines."""
    line = json.dumps(value)
    if not value or not isinstance(value, dict | list | tuple) or indent + len(line) <= LINE_LENGTH:
        return line
    is_dict, lines, shares_line = isinstance(value, dict), [], False
    for name, item in value.items() if is_dict else enumerate(value):
        text = f"{json.dumps(str(name))}: " if is_dict else ""
        text += _as_json(item, indent + 1)
        is_plain = (
            not isinstance(item, str | dict | list | tuple) if is_dict else not isinstance(item, dict | list)
        )
        if is_plain and shares_line and len(lines[-1]) + len(text) + indent + 4 <= LINE_LENGTH:
            lines[-1] += f", {text}"
        else:
            lines.append(text)
        shares_line = is_plain
    opening, closing = "{}" if is_dict else "[]"
    pad = "\n" + " " * (indent + 1)
    return f"{opening}{pad}{f',{pad}'.join(lines)}\n{' ' * indent}{closing}"


def make_request(kind, manifest, changes):
    """The request of a manifest.

    Args:
        kind: class of the request.
        manifest: Manifest.
        changes: {field: value} in place of those of the manifest.

    Raises:
        InputError: for other fields than those of `kind`, or a value that does not fit.
    """
    names, fields = {field.name for field in dataclasses.fields(kind)}, manifest.fields
    if fields.keys() != names:
        different = ", ".join(sorted(str(name) for name in fields.keys() ^ names))
        raise InputError(
            f"--from_manifest: a request to {kind.action} must have the fields that this model needs. "
            f"Received: {manifest.path}, which differs in {different}"
        )
    if unknown := sorted(changes.keys() - names):
        raise InputError(f"--{kind.action} of this model cannot be combined with --{unknown[0]}.")
    if isinstance(fields.get("search"), dict):
        try:
            search = MaskSearch if "mask" in fields["search"] else Search
            fields = fields | {"search": search(**fields["search"])}
        except TypeError as error:
            raise InputError(
                f"--from_manifest: a search must have the fields of {search.__name__}. Received: {error}"
            ) from error
    return kind(**fields | changes)


def copy_to_release(manifest_path, folder):
    """Copies a manifest, and the latents beside it, to a release's folder. Returns the new paths."""
    copies = []
    for path in (Path(manifest_path).with_suffix(".npz"), Path(manifest_path)):
        if path.is_file():
            copies.append(Path(folder) / Path(BUNDLED).with_suffix(path.suffix))
            write_atomically(copies[-1], path.read_bytes())
    return copies

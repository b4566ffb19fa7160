"""The suite "viewers": what do viewers call the pictures, if nobody tells them what they are?

The suite writes a round of pictures with decoys for viewers to name (`evaluation.viewers.rounds`). Their answers
are tallied without the model or the data (`evaluation.viewers.tally`).
"""

import os
from pathlib import Path

import numpy as np

from common import images, release
from common.data import datasets
from common.data.folders import is_ignored
from common.errors import InputError
from evaluation.report.estimates import Section
from evaluation.viewers.rounds import write_round
from pictures import acai_plan, acai_render, gan_plan, gan_render, manifest
from pictures.request import request_class

FAMILIES = {"acai": (acai_plan, acai_render), "gan": (gan_plan, gan_render)}
TEXT = (
    "Give each viewer a copy of the page, or show the sheets one by one, and nothing else. Not even the names of "
    "folders may tell what this is about. Ask no viewer twice. Then tally the files of answers with --answers."
)


def run(inputs):
    config, source = inputs.config, inputs.release.source
    path = config.pictures or manifest.find_bundled(source)
    if path is None:
        raise InputError(f"--pictures must be given, because {source} has no bundled pictures.")
    facts = {"source": source, "weights": inputs.release.digest, "pictures": str(config.pictures or "bundled")}
    pictures = load_pictures(path, source)
    photographs = datasets.load_cifar10(config.data_dir, "test", ("horse", "bird"))
    return evaluate(config.out, pictures, photographs, facts, config.seed)


def evaluate(folder, pictures, photographs, facts, seed=0):
    """Writes a round of pictures to name.

    Args:
        folder: an existing folder.
        pictures: uint8 [N, H, W, 3].
        photographs: common.data.datasets.ImageDataset of horses and birds, for the decoys.
        facts: see `evaluation.viewers.rounds.write_round`.
        seed: of the order and the decoys.

    Returns:
        Section that lists the files.
    """
    by_class = [photographs.select((name,)) for name in ("horse", "bird")]
    sheets, counts = write_round(folder, pictures, *by_class, facts, seed)
    files = {
        "ask/page.html": "for viewers: a page that saves their answers",
        "ask/sheet-1.png": f"for viewers without the page: the first of {len(sheets)} sheets",
        "ask/answers.json": "the file to fill in for them",
        "key/key.json": "not for viewers: what the pictures are",
    }
    table = [{"file": os.path.join(folder, name), "what": what} for name, what in files.items()]
    shown = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
    return Section("Pictures to name", [], table, text=f"Shown are {shown}. {TEXT}")


def load_pictures(path, source):
    """Loads pictures to ask about.

    Args:
        path: a manifest.json of generate.py, a folder with one, or a folder of picture files.
        source: of the model that made the pictures of a manifest, which are decoded again.

    Returns:
        uint8 [N, H, W, 3].

    Raises:
        InputError: there are none, or the manifest is of another model.
    """
    path = Path(path)
    if os.path.isdir(path) and not os.path.isfile(path / "manifest.json"):
        files = sorted(file for file in path.iterdir() if file.is_file() and not is_ignored(file.name))
        if not files:
            raise InputError(
                f"--pictures must be a manifest.json or a folder of pictures. Received: {path}, empty"
            )
        return np.stack([images.read_picture(file) for file in files])
    plan, rendering = load_plan(path, source)
    rendered, _ = rendering.render(plan, rendering.load_model(plan))
    if "pictures" not in rendered:
        raise InputError(f"--pictures must be a manifest of pictures. Received: {path}, of strips or diagrams")
    return images.to_uint8(rendered["pictures"])


def load_plan(path, source):
    """Loads the plan of a manifest.

    Args:
        path: a manifest.json of generate.py, or a folder with one.
        source: of the model that made its pictures.

    Returns:
        (the plan, the module that renders it).

    Raises:
        InputError: the manifest is damaged or of another model.
    """
    stored = manifest.read(os.path.join(path, "manifest.json") if os.path.isdir(path) else path)
    folder = release.resolve(source)
    family = release.family(folder)
    planning, rendering = FAMILIES[family]
    kind = request_class(family, stored.action, folder)
    request = manifest.make_request(kind, stored, {"source": source})
    return planning.make_plan(request, folder, stored), rendering

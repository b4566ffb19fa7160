"""Writes a round: pictures and decoys in random order for viewers to name, and the key that says what they are.

    ask/page.html      a page that asks "What is this?" of each picture and saves the answers as a file
    ask/sheet-1.png    25 numbered pictures a sheet, for viewers that cannot use the page
    ask/answers.json   the file of answers to fill in for those viewers
    key/key.json       what each picture is; not for viewers

A round is fixed once it is written: answers name the key's digest and each picture's.
"""

import base64
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.errors import InputError
from common.files import digest, write_atomically
from common.images import encode_png, enlarge

PER_SHEET, COLUMNS = 25, 5
MIN_DECOYS = 36
TILE, MARGIN = 192, 28  # pixels: a picture on a sheet, and the space around it, where its number is
DECOYS = ("real horse", "real bird", "cross-fade")
TEMPLATE = Path(__file__).with_name("page.html")
ASK, KEY = "ask", os.path.join("key", "key.json")


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a round.

    Args:
        kind: "picture", or one of DECOYS.
        name: which one of its kind, such as "3" or "test 17 and 4".
        image: uint8 [H, W, 3].
    """

    kind: str
    name: str
    image: np.ndarray

    @property
    def digest(self):
        return digest(np.ascontiguousarray(self.image).tobytes())


def count_decoys(count):
    """Returns the number of decoys beside `count` pictures: at least MIN_DECOYS, so that all sheets are full."""
    return MIN_DECOYS - (count + MIN_DECOYS) % -PER_SHEET


def draw_decoys(horses, birds, count, seed):
    """Draws decoys of all kinds, in equal numbers up to one; no image occurs twice.

    Args:
        horses, birds: common.data.datasets.ImageDataset, of which at most 2/3 of `count` are used.
        count: number of decoys.
        seed: integer >= 0.

    Returns:
        List of Picture. A cross-fade is the mean of a horse and a bird.
    """
    num_horses, num_birds, num_faded = ((count + rest) // 3 for rest in (2, 1, 0))
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    horse_rows = random.choice(len(horses), num_horses + num_faded, replace=False)
    bird_rows = random.choice(len(birds), num_birds + num_faded, replace=False)
    decoys = []
    for kind, dataset, rows in zip(DECOYS, (horses, birds), (horse_rows, bird_rows), strict=False):
        single = rows[num_faded:]
        decoys += [Picture(kind, f"{dataset.split} {dataset.ids[row]}", dataset.images[row]) for row in single]
    for horse, bird in zip(horse_rows[:num_faded], bird_rows[:num_faded], strict=True):
        mean = (horses.images[horse].astype(np.uint16) + birds.images[bird] + 1) // 2
        name = f"{horses.split} {horses.ids[horse]} and {birds.ids[bird]}"
        decoys.append(Picture("cross-fade", name, mean.astype(np.uint8)))
    return decoys


def write_round(folder, images, horses, birds, facts, seed):
    """Writes the files of a round; the same arguments give the same files.

    Args:
        folder: an existing folder.
        images: the pictures to ask about, uint8 [N, H, W, 3].
        horses, birds: see `draw_decoys`.
        facts: flat dict of plain values that say where the pictures come from, for the key.
        seed: integer >= 0, of the order and the decoys.

    Returns:
        [paths of the sheets], and {kind: number of pictures}.

    Raises:
        InputError: the folder holds another round.
    """
    shown = [Picture("picture", str(k), image) for k, image in enumerate(images)]
    shown += draw_decoys(horses, birds, count_decoys(len(shown)), seed)
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).permutation(len(shown))
    shown = [shown[place] for place in order]
    tiles = [enlarge(picture.image, TILE // len(picture.image), "bicubic") for picture in shown]
    sheets = [
        encode_png(draw_sheet(tiles[start : start + PER_SHEET], start + 1))
        for start in range(0, len(tiles), PER_SHEET)
    ]
    key = {
        "facts": facts | {"seed": seed},
        "sheets": [digest(sheet) for sheet in sheets],
        "pictures": [
            {"number": number, "kind": picture.kind, "name": picture.name, "picture": picture.digest}
            for number, picture in enumerate(shown, start=1)
        ],
    }
    key_text = (json.dumps(key, indent=1) + "\n").encode()
    if os.path.exists(os.path.join(folder, KEY)) and Path(folder, KEY).read_bytes() != key_text:
        raise InputError(f"--out must be a folder without another round of pictures. Received: {folder}")
    form = {"round": digest(key_text), "viewer": "", "viewer_kind": "", "answers": []}
    form["answers"] = [
        {"number": entry["number"], "picture": entry["picture"], "answer": ""} for entry in key["pictures"]
    ]
    contents = {KEY: key_text, os.path.join(ASK, "answers.json"): (json.dumps(form, indent=1) + "\n").encode()}
    contents[os.path.join(ASK, "page.html")] = render_page(form, tiles).encode()
    paths = [os.path.join(ASK, f"sheet-{k}.png") for k in range(1, len(sheets) + 1)]
    contents |= dict(zip(paths, sheets, strict=True))
    for name, content in contents.items():
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        write_atomically(os.path.join(folder, name), content)
    kinds = [picture.kind for picture in shown]
    return [os.path.join(folder, path) for path in paths], {
        kind: kinds.count(kind) for kind in ("picture", *DECOYS)
    }


def draw_sheet(tiles, first_number):
    """Draws enlarged pictures in rows of COLUMNS, each below its number; returns uint8 [H, W, 3]."""
    cell = TILE + MARGIN
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * cell + MARGIN, rows * cell + MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for k, tile in enumerate(tiles):
        left, top = k % COLUMNS * cell + MARGIN, k // COLUMNS * cell + MARGIN
        sheet.paste(Image.fromarray(tile), (left, top))
        draw.text((left, top - 3), str(first_number + k), "black", font, anchor="ls")
    return np.asarray(sheet)


def render_page(form, tiles):
    """Renders the page as text; it holds the pictures and needs no other file."""
    images = [base64.b64encode(encode_png(tile)).decode() for tile in tiles]
    data = json.dumps({"form": form, "images": images})
    return TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data)

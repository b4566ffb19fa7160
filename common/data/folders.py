"""Lists the files in a folder of images that has one sub-folder per class."""

import os
from pathlib import Path

from absl import logging

from common.errors import InputError, one_line

LEFT_BY_SYSTEMS = {  # in lower case
    "#recycle", "#snapshot", "$recycle.bin", "@eadir", "@recycle", "__macosx", "__pycache__", "desktop.ini",
    "ehthumbs.db", "ehthumbs_vista.db", "found.000", "icon\r", "lost+found", "network trash folder", "recycled",
    "recycler", "system volume information", "temporary items", "thumbs.db",
}  # fmt: skip
SPLITS = {
    "dev", "eval", "evaluation", "hold-out", "holdout", "test", "testing", "train", "training", "val", "valid",
    "validation",
}  # fmt: skip
NAMED = 10  # files or folders that a warning names


def is_ignored(name):
    """Whether a file or folder is hidden or was left by an operating system, by its name."""
    return name.startswith(".") or name.lower() in LEFT_BY_SYSTEMS or name.lower().endswith(":zone.identifier")


def list_class_names(folder):
    """Lists the names of the classes of a folder, a path, sorted, without looking into them.

    Raises:
        InputError: as `list_classes`.
    """
    return [path.name for path in _list_entries(Path(os.path.expanduser(folder)))[0]]


def count_files(folder):
    """Counts the files of each class of a folder, a path: {name: number}, sorted.

    Raises:
        InputError: as `list_classes`.
    """
    return {path.name: len(_list_files(path, [])) for path in _list_entries(Path(os.path.expanduser(folder)))[0]}


def list_classes(folder):
    """Lists the files of each class, and warns of folders that are left out or named like splits.

    Links to folders are followed, unless they lead to a folder that contains them or that was read already.

    Args:
        folder: `Path`.

    Returns:
        ({name of a class: its files, sorted `Path`s}, sorted; [`Path` of each file outside any class]).

    Raises:
        InputError: the folder is none or has no sub-folder, or the name of a class is not valid Unicode.
    """
    class_folders, others = _list_entries(folder)
    left_out = []
    files = {path.name: _list_files(path, left_out) for path in class_folders}
    warn_of(folder, "left out {} folders (unreadable, read already, or a link to what contains it)", left_out)
    if splits := [name for name in files if name.lower() in SPLITS]:
        advice = "if these are splits, pass one of them, or a folder with one sub-folder per class"
        logging.warning("%s: the sub-folders %s are taken for classes; %s", folder, ", ".join(splits), advice)
    return files, others


def _list_entries(folder):
    """Returns (folders of the classes, other entries), sorted `Path`s; raises InputError as `list_classes`."""
    required = f"image_folder must be a folder with one sub-folder of images per class. Received: {folder}"
    if not os.path.isdir(folder):
        raise InputError(f"{required}, which is not a folder. Check the path.")
    try:
        entries = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
        class_folders = [path for path in entries if path.is_dir()]
    except OSError as error:
        raise InputError(f"{required}, which cannot be read ({error.strerror})") from error
    if not class_folders:
        raise InputError(f"{required}, which has no sub-folder. Move the images into one folder per class.")
    for name in (path.name for path in class_folders):
        if name.encode(errors="replace").decode() != name:
            raise InputError(f"{required}, where the name {name!a} is not valid Unicode. Rename it.")
    return class_folders, [path for path in entries if path not in class_folders]


def _list_files(class_folder, left_out):
    """Returns the sorted files at any depth; appends folders that are not read to `left_out`."""
    files, read, waiting = [], set(), [class_folder]
    real_class = Path(os.path.realpath(class_folder))
    for top in waiting:  # links wait here until the folders that are no links have been read
        target, place = os.path.realpath(top), Path(os.path.realpath(top.parent))
        if place.is_relative_to(target) or top != class_folder and real_class.is_relative_to(target):
            left_out.append(top)
            continue
        for parent, folders, names in os.walk(top, onerror=lambda error: left_out.append(Path(error.filename))):
            folders[:] = sorted(name for name in folders if not is_ignored(name))
            if (real := os.path.realpath(parent)) in read:
                left_out.append(Path(parent))
                folders.clear()
                continue
            read.add(real)
            files += [Path(parent, name) for name in names if not is_ignored(name)]
            waiting += [Path(parent, name) for name in folders if os.path.islink(os.path.join(parent, name))]
    return sorted(files)


def warn_of(folder, text, paths):
    """Logs a warning unless there are no `paths`: `text` with their number in the place of {}, and some names."""
    if paths:
        names = ", ".join(one_line(path.relative_to(folder)) for path in paths[:NAMED])
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        logging.warning("%s: %s: %s%s", folder, text.format(len(paths)), names, more)

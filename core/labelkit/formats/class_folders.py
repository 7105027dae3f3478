"""Folders of classes: a text in each file, and its class is the name of its folder, as the IMDb corpus has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labelkit.errors import DataError
from labelkit.files.compression import uncompressed_name
from labelkit.files.reading import lines_with_ends, too_long
from labelkit.files.split_names import UNCLEAR_SPLITS, canonical_split
from labelkit.formats.columns import usual_layer
from labelkit.formats.examples import read_records
from labelkit.records import Example, Format, LoadContext

#: how folders of texts without a class are called, such as that of IMDb
_WITHOUT_CLASS = ("unsup", "unsupervised", "unlabeled", "unlabelled")
_SUFFIX = ".txt"
_LISTED = 5  # names in a message


def class_splits(folder: Path) -> dict[str, Path] | None:
    """Return split → its folder, where each split is a folder of classes; None for any other folder.

    Folders with names of splits are these splits; without them, the folder itself is train.
    """
    inside = {split: sub for sub in _subfolders(folder) if (split := canonical_split(sub.name))}
    splits = {split: sub for split, sub in inside.items() if is_folder_of_classes(sub)}
    if "train" in splits:
        return splits
    return {"train": folder} if not inside and is_folder_of_classes(folder) else None


def is_folder_of_classes(folder: Path) -> bool:
    """Return whether a folder has at least two subfolders of texts, whose names are not those of splits."""
    classes = _classes(folder)
    return len(classes) > 1 and not any(canonical_split(one.name) or one.name in UNCLEAR_SPLITS for one in classes)


def beside_classes(folder: Path) -> list[str]:
    """Return the names of what lies in a folder of classes and is not read."""
    classes = _classes(folder)
    others = [path for path in sorted(folder.iterdir()) if path not in classes]
    inside = [path for one in classes for path in sorted(one.iterdir()) if not _is_text(path)]
    return [_shown(path, folder) for path in (*others, *inside)]


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the text of each file, and the name of its folder as its class.

    :raises DataError: there are no classes; or a file is not in the encoding, or too long; names the file.
    """
    classes = _classes(path)
    if not classes:
        raise DataError(f"{path} is not a folder of classes", hint="put texts in NAME.txt, in a folder for each class")
    names = ", ".join(one.name for one in classes[:_LISTED]) + (", …" if len(classes) > _LISTED else "")
    ctx.policy.assume(
        f"in {path} each file is a text, and the name of its folder its class ({names})",
        "--set data.format=NAME says otherwise",
    )
    if left := beside_classes(path):
        more = f" and {len(left) - _LISTED:,} more" if len(left) > _LISTED else ""
        ctx.policy.assume(
            f"in {path} these are not read: {', '.join(left[:_LISTED])}{more}", "name texts NAME.txt to read them"
        )
    layer, within = ctx.layer or usual_layer("text"), replace(ctx, columns={})
    for folder in classes:
        for file in sorted(filter(_is_text, folder.iterdir())):
            record = {"id": f"{folder.name}/{file.name}", "text": _text(file, ctx), layer: folder.name}
            yield from read_records(file, within, iter([(1, record)]))


FORMAT = Format(
    name="class-folders",
    kinds=("text",),
    suffixes=(".classes",),
    read=read,
    summary="folders of classes: a text in each .txt file, its class is the name of its folder",
)


def _text(file: Path, ctx: LoadContext) -> str:
    """Return the content of a file without the end of its last line."""
    limit, lines, size = ctx.settings.max_record, list[str](), 0
    for line in lines_with_ends(file, ctx.encoding, ctx.policy.undecodable, limit):
        lines.append(line)
        size += len(line)
        if size > limit:
            raise too_long(str(file), "file", limit)
    return "".join(lines).removesuffix("\n").removesuffix("\r")


def _classes(folder: Path) -> list[Path]:
    return [sub for sub in _subfolders(folder) if sub.name.lower() not in _WITHOUT_CLASS and _has_texts(sub)]


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))
    except OSError:  # reported by whatever reads the folder
        return []


def _has_texts(folder: Path) -> bool:
    """Return whether there are texts in a folder, and neither further folders nor annotation files beside them."""
    inside = list(folder.iterdir())
    if any(path.is_dir() or path.suffix == ".ann" for path in inside):
        return False
    return any(map(_is_text, inside))


def _is_text(path: Path) -> bool:
    return uncompressed_name(path.name).endswith(_SUFFIX) and not path.name.startswith(".")


def _shown(path: Path, folder: Path) -> str:
    return f"{path.relative_to(folder)}{'/' if path.is_dir() else ''}"

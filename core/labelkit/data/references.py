"""Parse data references (``--data``) and ``--columns``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labelkit.errors import DataError, nearest
from labelkit.files.reading import reading_errors
from labelkit.files.split_names import SPLIT_ALIASES, canonical_split

_KEYS = ("train", "validation", "valid", "val", "dev", "test")
_KEY = re.compile(rf"(?:^|,)({'|'.join(_KEYS)})=")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataReference:
    """A parsed ``--data``.

    :param text: as the user wrote it.
    :param kind: ``place``: a source's name or a path; ``files``: one file per split; ``hub``: a dataset of the Hub.
    :param files: split → file, for kind ``files``.
    :param hub: the id of the dataset, for kind ``hub``.
    :param revision: its revision, where one is given.
    """

    text: str
    kind: Literal["place", "files", "hub"]
    files: Mapping[str, Path] = field(default_factory=dict)
    hub: str | None = None
    revision: str | None = None

    @property
    def path(self) -> Path:
        """The text as a path."""
        return Path(self.text).expanduser()


def parse_reference(text: str) -> DataReference:
    """Parse a data reference, without checking that its files exist.

    A path that exists is a path, whichever commas or equals signs it holds.

    >>> parse_reference("train=a.txt,dev=b.txt").files["validation"].name
    'b.txt'

    :raises DataError: it is empty, names an unknown split, or one split twice.
    """
    if not text.strip():
        raise DataError("the data reference is empty", hint="give a source's name, a path, or train=PATH,test=PATH")
    if Path(text).expanduser().exists():
        return DataReference(text=text, kind="place")
    if text.startswith("hub:"):
        id_, at, revision = text.removeprefix("hub:").partition("@")
        if not id_ or (at and not revision):
            raise DataError(f"'{text}' names no dataset", hint="write it as hub:ORG/NAME or hub:ORG/NAME@REVISION")
        return DataReference(text=text, kind="hub", hub=id_, revision=revision or None)
    if _KEY.match(text):
        return DataReference(text=text, kind="files", files=parse_split_files(text))
    if match := re.match(r"([A-Za-z]+)=", text):
        raise DataError(f"unknown split '{match[1]}' in '{text}'", hint=nearest(match[1], _KEYS))
    return DataReference(text=text, kind="place")


def parse_split_files(text: str) -> dict[str, Path]:
    """Parse ``train=PATH,test=PATH``; a path may itself hold ``,test=`` where it exists.

    :raises DataError: a split has no file, or two.
    """
    keys = list(_KEY.finditer(text))
    files: dict[str, Path] = {}
    while keys:
        split = SPLIT_ALIASES[keys[0][1]]
        # "train=a,test=b" may also be one train file called "a,test=b": the longest path that exists wins.
        ends = [key.start() for key in keys[1:]] + [len(text)]
        paths = [Path(text[keys[0].end() : end]).expanduser() for end in ends]
        taken = next((n for n in reversed(range(len(paths))) if paths[n].exists()), 0)
        if split in files:
            raise DataError(f"'{text}' gives the {split} split twice", hint="one file for each split")
        if not text[keys[0].end() : ends[taken]]:
            raise DataError(f"'{text}' names no file for the {split} split")
        files[split] = paths[taken]
        keys = keys[taken + 1 :]
    return files


def split_key(name: str, what: str) -> str:
    """Return the split that ``name`` means, e.g. ``validation`` for ``dev``.

    :param what: what names it, for the message.
    :raises DataError: it names none.
    """
    split = canonical_split(name)
    if split is None:
        raise DataError(f"unknown split '{name}' in {what}", hint=nearest(name, _KEYS))
    return split


def files_read(text: str) -> list[Path]:
    """Return the local files that a data reference may be read from; none for a source or a dataset of the Hub."""
    reference = parse_reference(text)
    if reference.kind != "place" or not reference.path.is_dir():
        return [reference.path] if reference.kind == "place" else list(reference.files.values())
    with reading_errors(reference.path):
        return [file for file in reference.path.rglob("*") if file.suffix == ".ann" or canonical_split(file.stem)]


def parse_split_formats(text: str) -> dict[str, str]:
    """Parse a ``data.format`` of several splits: split → the name of its format.

    >>> parse_split_formats("train=label-studio,dev=conll")
    {'train': 'label-studio', 'validation': 'conll'}

    :raises DataError: a part is not ``SPLIT=FORMAT``, or a split comes twice.
    """
    formats: dict[str, str] = {}
    for part in text.split(","):
        name, _, chosen = (piece.strip() for piece in part.partition("="))
        split = canonical_split(name)
        if split is None or not chosen or split in formats:
            raise DataError(f"invalid data.format '{text}' at '{part}'", hint="write NAME, or train=NAME,test=NAME")
        formats[split] = chosen
    return formats


def parse_columns(text: str) -> dict[str, str]:
    """Parse ``--columns``: field name → column name or number.

    >>> parse_columns("tokens=0,ner=3")
    {'tokens': '0', 'ner': '3'}

    :raises DataError: a part is not ``NAME=COLUMN``, or a name comes twice.
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not (name and equals and column):
            raise DataError(f"--columns cannot read '{part}' in '{text}'", hint="write it as --columns tokens=0,ner=3")
        if name in columns:
            raise DataError(f"--columns gives '{name}' twice in '{text}'")
        columns[name] = column
    return columns

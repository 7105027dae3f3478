"""Parse data references (``--data``) and ``--columns``, and find the files of the splits in a folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labelkit.errors import DataError, nearest
from labelkit.files.reading import reading_errors
from labelkit.files.split_names import SPLIT_ALIASES, SPLITS

_KEYS = ("train", "validation", "valid", "val", "dev", "test")
_KEY = re.compile(rf"(?:^|,)({'|'.join(_KEYS)})=")
# a split name is a word of a file name or follows a digit (wnut17train), it is never part of a longer word
_IN_NAME = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_ALIASES, key=len, reverse=True))})(?![a-z])")
_FIRST_SHARD = re.compile(r"(.+)-00000-of-(\d{5})(\..+)")
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\..+")
_NOT_DATA = re.compile(r"^(\.|readme|licen[cs]e|copying|changelog|citation|notice)", re.IGNORECASE)
# files that are commonly kept beside data and may carry a split's name, e.g. train.py or train_curve.png
_NO_DATA_SUFFIXES = (
    ".py", ".sh", ".md", ".rst", ".html", ".pdf", ".png", ".jpg", ".svg", ".log", ".out", ".cfg", ".yaml", ".yml",
    ".toml", ".ini", ".lock", ".sha256", ".md5", ".bak",
)  # fmt: skip
_DATA_SUFFIXES = (".conll", ".iob", ".iob1", ".iob2", ".bio", ".bioes", ".bilou", ".txt", ".tsv", ".conllu")
#: the hint where the files of the splits are ambiguous
NAME_THE_SPLITS = "name them: --data train=PATH,validation=PATH,test=PATH"


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


def find_split_files(folder: Path, suffixes: Collection[str] = _DATA_SUFFIXES) -> dict[str, Path]:
    """Find the files of the splits in a folder by the usual names, e.g. ``eng.testa``, ``en-dev.conll.gz``.

    :param suffixes: file endings of data, without ``.gz``; other files count only where none has one.
    :raises DataError: there is no train split, or two files for one split.
    """
    with reading_errors(folder):
        files = sorted(
            file
            for file in folder.iterdir()
            if file.is_file() and not _NOT_DATA.match(file.name) and file.suffix.lower() not in _NO_DATA_SUFFIXES
        )
    found: dict[str, list[Path]] = {}
    for file in files:
        splits = {SPLIT_ALIASES[name] for name in _IN_NAME.findall(file.name.lower())}
        if len(splits) == 1:
            found.setdefault(splits.pop(), []).append(file)
        elif splits and _has_suffix(file, suffixes):
            raise DataError(f"{file} could be the {' or the '.join(sorted(splits))} split", hint=NAME_THE_SPLITS)
    if "train" not in found:
        names = ", ".join(file.name for file in files[:8]) + (", …" if len(files) > 8 else "")
        raise DataError(
            f"{folder} has no train split, it holds {names or 'no files'}",
            hint="name one file train.* (and dev.*, test.*), or give --data train=PATH,validation=PATH",
        )
    return {split: _file_of_split(split, found[split], suffixes) for split in SPLITS if split in found}


def shards_of(file: Path) -> list[Path]:
    """Return all shards where the file is the first of several, ``train-00000-of-00002.parquet``; else the file alone.

    :raises DataError: a shard is missing.
    """
    match = _FIRST_SHARD.fullmatch(file.name)
    if match is None:
        return [file]
    parts = [file.with_name(f"{match[1]}-{index:05}-of-{match[2]}{match[3]}") for index in range(int(match[2]))]
    if missing := [part.name for part in parts if not part.exists()]:
        raise DataError(f"{file} is one of {len(parts)} parts, and {missing[0]} is missing", hint="get all of them")
    return parts or [file]


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


def _file_of_split(split: str, files: list[Path], suffixes: Collection[str]) -> Path:
    """Return the only data file among the files of a split, or the first shard, which stands for all of them."""
    files = [file for file in files if _has_suffix(file, suffixes)] or files
    first = [file for file in files if _FIRST_SHARD.fullmatch(file.name)]
    if len(first) == 1 and all(_SHARD.fullmatch(file.name) for file in files):
        return first[0]
    if len(files) > 1:
        raise DataError(f"two files for the {split} split: {files[0]} and {files[1]}", hint=NAME_THE_SPLITS)
    return files[0]


def _has_suffix(file: Path, suffixes: Collection[str]) -> bool:
    return file.name.lower().removesuffix(".gz").endswith(tuple(suffixes))

"""Data references (``--data``), the splits of a folder, and ``--columns``: text in, checked records out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from labelkit.errors import DataError, nearest
from labelkit.files.split_names import SPLIT_ALIASES, SPLITS

ReferenceKind = Literal["place", "files", "hub"]

_KEYS = ("train", "validation", "valid", "val", "dev", "test")
_KEY = re.compile(rf"(?:^|,)({'|'.join(_KEYS)})=")
# A split name stands alone in a file name or behind a digit (wnut17train), never inside a longer word.
_IN_NAME = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_ALIASES, key=len, reverse=True))})(?![a-z])")
_FIRST_SHARD = re.compile(r"(.+)-00000-of-(\d{5})(\..+)")
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\..+")
_NOT_DATA = re.compile(r"^(\.|readme|licen[cs]e|copying|changelog|citation|notice)", re.IGNORECASE)
# What commonly stands beside data and may carry a split's name, e.g. train.py or train_curve.png.
_BESIDE = (
    ".py",
    ".sh",
    ".md",
    ".rst",
    ".html",
    ".pdf",
    ".png",
    ".jpg",
    ".svg",
    ".log",
    ".out",
    ".cfg",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".lock",
    ".sha256",
    ".md5",
    ".bak",
)
_DATA_SUFFIXES = (".conll", ".iob", ".iob1", ".iob2", ".bio", ".bioes", ".bilou", ".txt", ".tsv", ".conllu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What ``--data`` says.

    :param text: as the user wrote it.
    :param kind: ``place``: a source's name or a path; ``files``: one file per split; ``hub``: a Hub data set.
    :param files: split → file, for kind ``files``.
    :param hub: the data set's id, for kind ``hub``.
    :param revision: its revision, where one is given.
    """

    text: str
    kind: ReferenceKind
    files: Mapping[str, Path] = field(default_factory=dict)
    hub: str | None = None
    revision: str | None = None

    @property
    def path(self) -> Path:
        """The text as a path."""
        return Path(self.text).expanduser()


def parse_reference(text: str) -> Reference:
    """Parse a data reference; whether its files exist is not checked.

    A path that exists is taken as it is, whichever commas or equals signs it holds.

    >>> parse_reference("train=a.txt,dev=b.txt").files["validation"].name
    'b.txt'

    :raises DataError: it is empty, names an unknown split, or one split twice.
    """
    if not text.strip():
        raise DataError("the data reference is empty", hint="give a source's name, a path, or train=PATH,test=PATH")
    if Path(text).expanduser().exists():
        return Reference(text=text, kind="place")
    if text.startswith("hub:"):
        return _hub(text)
    if _KEY.match(text):
        return Reference(text=text, kind="files", files=_files(text))
    if match := re.match(r"([A-Za-z]+)=", text):
        raise DataError(f"unknown split '{match[1]}' in '{text}'", hint=nearest(match[1], _KEYS))
    return Reference(text=text, kind="place")


def split_files(folder: Path, suffixes: Collection[str] = _DATA_SUFFIXES) -> dict[str, Path]:
    """Find the files of the splits in a folder by the usual names, e.g. ``eng.testa``, ``en-dev.conll.gz``.

    :param suffixes: file endings that mark data, without ``.gz``; other files count only where none has one.
    :raises DataError: there is no train split, or two files for one split.
    """
    files = _visible(folder)
    found: dict[str, list[Path]] = {}
    for file in files:
        if split := _split_of(file, suffixes):
            found.setdefault(split, []).append(file)
    chosen = {split: _only(split, found[split], suffixes) for split in SPLITS if split in found}
    if "train" not in chosen:
        have = ", ".join(file.name for file in files[:8]) + (", …" if len(files) > 8 else "")
        raise DataError(
            f"{folder} has no train split, it holds {have or 'no files'}",
            hint="name one file train.* (and dev.*, test.*), or give --data train=PATH,validation=PATH",
        )
    return chosen


def shards_of(file: Path) -> list[Path]:
    """Return all parts of a file that is the first of several, ``train-00000-of-00002.parquet``; else the file alone.

    :raises DataError: a part is missing.
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


def _hub(text: str) -> Reference:
    id_, at, revision = text.removeprefix("hub:").partition("@")
    if not id_ or (at and not revision):
        raise DataError(f"'{text}' names no data set", hint="write it as hub:ORG/NAME or hub:ORG/NAME@REVISION")
    return Reference(text=text, kind="hub", hub=id_, revision=revision or None)


def _files(text: str) -> dict[str, Path]:
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


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if _may_be_data(file))
    except FileNotFoundError as error:
        raise DataError(f"{folder} does not exist", hint="check the path") from error
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_data(file: Path, suffixes: Collection[str]) -> bool:
    return file.name.lower().removesuffix(".gz").endswith(tuple(suffixes))


def _may_be_data(file: Path) -> bool:
    return file.is_file() and not _NOT_DATA.match(file.name) and file.suffix.lower() not in _BESIDE


def _split_of(file: Path, suffixes: Collection[str]) -> str | None:
    names = {SPLIT_ALIASES[name] for name in _IN_NAME.findall(file.name.lower())}
    if len(names) > 1 and not _is_data(file, suffixes):
        return None
    if len(names) > 1:
        raise DataError(
            f"{file} could be the {' or the '.join(sorted(names))} split",
            hint="say which: --data train=PATH,validation=PATH,test=PATH",
        )
    return names.pop() if names else None


def _only(split: str, files: list[Path], suffixes: Collection[str]) -> Path:
    """Return the one file of a split, leaving out a log or a picture that stands beside the data."""
    data = [file for file in files if _is_data(file, suffixes)]
    likely = data or files
    first = [file for file in likely if _FIRST_SHARD.fullmatch(file.name)]
    if len(first) == 1 and all(_SHARD.fullmatch(file.name) for file in likely):
        return first[0]  # which stands for all parts, see shards_of
    if len(likely) > 1:
        raise DataError(
            f"two files for the {split} split: {likely[0]} and {likely[1]}",
            hint="say which: --data train=PATH,validation=PATH,test=PATH",
        )
    return likely[0]

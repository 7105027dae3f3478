"""Find the files of the splits in a folder, by the usual names of files and subfolders."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labelkit.errors import DataError
from labelkit.files.compression import uncompressed_name
from labelkit.files.reading import reading_errors
from labelkit.files.split_names import SPLIT_ALIASES, SPLITS, UNCLEAR_SPLITS, canonical_split
from labelkit.records import Assumption

# a split name is a word of a file name or follows a digit (wnut17train), it is never part of a longer word
_IN_NAME = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_ALIASES, key=len, reverse=True))})(?![a-z])")
_UNCLEAR = re.compile(rf"(?<![a-z])(?:{'|'.join(UNCLEAR_SPLITS)})(?![a-z])")
_FIRST_SHARD = re.compile(r"(.+)-00000-of-(\d{5})(\..+)")
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\..+")
_NOT_DATA = re.compile(r"^(\.|readme|licen[cs]e|copying|changelog|citation|notice|dataset_infos?\.json)", re.IGNORECASE)
# files that are commonly kept beside data and may carry a split's name, e.g. train.py or train_curve.png
_NO_DATA_SUFFIXES = (
    ".py", ".sh", ".md", ".rst", ".html", ".pdf", ".png", ".jpg", ".svg", ".log", ".out", ".cfg", ".yaml", ".yml",
    ".toml", ".ini", ".lock", ".sha256", ".md5", ".bak", ".orig", ".old", ".tmp", ".swp",
)  # fmt: skip
_DATA_SUFFIXES = (".conll", ".iob", ".iob1", ".iob2", ".bio", ".bioes", ".bilou", ".txt", ".tsv", ".conllu")
#: the hint where the files of the splits are ambiguous
NAME_THE_SPLITS = "name them: --data train=PATH,validation=PATH,test=PATH"
#: the folder of data in a repository of the Hub
_DATA_FOLDER = "data"
_LISTED = 5  # names in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFiles:
    """The files of the splits in a folder.

    :param files: split → its file, or the first of several.
    :param parts: split → its files, where it has several that are not shards of one.
    :param unread: names of the files and folders beside them that are not read.
    :param unclear: split → its file, where the name may mean another split.
    """

    files: Mapping[str, Path]
    parts: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    unread: Sequence[str] = ()
    unclear: Mapping[str, Path] = field(default_factory=dict)

    def assumptions(self, folder: Path) -> Iterator[Assumption]:
        """Yield what was assumed of the folder, for users."""
        for split, file in self.unclear.items():
            otherwise = "--data train=PATH,validation=PATH,test=PATH says otherwise"
            yield Assumption(f"{file} is read as the {split} split", otherwise)
        if self.unread:
            names = ", ".join(self.unread[:_LISTED])
            more = f" and {len(self.unread) - _LISTED:,} more" if len(self.unread) > _LISTED else ""
            otherwise = "splits can be named: --data train=PATH,test=PATH"
            yield Assumption(f"in {folder} these are not read: {names}{more}", otherwise)


def find_splits(folder: Path, suffixes: Collection[str] = _DATA_SUFFIXES) -> SplitFiles:
    """Find the files of the splits in a folder by the usual names, e.g. ``eng.testa``, ``en-dev.conll.gz``.

    Without a train file, subfolders ``train/``, ``dev/``, ``test/`` are the splits, or ``data/`` holds the files.

    :param suffixes: file endings of data, without ``.gz``; other files count only where none has one.
    :raises DataError: there is no train split, or two files for one split.
    """
    files = _data_files(folder)
    found = _by_split(files, suffixes)
    if "train" not in found:
        return _in_subfolders(folder, files, suffixes)
    chosen = {split: _file_of_split(split, found[split], suffixes) for split in SPLITS if split in found}
    unclear = [file for file in files if _is_unclear(file) and _has_suffix(file, (*suffixes, chosen["train"].suffix))]
    guessed = _guessed(unclear, chosen)
    chosen = {split: {**chosen, **guessed}[split] for split in SPLITS if split in chosen or split in guessed}
    return SplitFiles(files=chosen, unclear=guessed, unread=unread_in(folder, _read_names(chosen.values())))


def find_split_files(folder: Path, suffixes: Collection[str] = _DATA_SUFFIXES) -> Mapping[str, Path]:
    """Return the file of each split in a folder; see :func:`find_splits`."""
    return find_splits(folder, suffixes).files


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


def _data_files(folder: Path) -> list[Path]:
    with reading_errors(folder):
        return sorted(file for file in folder.iterdir() if file.is_file() and is_data(file))


def is_data(file: Path) -> bool:
    """Return whether a file may hold data, by its name: documentation and programs do not."""
    backup = file.name.endswith("~")  # of an editor
    return not backup and not _NOT_DATA.match(file.name) and file.suffix.lower() not in _NO_DATA_SUFFIXES


def _by_split(files: Sequence[Path], suffixes: Collection[str]) -> dict[str, list[Path]]:
    """Return split → the files with its name.

    :raises DataError: a data file has the names of several splits.
    """
    found: dict[str, list[Path]] = {}
    for file in files:
        splits = {SPLIT_ALIASES[name] for name in _IN_NAME.findall(file.name.lower())}
        if len(splits) == 1:
            found.setdefault(splits.pop(), []).append(file)
        elif splits and _has_suffix(file, suffixes):
            raise DataError(f"{file} could be the {' or the '.join(sorted(splits))} split", hint=NAME_THE_SPLITS)
    return found


def _in_subfolders(folder: Path, files: Sequence[Path], suffixes: Collection[str]) -> SplitFiles:
    """Return the splits in the subfolders of a folder without a train file.

    :raises DataError: there are none.
    """
    folders = [sub for sub in sorted(folder.iterdir()) if sub.is_dir()]
    inside = {split: sub for sub in folders if (split := canonical_split(sub.name))}
    guessed = _guessed([sub for sub in folders if _is_unclear(sub)], inside)
    inside |= guessed
    parts = {split: _files_of_folder(inside[split], suffixes) for split in SPLITS if split in inside}
    parts = {split: held for split, held in parts.items() if held}
    if "train" in parts:
        several = {split: held for split, held in parts.items() if len(held) > 1}
        read = [inside[split].name for split in parts]
        return SplitFiles(
            files={split: held[0] for split, held in parts.items()},
            parts=several,
            unclear={split: sub for split, sub in guessed.items() if split in parts},
            unread=[
                *unread_in(folder, read),
                *(name for split in parts for name in _left(inside[split], parts[split])),
            ],
        )
    data = folder / _DATA_FOLDER
    if data.is_dir() and "train" in _by_split(_data_files(data), suffixes):
        found = find_splits(data, suffixes)
        unread = [*unread_in(folder, [_DATA_FOLDER]), *(f"{_DATA_FOLDER}/{name}" for name in found.unread)]
        return SplitFiles(files=found.files, parts=found.parts, unclear=found.unclear, unread=unread)
    names = [file.name for file in files] + [f"{sub.name}/" for sub in sorted(folder.iterdir()) if sub.is_dir()]
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    raise DataError(
        f"{folder} has no train split, it holds {shown or 'no files'}",
        hint="name one file train.* (and dev.*, test.*), or give --data train=PATH,validation=PATH",
    )


def _guessed(unclear: Sequence[Path], known: Collection[str]) -> dict[str, Path]:
    """Return split → the only file or folder whose name may mean it: test, or validation where there is a test split.

    :param known: the splits whose files are known.
    """
    free = next((split for split in ("test", "validation") if split not in known), None)
    return {free: unclear[0]} if free and len(unclear) == 1 else {}


def _files_of_folder(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the data files of a split's own folder, or the first shard, which stands for all of them.

    :raises DataError: they have different endings.
    """
    files = _data_files(folder)
    files = [file for file in files if _has_suffix(file, suffixes)] or files
    if files and all(_SHARD.fullmatch(file.name) for file in files):
        return files[:1]
    if len({_data_suffix(file) for file in files}) > 1:
        names = ", ".join(file.name for file in files[:_LISTED])
        raise DataError(f"{folder} holds files of several formats: {names}", hint=NAME_THE_SPLITS)
    return files


def _file_of_split(split: str, files: list[Path], suffixes: Collection[str]) -> Path:
    """Return the only data file among the files of a split, or the first shard, which stands for all of them."""
    files = [file for file in files if _has_suffix(file, suffixes)] or files
    first = [file for file in files if _FIRST_SHARD.fullmatch(file.name)]
    if len(first) == 1 and all(_SHARD.fullmatch(file.name) for file in files):
        return first[0]
    if len(files) > 1:
        raise DataError(f"two files for the {split} split: {files[0]} and {files[1]}", hint=NAME_THE_SPLITS)
    return files[0]


def unread_in(folder: Path, read: Collection[str]) -> list[str]:
    """Return the names of what lies in a folder and is not read, but for documentation and hidden files."""
    paths = (path for path in sorted(folder.iterdir()) if path.name not in read and not _NOT_DATA.match(path.name))
    return [f"{path.name}/" if path.is_dir() else path.name for path in paths]


def _left(folder: Path, read: Sequence[Path]) -> Iterator[str]:
    """Yield the names of what lies in a split's own folder and is not read."""
    return (f"{folder.name}/{name}" for name in unread_in(folder, _read_names(read)))


def _read_names(files: Collection[Path]) -> set[str]:
    return {shard.name for file in files for shard in shards_of(file)}


def _is_unclear(file: Path) -> bool:
    name = file.name.lower()
    return bool(_UNCLEAR.search(name)) and not _IN_NAME.search(name)


def _has_suffix(file: Path, suffixes: Collection[str]) -> bool:
    return uncompressed_name(file.name).endswith(tuple(suffixes))


def _data_suffix(file: Path) -> str:
    return Path(uncompressed_name(file.name)).suffix

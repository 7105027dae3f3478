"""From what the user names (files, folders, standard input) to a stream of examples without labels."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

from labelkit.errors import DataError
from labelkit.files.reading import STDIN, lines_with_ends, open_bytes, read_lines, reading_errors
from labelkit.formats.recognition import reader_for, readers_of, recognise
from labelkit.label.records import FailedRecord
from labelkit.label.stream import chunks
from labelkit.records import Example, Format, Kind, LoadContext, Place

Unit = Literal["line", "document"]
#: endings that are read as plain text; a file that is named may also have one that nobody knows
TEXTS = (".txt", ".text", ".md", ".log")
_SIGNATURES = (
    b"%PDF-", b"PK\x03\x04", b"\x7fELF", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"SQLite format 3\0",
    b"\xd0\xcf\x11\xe0", b"PAR1", b"ARROW1", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x1f\x8b",
)  # fmt: skip
_SNIFFED = 4096
_OPTION = "--from NAME"
#: bad records in a row after which a file is given up: it is something else than it seems
_PATIENCE = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One file to read, or :data:`labelkit.files.reading.STDIN`."""

    path: Path
    format: Format

    @property
    def name(self) -> str:
        """Return the path as the user gave it."""
        return str(self.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Everything to read, in order.

    :param skipped: files in folders that no format reads.
    """

    files: tuple[Input, ...]
    skipped: tuple[Path, ...] = ()

    @property
    def size(self) -> int | None:
        """Return the bytes of all files, as they lie on the disk; None where that cannot be known."""
        paths = [one.path for one in self.files]
        return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None


def find_inputs(
    names: Sequence[str],
    formats: Mapping[str, Format],
    *,
    format_name: str | None = None,
    unit: Unit = "line",
    leave_out: Collection[Path] = (),
) -> Inputs:
    """Find the files that ``names`` mean; ``-`` is standard input, a folder means the readable files in it.

    :param format_name: read everything as this; None for the format of each ending, plain text where it is unknown.
    :param leave_out: files that are not read even where a folder holds them, such as the output.
    :raises DataError: a path does not exist, or cannot be read as anything.
    :raises UnknownNameError: no format that reads is called ``format_name``.
    """
    known = {"text": text_format(unit), **formats}
    excluded = {path.absolute() for path in leave_out}
    files: list[Input] = []
    skipped: list[Path] = []

    def reader(path: Path) -> Format:
        return reader_for(path, known, format_name, fallback="text", option=_OPTION)

    for name in names:
        path = Path(name)
        if name == "-":
            files.append(Input(path=STDIN, format=reader(STDIN)))
        elif path.is_dir() and not (path / "state.json").is_file():
            for file in _walk(path):
                if file.absolute() in excluded:
                    continue
                if not format_name and not recognise(file, readers_of(known), fallback="text", option=_OPTION):
                    skipped.append(file)
                else:
                    files.append(Input(path=file, format=reader(file)))
        elif not path.exists():
            raise DataError(f"{name} does not exist", hint='check the path; a text itself is given with --text "…"')
        else:
            files.append(Input(path=path, format=reader(path)))
    if not files:
        readable = ", ".join(sorted(readers_of(known)))
        raise DataError(f"{', '.join(names)}: no file here can be read", hint=f"formats: {readable}")
    return Inputs(files=tuple(files), skipped=tuple(skipped))


def read_inputs(
    inputs: Inputs, kind: Kind, layer: str, ctx: LoadContext, *, strict: bool
) -> Iterator[Example | FailedRecord]:
    """Return every record of the inputs, in order, read as it is asked for; labels that are there are ignored.

    With several files each record has its own field ``file``.

    :param strict: raise what is wrong with a record, instead of yielding it and going on.
    :raises DataError: with ``strict``, whatever cannot be read.
    :raises DataError: for a labeller of words, every record of the first chunk is a text with one label.
    """
    items = _read_all(inputs, kind, layer, ctx, strict=strict)
    return _no_classes(items) if kind == "token" else items


def _read_all(
    inputs: Inputs, kind: Kind, layer: str, ctx: LoadContext, *, strict: bool
) -> Iterator[Example | FailedRecord]:
    # of texts the fields tell whether words are given; for words a text alone will do as well
    policy = replace(ctx.policy, labels="ignored")
    ctx = replace(ctx, layer=layer, kind=kind if kind == "token" else None, policy=policy)
    for one in inputs.files:
        for item in _read(one, replace(ctx, path=one.path), strict=strict):
            if isinstance(item, Example) and len(inputs.files) > 1:
                item = replace(item, extra={"file": one.name, **item.extra})
            yield item


def _no_classes(items: Iterator[Example | FailedRecord]) -> Iterator[Example | FailedRecord]:
    """Pass the items on, unless all of the first chunk are texts with one label: that is another task's data."""
    first = next(chunks(items), [])
    columns = [_labelled_by(item) for item in first if isinstance(item, Example)]
    if columns and all(columns):
        example = next(item for item in first if isinstance(item, Example))
        raise DataError(
            f"{example.place}: this is a text with one label ('{columns[0]}'), and the labeller is one of words",
            hint="--columns text=NAME labels the words of its texts all the same",
        )
    yield from chain(first, items)


def _labelled_by(example: Example) -> str | None:
    """Return the field of the one label that a text has."""
    return next((column for column, label in example.labels.items() if isinstance(label, str)), None)


def text_format(unit: Unit = "line") -> Format:
    """Return the reader of plain text: each line is a record, blank ones too, or each file."""
    return Format(
        name="text",
        kinds=("token", "text"),
        suffixes=TEXTS,
        read=_lines if unit == "line" else _document,
        summary="plain text: a record per line, or per file",
    )


def _read(one: Input, ctx: LoadContext, *, strict: bool) -> Iterator[Example | FailedRecord]:
    bad: list[DataError] = []

    def skip(error: DataError) -> None:
        if strict:
            raise error
        bad.append(error)
        if len(bad) > _PATIENCE:
            raise DataError(f"{one.name}: {len(bad):,} records in a row cannot be read", hint="is its format another?")

    def failed() -> Iterator[FailedRecord]:
        yield from [FailedRecord(error.message, error.hint) for error in bad]
        bad.clear()

    assert one.format.read is not None  # find_inputs takes readers only
    try:
        if one.format.name == "text":
            _check_text(one.path, ctx.encoding)
        policy = replace(ctx.policy, on_bad_record=skip)
        for example in one.format.read(one.path, replace(ctx, policy=policy)):
            yield from failed()
            yield example
        yield from failed()
    except DataError as error:
        if strict:
            raise
        yield from failed()
        yield FailedRecord(error.message, error.hint, ends_file=True)


def _lines(path: Path, ctx: LoadContext) -> Iterator[Example]:
    for number, line in read_lines(path, ctx.encoding, ctx.policy.on_bad_record):
        yield Example(id=str(number), text=line, place=Place(file=str(path), line=number))


def _document(path: Path, ctx: LoadContext) -> Iterator[Example]:
    text = "".join(lines_with_ends(path, ctx.encoding))
    yield Example(id=path.name, text=text, place=Place(file=str(path), line=1))


def _check_text(path: Path, encoding: str) -> None:
    """Refuse what is no text at all, though some of its bytes might pass for it.

    :raises DataError: it looks like a picture, an archive, a table, or text of two bytes a character.
    """
    if not path.is_file():
        return  # of a pipe nothing can be read twice
    with reading_errors(path), open_bytes(path) as stream:
        start = stream.read(_SNIFFED)
    if encoding.lower().replace("-", "").replace("_", "").startswith(("utf16", "utf32")):
        return
    # a few NULs are text like any other, a file full of them is not; nor are bytes that mostly mean nothing
    zeros = start.count(0) > max(8, len(start) // 8)
    broken = start.decode(encoding, "replace").count("\ufffd") > max(8, len(start) // 8)
    if start.startswith((*_SIGNATURES, b"\xff\xfe", b"\xfe\xff")) or zeros or broken:
        raise DataError(
            f"{path} holds binary data, or text in another encoding than {encoding}",
            hint="--from FORMAT or --encoding NAME says what it is, e.g. utf-16 for two bytes a character",
        )


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and the folders in it, in order, but for hidden ones."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)

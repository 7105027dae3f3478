"""Find the inputs of labelling (files, folders, standard input) and read them as a stream of examples."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from labelkit.console.text import shorten
from labelkit.data.archives import NO_ARCHIVES, ArchiveNames, unpack_archive
from labelkit.data.plugin_errors import read_format
from labelkit.errors import DataError
from labelkit.files.reading import STDIN, read_head
from labelkit.files.signatures import check_is_text
from labelkit.formats.plain_text import Unit, text_format
from labelkit.formats.recognition import reader_for, readers_of, recognise
from labelkit.label.records import FailedRecord
from labelkit.label.stream import FIRST
from labelkit.records import Example, Format, Kind, LoadContext

#: bytes in which binary data is detected
_SNIFFED = 4096
_OPTION = "--from NAME"
#: invalid records in a row after which a file is given up: it is probably of another format
_PATIENCE = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One file to read, or :data:`labelkit.files.reading.STDIN`.

    :param names: how it is shown where it is unpacked from an archive.
    """

    path: Path
    format: Format
    names: ArchiveNames = NO_ARCHIVES

    @property
    def name(self) -> str:
        """Return the path as the user gave it; of a file of an archive, ``ARCHIVE!MEMBER``."""
        return self.names.shown(self.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """All files to read, in order.

    :param skipped: files of folders that no format reads.
    :param unlistable: subfolders that the system does not list, for example for lack of permission.
    """

    files: tuple[Input, ...]
    skipped: tuple[Path, ...] = ()
    unlistable: tuple[Path, ...] = ()

    @property
    def size(self) -> int | None:
        """Return the size of all files on disk in bytes; None if one is not a regular file."""
        paths = [one.path for one in self.files]
        return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None


def find_inputs(
    names: Sequence[str],
    formats: Mapping[str, Format],
    *,
    format_name: str | None = None,
    unit: Unit = "line",
    leave_out: Collection[Path] = (),
    ctx: LoadContext | None = None,
) -> Inputs:
    """Find the files to read; ``-`` is standard input, a folder or archive stands for the readable files in it.

    :param format_name: the format of all files; None for that of each suffix, plain text if the suffix is unknown.
    :param leave_out: files that are excluded from folders, such as the output.
    :param ctx: the context in which the files are read; what is assumed of them goes to its policy.
    :raises DataError: if a path does not exist, or no format reads it.
    :raises UnknownNameError: if no format is called ``format_name``.
    """
    known = {"text": text_format(unit), **formats}
    excluded = {path.absolute() for path in leave_out}
    files: list[Input] = []
    skipped: list[Path] = []
    unlistable: list[Path] = []
    ctx = ctx or LoadContext()

    def found(path: Path, names: ArchiveNames) -> Input:
        with names.errors():
            within = names.context(ctx)
            chosen = reader_for(path, known, format_name, option=_OPTION, ctx=within)
        return Input(path=path, format=chosen, names=names)

    for name in names:
        path, shown = _find(name, known, ctx)
        if path.is_dir() and not (path / "state.json").is_file():
            for file in _walk(path, unlistable.append):
                if file.absolute() in excluded:
                    continue
                if not format_name and not recognise(file, readers_of(known), fallback="text", option=_OPTION):
                    skipped.append(Path(shown.shown(file)))
                else:
                    files.append(found(file, shown))
        else:
            files.append(found(path, shown))
    if not files:
        readable = ", ".join(sorted(readers_of(known)))
        raise DataError(f"{', '.join(names)}: no file here can be read", hint=f"formats: {readable}")
    return Inputs(files=tuple(files), skipped=tuple(skipped), unlistable=tuple(unlistable))


def _find(name: str, known: Mapping[str, Format], ctx: LoadContext) -> tuple[Path, ArchiveNames]:
    """Return the path of an input, and how its files are shown; of an archive, the folder of its files."""
    _check_name(name)
    if name == "-":
        return STDIN, NO_ARCHIVES
    archive = unpack_archive(Path(name), ctx, known)
    return (archive.folder, ArchiveNames((archive,))) if archive else (Path(name), NO_ARCHIVES)


def _check_name(name: str) -> None:
    """Raise if an input does not exist, or cannot, as a sentence that was given without ``--text``.

    :raises DataError: it does not.
    """
    try:
        if name != "-":
            os.stat(name)
    except OSError as error:
        shown = shorten(name, 80)
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        message = f"{shown} does not exist" if missing else f"{shown} cannot be read: {os.strerror(error.errno or 0)}"
        raise DataError(message, hint='check the path; a text itself is given with --text "…"') from error


def read_inputs(
    inputs: Inputs, kind: Kind, layer: str, ctx: LoadContext, *, strict: bool
) -> Iterator[Example | FailedRecord]:
    """Return all records of the inputs in order, read lazily; existing labels are ignored.

    With several files each record has an own field ``file``.

    :param strict: raise for a record that cannot be read, in place of yielding the failure.
    :raises DataError: with ``strict``, if anything cannot be read.
    :raises DataError: for kind ``token``, if every record of the first chunk is a text with one label.
    """
    # with kind None the fields decide whether a record is a text or words; a labeller of words accepts both
    policy = replace(ctx.policy, labels="ignored", keep_columns=True)
    ctx = replace(ctx, layer=layer, kind=kind if kind == "token" else None, policy=policy)

    def records() -> Iterator[Example | FailedRecord]:
        for one in inputs.files:
            for item in _read_file(one, replace(ctx, path=one.path), strict=strict):
                if isinstance(item, Example) and len(inputs.files) > 1:
                    item = replace(item, extra={"file": one.name, **item.extra})
                yield item

    return _refuse_labelled_texts(records()) if kind == "token" else records()


def _refuse_labelled_texts(items: Iterator[Example | FailedRecord]) -> Iterator[Example | FailedRecord]:
    """Yield the items; raise if the first ones are all texts with one label, the data of another task."""
    first: list[Example | FailedRecord] = []
    examples: list[Example] = []
    fields: list[str | None] = []
    for item in items:  # what is typed must not wait until there is a whole chunk
        first.append(item)
        if isinstance(item, Example):
            examples.append(item)
            fields.append(next((name for name, label in item.labels.items() if isinstance(label, str)), None))
        if len(first) >= FIRST or not all(fields):
            break
    if fields and all(fields):
        raise DataError(
            f"{examples[0].place}: this is a text with one label ('{fields[0]}'), and the labeller is one of words",
            hint="--columns text=NAME labels the words of its texts all the same",
        )
    yield from chain(first, items)


def _read_file(one: Input, ctx: LoadContext, *, strict: bool) -> Iterator[Example | FailedRecord]:
    """Yield the records of a file, and with ``strict`` False its failures in their place."""
    bad: list[DataError] = []

    def skip(error: DataError) -> None:
        if strict:
            raise error
        bad.append(error)
        if len(bad) > _PATIENCE:
            raise DataError(
                f"{one.name}: {len(bad):,} records in a row cannot be read", hint="choose its format: --from NAME"
            )

    def failed() -> Iterator[FailedRecord]:
        yield from [FailedRecord(error.message, error.hint) for error in bad]
        bad.clear()

    try:
        if one.format.name == "text":
            with one.names.errors():
                _check_text(one.path, ctx.encoding)
        policy = replace(ctx.policy, on_bad_record=skip)
        within = one.names.context(replace(ctx, policy=policy))
        for example in one.names.examples(read_format(one.format, one.path, within)):
            yield from failed()
            yield example
        yield from failed()
    except DataError as error:
        if strict:
            raise
        yield from failed()
        yield FailedRecord(error.message, error.hint, ends_file=True)


def _check_text(path: Path, encoding: str) -> None:
    """Raise if a file holds binary data, or text in UTF-16.

    :raises DataError: if it does.
    """
    if not path.is_file():
        return  # a pipe cannot be read twice
    start = read_head(path, _SNIFFED)
    if encoding.lower().replace("-", "").replace("_", "").startswith(("utf16", "utf32")):
        return
    # a few NULs or invalid bytes occur in text; an eighth of them does not
    zeros = start.count(0) > max(8, len(start) // 8)
    broken = start.decode(encoding, "replace").count("\ufffd") > max(8, len(start) // 8)
    check_is_text(path, start)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or zeros or broken:
        raise DataError(
            f"{path} holds binary data, or text in another encoding than {encoding}",
            hint="--from FORMAT or --encoding NAME says what it is, e.g. utf-16 for two bytes a character",
        )


def _walk(folder: Path, unlistable: Callable[[Path], object]) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders in order, without hidden ones.

    :param unlistable: called with each folder that the system does not list.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        unlistable(folder)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), unlistable)
        elif entry.is_file():
            yield Path(entry.path)

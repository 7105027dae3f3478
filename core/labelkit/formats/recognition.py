"""Recognise the format of a file: by the name that the user gave, or else by the file's ending."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labelkit.errors import DataError, UnknownNameError, nearest
from labelkit.files.compression import uncompressed_name
from labelkit.files.reading import HEAD, STDIN, read_head, text_codec
from labelkit.files.signatures import check_is_text
from labelkit.formats import class_folders
from labelkit.formats.builtin import FORMATS
from labelkit.formats.content import guess_format, is_table_without_header
from labelkit.formats.tools import brat
from labelkit.labels.numbers import check_holds_pairs
from labelkit.records import Format, Kind, LoadContext

#: endings of files that are neither CoNLL columns nor plain text, whether or not a format claims them
FOREIGN_SUFFIXES = frozenset((
    ".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".arrow", ".conllu", ".spacy", ".ann", ".xml", ".html", ".htm",
    ".zip", ".tar", ".tgz", ".pdf", ".doc", ".docx", ".xlsx", ".odt", ".rtf", ".png", ".jpg", ".jpeg",
    ".gif", ".safetensors", ".bin", ".pt", ".pkl", ".npy", ".db", ".sqlite", ".so",
))  # fmt: skip

#: endings of plain text that is never columns
_PROSE_SUFFIXES = frozenset((".md", ".rst", ".yml", ".yaml", ".toml", ".ini", ".py", ".log", ".tex"))
#: endings of archives, which are to be unpacked
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".lz4")


def reader_for(
    path: Path,
    formats: Mapping[str, Format],
    name: str | None = None,
    *,
    kind: Kind | None = None,
    fallback: str | None = None,
    option: str = "--set data.format=NAME (--from NAME in data convert)",
    ctx: LoadContext | None = None,
) -> Format:
    """Return the format to read a file with, or a folder that is read as one: by its ending, then by its content.

    Content counts where the ending says nothing, and where it is one of plain text or columns but the content is JSON,
    CoNLL-U or tagged columns. What is assumed goes to the policy of ``ctx``.

    :param name: the format that the user chose; None for the one of the ending.
    :param kind: the kind of the examples; None for either.
    :param fallback: the format of unknown endings that are not foreign; no other format gets its own endings. None:
        plain text where it is one of ``formats``, else CoNLL columns.
    :param option: how the user chooses a format, for hints.
    :param ctx: encoding, columns and policy; None for the defaults.
    :raises UnknownNameError: no format is called ``name``.
    :raises DataError: no format reads the file, or several do; or ``--columns`` names pairs, which it cannot hold.
    """
    ctx = ctx or LoadContext()
    fallback = fallback or ("text" if "text" in formats else "conll")
    found = _reader_of(path, formats, name, kind, fallback, option, ctx)
    if "pair" in ctx.columns:
        try:
            check_holds_pairs(found)
        except DataError as error:
            raise error.at(path) from error
    return found


def _reader_of(
    path: Path,
    formats: Mapping[str, Format],
    name: str | None,
    kind: Kind | None,
    fallback: str,
    option: str,
    ctx: LoadContext,
) -> Format:
    readers = readers_of(formats, kind)
    if name is not None:
        return _by_name(name, formats, readers, "read", kind)
    found = recognise(path, readers, fallback=fallback, option=option)
    suffix = Path(_data_name(path)).suffix
    if found.name in ("text", "conll", "tsv") if found else suffix not in FOREIGN_SUFFIXES:
        guess = _guess(path, ctx, sure=found is not None, kind=kind)
        if guess in readers and readers[guess] != found:
            ctx.policy.assume(f"{path} is read as {guess}, by its content", f"{option} says otherwise")
            return readers[guess]
        if guess in formats and (found is None or guess == "fasttext"):
            raise DataError(f"{path} is {guess}, which holds no {kind} examples", hint="check the task and the file")
    if found:
        return found
    prose = suffix in _PROSE_SUFFIXES and fallback != "text"
    if fallback in readers and suffix not in FOREIGN_SUFFIXES and not prose:
        if path.is_file() or path == STDIN:
            what = "plain text, a record per line" if fallback == "text" else fallback
            ctx.policy.assume(f"{path} is read as {what}", f"{option} says otherwise")
        return readers[fallback]
    if suffix in ARCHIVES:
        raise DataError(f"{path} is an archive", hint="unpack it, and give the files that are in it")
    known = (
        nearest(suffix.lstrip("."), readers) if suffix not in (".txt", "") else f"known: {', '.join(sorted(readers))}"
    )
    hint = f"choose one: {option}; {known}"
    raise DataError(f"no format reads {path}{f' as {kind} examples' if kind else ''}", hint=hint)


def writer_for(
    path: Path | None, formats: Mapping[str, Format], name: str | None = None, *, kind: Kind | None = None
) -> Format:
    """Return the format to write: the one called ``name``, or else the one of the ending of ``path``.

    :param path: the file; None for standard output, which needs ``name``.
    :param kind: the kind of the examples; None while it is unknown.
    :raises UnknownNameError: no format is called ``name``.
    :raises DataError: no format writes the file, several do, or the format cannot write to standard output.
    """
    writers = {known.name: known for known in formats.values() if known.write and kind in (None, *known.kinds)}
    if name is not None:
        chosen = _by_name(name, formats, writers, "written", kind)
        if path is None and chosen.needs_file:
            raise DataError(f"format '{name}' needs a file", hint="name one with -o FILE")
        return chosen
    assert path is not None
    if found := recognise(path, writers, option="--to NAME"):
        return found
    suggestion = nearest(Path(_data_name(path)).suffix.lstrip("."), writers)
    raise DataError(f"the ending of {path} names no format", hint=f"choose one: --to NAME; {suggestion}")


def readers_of(formats: Mapping[str, Format], kind: Kind | None = None) -> dict[str, Format]:
    """Return the formats that can read examples of ``kind`` (None for either), by name."""
    return {known.name: known for known in formats.values() if known.read and kind in (None, *known.kinds)}


def readable_suffixes(formats: Mapping[str, Format], kind: Kind | None = None) -> tuple[str, ...]:
    """Return the endings of the files that can be read as examples of ``kind`` (None for either), without ``.gz``."""
    return tuple({suffix for known in readers_of(formats, kind).values() for suffix in known.suffixes})


def recognise(path: Path, formats: Mapping[str, Format], *, fallback: str | None = None, option: str) -> Format | None:
    """Return the one of ``formats`` that claims the ending of a file; None for an unknown ending.

    Core's formats keep their endings: no installed plugin changes what a command makes of a file.

    :param fallback: the format that keeps its endings even from core's.
    :param option: how the user chooses a format, for the hint.
    :raises DataError: several formats claim the ending.
    """
    name = _data_name(path)
    fitting = [known for known in formats.values() if known.suffixes and name.endswith(known.suffixes)]
    first = [known for known in fitting if known.name == fallback] or [known for known in fitting if known in FORMATS]
    fitting = first or fitting
    if len(fitting) > 1:
        names = " and ".join(sorted(known.name for known in fitting))
        raise DataError(f"the ending of {path} names several formats: {names}", hint=f"choose one: {option}")
    return fitting[0] if fitting else None


def _guess(path: Path, ctx: LoadContext, *, sure: bool, kind: Kind | None) -> str | None:
    """Return the name of the format that the content of a file shows; columns that the user names show it, too."""
    if ctx.columns and sure:
        return None
    try:
        head = read_head(path)
        check_is_text(path, head)
    except DataError:  # which the reader of the file reports
        return None
    text = head.decode(text_codec(ctx.encoding), "replace")
    complete = len(head) < HEAD
    guess = guess_format(text, complete=complete, sure=sure)
    if (
        guess is None
        and kind == "text"
        and not sure
        and is_table_without_header(text if complete else text[: text.rfind("\n")])
    ):
        return "tsv"
    return guess


def _by_name(
    name: str, formats: Mapping[str, Format], usable: Mapping[str, Format], verb: str, kind: Kind | None
) -> Format:
    """Return the one of the ``usable`` formats that is called ``name``."""
    if name in usable:
        return usable[name]
    if name not in formats:
        raise UnknownNameError(f"unknown format '{name}'", hint=nearest(name, usable))
    missing = (formats[name].read if verb == "read" else formats[name].write) is None
    raise DataError(
        f"format '{name}' cannot {f'be {verb}' if missing else f'hold {kind} examples'}", hint=nearest(name, usable)
    )


def _data_name(path: Path) -> str:
    """Return the file name whose ending counts: in lower case, uncompressed; of a folder, one as its files have."""
    if path.is_dir():
        if class_folders.is_folder_of_classes(path):
            return "folder.classes"
        return "folder.ann" if brat.annotation_splits(path) else "folder.arrow"
    return uncompressed_name(path.name)

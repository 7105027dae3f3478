"""The CoNLL column format: one word per line, its labels in columns, a blank line after each sentence.

Columns are separated by tabs or by runs of spaces, decided once per file: where tabs separate, only tabs do,
so a word may hold a space. ``-DOCSTART-`` lines are borders between documents and never examples. Lines that
start with ``# `` before a sentence and hold no tab are comments, but only in files separated by tabs;
elsewhere they could be words.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import DataError
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Place

BORDER = "-DOCSTART-"
_BLANKS = " \t"
_BOM = "\ufeff"


class _Sentence(NamedTuple):
    document: int
    line: int
    rows: list[list[str]]


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a CoNLL file with their raw labels.

    ``ctx.columns`` maps ``tokens`` and layers to column numbers, from 0, negative ones from the end. Without
    it the words are in the first column and the labels of the layer ``ctx.layer`` in the last. Where
    ``ctx.policy.labels`` is ``ignored``, only the words are read.

    :raises DataError: the file cannot be read, its lines differ in columns, or a column does not exist.
    """
    columns = _wanted(ctx)
    bordered = path.is_file() and any(_is_border(line) for _, line in ctx.lines(path))
    checked: dict[str, int] | None = None
    on_bad_record = ctx.policy.on_bad_record
    sentences = _sentences(path, ctx.lines(path), on_bad_record)
    for number, sentence in enumerate(sentences, start=1):
        if checked is None:
            given = set(ctx.columns) - {"tokens"}
            checked = _existing(columns, len(sentence.rows[0]), f"{path}:{sentence.line}", given=bool(given))
        try:
            example = _example(str(number), sentence, checked, str(path), bordered=bordered)
        except DataError as error:
            if on_bad_record is None:
                raise
            on_bad_record(error)
        else:
            yield example


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write ``word TAB label`` lines and a blank line after each record; a border where its field ``document`` changes.

    :raises DataError: a word that could not be read back as it was.
    """
    document: object = None
    for index, labelled in enumerate(records):
        if (now := labelled.extra.get("document", document)) != document:
            output.stream.write(f"{BORDER}\tO\n\n".encode())
            document = now
        words, labels = labelled.words or (), labelled.labels or ()
        pairs = zip(words, labels, strict=True)
        lines = [f"{_writable(word, labelled)}\t{_writable(label, labelled)}\n" for word, label in pairs]
        # Readers drop one byte order mark, so a first word that starts with one needs a second.
        mark = _BOM if index == 0 and document is None and lines and lines[0].startswith(_BOM) else ""
        output.stream.write((mark + "".join(lines) + "\n").encode())


FORMATS = (
    Format(
        name="conll",
        kinds=("token",),
        suffixes=(".conll", ".iob", ".iob1", ".iob2", ".bio", ".bioes", ".bilou", ".txt"),
        read=read,
        write=write,
        summary="CoNLL columns: one word per line, blank line between sentences",
    ),
)


def _wanted(ctx: LoadContext) -> dict[str, int]:
    """Return layer (or ``tokens``) → column number as asked for."""
    columns = {"tokens": "0", **ctx.columns}
    if len(columns) == 1 and ctx.policy.labels != "ignored":
        columns[ctx.layer or "labels"] = "-1"
    for name, number in columns.items():
        if not re.fullmatch(r"-?[0-9]{1,9}", number):
            raise DataError(
                f"CoNLL columns are numbers, not names: {name}={number}",
                hint="count from 0, or from the end with -1: --columns tokens=0,ner=3",
            )
    return {name: int(number) for name, number in columns.items()}


def _existing(columns: Mapping[str, int], width: int, place: str, *, given: bool) -> dict[str, int]:
    """Return the columns of a file that has ``width`` of them, each counted from 0.

    ``given``: the user said where the labels are; otherwise a file of bare words simply has none.
    """
    if width == 1 and not given:
        columns = {"tokens": columns["tokens"]}
    for name, number in columns.items():
        if not -width <= number < width:
            have = "1 column" if width == 1 else f"{width} columns"
            raise DataError(
                f"{place}: no column {number} for '{name}', the line has {have}",
                hint=f"columns count from 0 to {width - 1}, or from the end with -1",
            )
    found = {name: number % width for name, number in columns.items()}
    if clash := [name for name, number in found.items() if name != "tokens" and number == found["tokens"]]:
        raise DataError(
            f"{place}: 'tokens' and '{clash[0]}' are both read from column {found['tokens']}",
            hint=f"say where each is: --columns tokens=…,{clash[0]}=…",
        )
    return found


def _example(id_: str, sentence: _Sentence, columns: Mapping[str, int], file: str, *, bordered: bool) -> Example:
    fields = list(zip(*sentence.rows, strict=True))
    lines = range(sentence.line, sentence.line + len(sentence.rows))
    layers = {name: fields[number] if name == "tokens" else _labels(fields[number]) for name, number in columns.items()}
    for name, column in layers.items():
        if "" in column:
            place = f"{file}:{lines[column.index('')]}"
            raise DataError(f"{place}: the column of '{name}' is empty", hint="is a tab too many?")
    return Example(
        id=id_,
        words=layers.pop("tokens"),
        labels=layers,
        document=str(sentence.document) if bordered else None,
        place=Place(file=file, line=sentence.line, word_lines=lines),
    )


def _labels(column: Sequence[str]) -> tuple[str, ...]:
    """Drop blanks around labels, and keep one copy of each for the whole corpus."""
    unique = {label: sys.intern(label.strip(_BLANKS)) for label in set(column)}
    return tuple([unique[label] for label in column])


def _sentences(
    path: Path, lines: Iterator[tuple[int, str]], skip: Callable[[DataError], object] | None = None
) -> Iterator[_Sentence]:
    """Yield the sentences; one with an uneven line is left out whole where ``skip`` takes the error."""
    table, lines = _table(path, lines)
    rows: list[list[str]] = []
    start, document, empty, bad = 0, 1, True, False
    for number, line in chain(lines, [(0, "")]):
        border = _is_border(line)
        try:
            fields = None if border else table.fields(number, line, inside=bool(rows))
        except DataError as error:
            if skip is None:
                raise
            if not bad:
                skip(error)
            fields, bad = [line], True
        if fields:
            start = start if rows else number
            rows.append(fields)
            continue
        if rows and not bad:
            yield _Sentence(document, start, rows)
            empty = False
        rows, bad = [], False
        if border and not empty:
            document, empty = document + 1, True


class _Table:
    """Splits the lines of one file into fields and holds them to the width of the first."""

    def __init__(self, path: Path, *, tabs: bool) -> None:
        self._path, self._tabs = path, tabs
        self._width, self._first = 0, 0

    def fields(self, number: int, line: str, *, inside: bool) -> list[str] | None:
        """Return the fields of a line; None when it is blank or a comment. ``inside``: within a sentence."""
        if not line.strip(_BLANKS):
            return None
        fields = line.split("\t") if self._tabs else _split_blanks(line)
        if len(fields) == self._width:
            return fields
        if self._tabs and len(fields) == 1 and not inside and line.startswith("# "):
            return None
        if not self._width:
            self._width, self._first = len(fields), number
            return fields
        # U+00A0 and other white space alone is a word in a file of bare words, and a blank line elsewhere.
        if line.isspace() and len(fields) < self._width:
            return None
        raise self._uneven(number, len(fields))

    def _uneven(self, number: int, found: int) -> DataError:
        return DataError(
            f"{self._path}:{number}: {self._width} columns expected as in line {self._first}, {found} found",
            hint=f"columns of this file are separated by {'tabs' if self._tabs else 'spaces'}",
        )


def _split_blanks(line: str) -> list[str]:
    # str.split() without an argument would also split at U+00A0, U+3000 and a dozen others.
    return [field for field in line.replace("\t", " ").split(" ") if field]


def _table(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[_Table, Iterator[tuple[int, str]]]:
    """Look ahead to the first line that must be words: it tells what separates the columns."""
    seen: list[tuple[int, str]] = []
    for number, line in lines:
        seen.append((number, line))
        if line.strip(_BLANKS) and not _is_border(line) and ("\t" in line or not line.startswith("# ")):
            break
    tabs = bool(seen) and "\t" in seen[-1][1].strip(_BLANKS)
    return _Table(path, tabs=tabs), chain(seen, lines)


def _is_border(line: str) -> bool:
    if not line.startswith(BORDER):
        return False
    # Where a tab separates, "-DOCSTART- x" is a word with a space in it.
    return line.split("\t" if "\t" in line else " ", 1)[0] == BORDER


def _writable(field: str, labelled: Labelled) -> str:
    if not field.strip(_BLANKS) or "\t" in field or "\n" in field or field == BORDER or not _encodes(field):
        raise DataError(
            f"record '{labelled.id}': {field!a} cannot be written in CoNLL columns",
            hint="another format can hold it, e.g. --to jsonl",
        )
    return field


def _encodes(word: str) -> bool:
    """Whether UTF-8 can hold it; half a surrogate pair, which JSON can smuggle in, it cannot."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True

"""The CoNLL column format: one word per line, its labels in columns, a blank line after each sentence.

Columns are separated by tabs or by runs of spaces, decided once per file: in a file separated by tabs, a word may hold
a space. ``-DOCSTART-`` lines separate documents and are never examples. Lines that start with ``# `` before a sentence
and hold no tab are comments, but only in files separated by tabs; elsewhere they could be words.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import DataError
from labelkit.formats.encoding import is_encodable
from labelkit.formats.record_limit import limited_sentences
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Place

DOCUMENT_START = "-DOCSTART-"
_BLANKS = " \t"
_BOM = "\ufeff"
_Lines = Iterator[tuple[int, str]]


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a CoNLL file with their labels as written.

    ``ctx.columns`` maps ``tokens`` and layers to column numbers, from 0, negative ones from the end. Without it the
    words are in the first column and the labels of the layer ``ctx.layer`` in the last. Where ``ctx.policy.labels`` is
    ``ignored``, only the words are read.

    :raises DataError: the file cannot be read, its lines differ in columns, or a column does not exist.
    """
    requested = requested_columns(ctx)
    has_documents = path.is_file() and any(_is_document_start(line) for _, line in ctx.lines(path))
    columns: dict[str, int] = {}
    for number, sentence in enumerate(parse(path, ctx), start=1):
        if not columns:
            given = bool(set(ctx.columns) - {"tokens"})
            columns = existing_columns(requested, len(sentence.rows[0]), f"{path}:{sentence.line}", labels_given=given)
        try:
            document = str(sentence.document) if has_documents else None
            example = sentence.example(str(number), columns, str(path), document)
        except DataError as error:
            ctx.policy.skip_record(error)
        else:
            yield example


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write ``word TAB label`` lines and a blank line per record; a ``-DOCSTART-`` where its ``document`` changes.

    :raises DataError: a word or label would not be read back as it is.
    """
    document: object = None
    for index, labelled in enumerate(records):
        if (now := labelled.extra.get("document", document)) != document:
            output.stream.write(f"{DOCUMENT_START}\tO\n\n".encode())
            document = now
        pairs = list(zip(labelled.words or (), labelled.labels or (), strict=True))
        for field in chain.from_iterable(pairs):
            if not is_writable(field):
                raise DataError(
                    f"record '{labelled.id}': {field!a} cannot be written in CoNLL columns",
                    hint="another format can hold it, e.g. --to jsonl",
                )
        lines = [f"{word}\t{label}\n" for word, label in pairs]
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


def requested_columns(ctx: LoadContext) -> dict[str, int]:
    """Return layer (or ``tokens``) → column number as the user gave it, or else the usual ones.

    :raises DataError: a column is not a number.
    """
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


def existing_columns(columns: Mapping[str, int], width: int, place: str, *, labels_given: bool) -> dict[str, int]:
    """Return the columns of a file that has ``width`` of them, each counted from 0.

    :param labels_given: the user named the columns of labels; if not, a file of a single column has none.
    :raises DataError: a column does not exist, or holds both words and labels; names ``place``.
    """
    if width == 1 and not labels_given:
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


class ConllSentence(NamedTuple):
    """A sentence as parsed.

    :param document: number of its document, from 1.
    :param line: number of its first line.
    :param rows: the columns of each line.
    """

    document: int
    line: int
    rows: list[list[str]]

    def example(self, identifier: str, columns: Mapping[str, int], file: str, document: str | None) -> Example:
        """Return the example with the layers of ``columns``.

        :raises DataError: a field is empty; names file and line.
        """
        fields = list(zip(*self.rows, strict=True))
        lines = range(self.line, self.line + len(self.rows))
        layers = {}
        for name, number in columns.items():
            column = fields[number]
            if name != "tokens":  # one copy of each label for the whole corpus
                unique = {label: sys.intern(label.strip(_BLANKS)) for label in set(column)}
                column = tuple([unique[label] for label in column])
            if "" in column:
                line = lines[column.index("")]
                raise DataError(f"{file}:{line}: the column of '{name}' is empty", hint="is a tab too many?")
            layers[name] = column
        words, place = layers.pop("tokens"), Place(file=file, line=self.line, word_lines=lines)
        return Example(id=identifier, words=words, labels=layers, document=document, place=place)


def parse(path: Path, ctx: LoadContext) -> Iterator[ConllSentence]:
    """Yield the sentences of a file.

    :raises DataError: a line has another number of columns than the first, and ``ctx.policy`` does not skip its
        sentence; names file and line.
    """
    table, lines = _Table.detect(path, limited_sentences(path, ctx.lines(path), ctx.settings.max_record))
    rows: list[list[str]] = []
    start, document, empty, invalid = 0, 1, True, False
    for number, line in chain(lines, [(0, "")]):
        border = _is_document_start(line)
        try:
            fields = None if border else table.fields(number, line, inside=bool(rows))
        except DataError as error:
            if not invalid:
                ctx.policy.skip_record(error)
            fields, invalid = [line], True
        if fields:
            start = start if rows else number
            rows.append(fields)
            continue
        if rows and not invalid:
            yield ConllSentence(document, start, rows)
            empty = False
        rows, invalid = [], False
        if border and not empty:
            document, empty = document + 1, True


class _Table:
    """Splits the lines of one file into columns, as many as the first line has."""

    def __init__(self, path: Path, *, tabs: bool) -> None:
        self._path, self._tabs = path, tabs
        self._width, self._first = 0, 0

    @classmethod
    def detect(cls, path: Path, lines: _Lines) -> tuple[_Table, _Lines]:
        """Return the table and all of ``lines``; the first line of a sentence determines what separates columns."""
        seen: list[tuple[int, str]] = []
        for number, line in lines:
            seen.append((number, line))
            if line.strip(_BLANKS) and not _is_document_start(line) and ("\t" in line or not line.startswith("# ")):
                break
        tabs = bool(seen) and "\t" in seen[-1][1].strip(_BLANKS)
        return cls(path, tabs=tabs), chain(seen, lines)

    def fields(self, number: int, line: str, *, inside: bool) -> list[str] | None:
        """Return the columns of a line; None if it is blank or a comment.

        :param inside: the line follows others of the same sentence.
        :raises DataError: their number differs from that of the first line; names file and line.
        """
        if not line.strip(_BLANKS):
            return None
        # str.split() without an argument would also split at U+00A0, U+3000 and a dozen others.
        fields = line.split("\t") if self._tabs else [field for field in line.replace("\t", " ").split(" ") if field]
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
        raise DataError(
            f"{self._path}:{number}: {self._width} columns expected as in line {self._first}, {len(fields)} found",
            hint=f"columns of this file are separated by {'tabs' if self._tabs else 'spaces'}",
        )


def _is_document_start(line: str) -> bool:
    if not line.startswith(DOCUMENT_START):
        return False
    # In a file separated by tabs, "-DOCSTART- x" is a word with a space in it.
    return line.split("\t" if "\t" in line else " ", 1)[0] == DOCUMENT_START


def is_writable(field: str) -> bool:
    """Return whether a word or label can be written in a column and read back."""
    if not field.strip(_BLANKS) or "\t" in field or "\n" in field or field == DOCUMENT_START:
        return False
    return is_encodable(field)

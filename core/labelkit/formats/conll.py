"""The CoNLL column format: one word per line, its labels in columns, a blank line after each sentence.

Columns are separated by tabs or by runs of spaces, decided once per file: in a file separated by tabs, a word may hold
a space. ``-DOCSTART-`` lines separate documents and are never examples. Lines that start with ``#`` before a sentence
are comments where they cannot be words. Other layouts are recognised by the first lines of a file: another separator,
a sentence per line, a header row, a column of sentence numbers instead of blank lines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from labelkit.errors import DataError
from labelkit.formats.column_file import ColumnFile, ColumnSentence, parse
from labelkit.formats.column_lines import BLANKS, BOM, DOCUMENT_START, PREDICTED, is_document_start
from labelkit.formats.encoding import is_encodable
from labelkit.formats.kept_columns import kept_columns, rows_of
from labelkit.formats.labelled_json import is_gold
from labelkit.labels.brackets import bracket_spans, outer_spans
from labelkit.labels.schemes import tags_of
from labelkit.labels.spans import OVERLAPS
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Place

#: a file of one sentence with more words than this probably lacks blank lines
_LONG_SENTENCE = 200


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a CoNLL file with their labels as written; spans in brackets become IOB2 tags.

    ``ctx.columns`` maps ``tokens`` and layers to column numbers, from 0, negative ones from the end, or to names of a
    header row. Without it the words are in the first column and the labels of the layer ``ctx.layer`` in the last,
    unless others fit better. Where ``ctx.policy.labels`` is ``ignored``, only the words are read.

    :raises DataError: the file cannot be read, its lines differ in columns, or a column does not exist.
    """
    has_documents = path.is_file() and any(is_document_start(line) for _, line in ctx.lines(path))
    file, lines = ColumnFile.open(path, ctx)
    reader = _SentenceReader(file)
    words = number = 0
    for number, sentence in enumerate(parse(file, lines), start=1):
        try:
            document = str(sentence.document) if has_documents else None
            example = reader.example(sentence, str(number), document)
        except DataError as error:
            ctx.policy.skip_record(error)
        else:
            words += len(sentence.rows)
            yield example
    if number == 1 and words > _LONG_SENTENCE:
        ctx.policy.assume(
            f"{path} is one sentence of {words:,} words", "separate sentences by blank lines to say otherwise"
        )


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line of tabbed columns per word, with a blank line after each record; those without words are left out.

    The word is first and the label last, if columns that were kept do not have these places. Of several tasks the label
    of the first is last, and those of the others are before it, in their order. A ``-DOCSTART-`` stands
    where the ``document`` changes. A first line says where the labels were predicted, which is refused as gold data.

    :raises DataError: a word or label would not be read back as it is.
    """
    document: object = None
    filled = (labelled for labelled in records if labelled.words)
    for number, labelled in enumerate(filled):
        rows = _with_layers(rows_of(labelled), labelled)
        for field in chain.from_iterable(rows):
            if not is_writable(field):
                raise DataError(
                    f"record '{labelled.id}': {field!a} cannot be written in CoNLL columns",
                    hint="another format can hold it, e.g. --to jsonl",
                )
        if number == 0 and not is_gold(labelled):
            # as many columns as the words have, and the label O, for readers that know no comments
            output.stream.write(("\t".join([PREDICTED, *["_"] * (len(rows[0]) - 2), "O"]) + "\n").encode())
        if (now := labelled.extra.get("document", document)) != document:
            output.stream.write(f"{DOCUMENT_START}\tO\n\n".encode())
            document = now
        # Readers drop one byte order mark at the start of a line, so a word that starts with one needs a second.
        lines = ["\t".join(row) for row in rows]
        marked = [f"{BOM if line.startswith(BOM) else ''}{line}\n" for line in lines]
        output.stream.write(("".join(marked) + "\n").encode())


def _with_layers(rows: Sequence[Sequence[str]], labelled: Labelled) -> list[list[str]]:
    """Return the rows of a record with the labels of the further tasks of words before the last column."""
    layers = [layer.labels or () for layer in list(labelled.layers.values())[1:] if layer.words == labelled.words]
    columns = zip(*layers, strict=True) if layers else ((),) * len(rows)
    return [[*row[:-1], *more, row[-1]] for row, more in zip(rows, columns, strict=True)]


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


class _SentenceReader:
    """Makes examples of the sentences of one file."""

    def __init__(self, file: ColumnFile) -> None:
        self._file, self._policy = file, file.ctx.policy
        self._columns: Mapping[str, int] = {"tokens": file.columns.words, **file.columns.layers}
        self._brackets = [
            layer for layer, number in file.columns.layers.items() if file.profiles[number].kind == "brackets"
        ]

    def example(self, sentence: ColumnSentence, identifier: str, document: str | None) -> Example:
        """Return the example of a sentence with the layers that are read.

        :raises DataError: a field is empty, or a bracket has no counterpart; names file and line.
        """
        file, lines = str(self._file.path), sentence.lines
        fields = list(zip(*sentence.rows, strict=True))
        layers = {}
        for name, number in self._columns.items():
            column = fields[number]
            if name != "tokens":  # one copy of each label for the whole corpus
                unique = {label: sys.intern(label.strip(BLANKS)) for label in set(column)}
                column = tuple([unique[label] for label in column])
            if "" in column:
                line = lines[column.index("")]
                outside = "" if name == "tokens" else " the label of a word outside of spans is O"
                raise DataError(f"{file}:{line}: the column of '{name}' is empty", hint=f"is a tab too many?{outside}")
            layers[name] = column
        place = Place(file=file, line=lines[0], word_lines=lines)
        for name in self._brackets:
            layers[name] = self._tags_of_brackets(layers[name], place)
        words = self._without_prefixes(layers.pop("tokens"))
        used = {*self._columns.values(), self._file.sentence_column}
        extra = kept_columns(fields, used, self._file.header) if self._policy.keep_columns else {}
        return Example(id=identifier, words=words, labels=layers, document=document, place=place, extra=extra)

    def _without_prefixes(self, words: tuple[str, ...]) -> tuple[str, ...]:
        prefixes = self._file.prefixes
        if not prefixes:
            return words
        found = []
        for word in words:
            prefix = next((prefix for prefix in prefixes if word.startswith(prefix) and word != prefix), "")
            found.append(word.removeprefix(prefix))
        return tuple(found)

    def _tags_of_brackets(self, labels: tuple[str, ...], place: Place) -> tuple[str, ...]:
        """Return IOB2 tags for spans in brackets; of nested ones the outer, where ``data.drop_overlaps`` says so."""
        try:
            spans = bracket_spans(labels)
        except DataError as error:
            raise error.at(place) from error
        kept = outer_spans(spans)
        if len(kept) < len(spans):
            if not self._file.ctx.settings.drop_overlaps:
                raise DataError(
                    f"{place}: spans in brackets are nested, words have one tag",
                    hint="--set data.drop_overlaps=true keeps the outer ones, and counts the others",
                )
            self._policy.counts[OVERLAPS] += len(spans) - len(kept)
        return tags_of(kept, len(labels), "IOB2")


def is_writable(field: str) -> bool:
    """Return whether a word or label can be written in a column and read back."""
    if not field.strip(BLANKS) or "\t" in field or "\n" in field or field == DOCUMENT_START:
        return False
    return is_encodable(field)

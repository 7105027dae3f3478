"""Examples from records of named columns: JSON objects and rows of tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import Columns, Record, find_columns
from labelkit.labels.span_tagger import SpanTagger
from labelkit.labels.spans import offsets_of
from labelkit.records import Example, LoadContext, Place
from labelkit.records.examples import Offsets
from labelkit.text.splitters import split

ClassNames = Mapping[str, Sequence[str]]
"""Column → the names of its class numbers, where the data gives them (``ClassLabel`` of ``datasets``)."""

_MAX_LAYOUTS = 1000  # cached; each JSON object may have different fields


def read_records(
    path: Path, ctx: LoadContext, records: Iterable[tuple[int, Record]], names: ClassNames | None = None, start: int = 0
) -> Iterator[Example]:
    """Yield the example of each ``(line, record)``.

    Where ``ctx.policy.labels`` is ``ignored``, no labels are read and no text is split. A text for a labeller of words
    that has one label then keeps it as the user's own field; unless ``--columns`` names the text, it is the example's
    label too, by the name of its column.

    :param names: column → class names.
    :param start: number of examples before these, for those without an id of their own.
    :raises DataError: a record is invalid, with file and line; at the end, if spans cut words.
    """
    reader = _RecordReader(ctx, names or {})
    file = str(path)
    for number, (line, record) in enumerate(records, start=start + 1):
        place = Place(file=file, line=line)
        try:
            example = reader.example(record, number, place)
        except DataError as error:
            ctx.policy.skip_record(error.at(place))
            continue
        if example is not None:
            yield example
    reader.tagger.finish()


class _RecordReader:
    """Makes examples of the records of one file."""

    def __init__(self, ctx: LoadContext, names: ClassNames) -> None:
        self.tagger = SpanTagger(ctx)
        self._ctx, self._names = ctx, names
        self._columns: dict[tuple[str, ...], Columns] = {}

    def example(self, record: Record, number: int, place: Place) -> Example | None:
        """Return the example of a record; None if its spans cut words, which the tagger reports at the end.

        :raises DataError: the record is invalid; names no file.
        """
        columns = self._find_columns(record)
        identifier = columns.value("id", record)
        common: dict[str, Any] = {
            "id": str(number) if identifier is None else identifier,
            "document": columns.value("document", record),
            "extra": {name: record[name] for name in columns.own},
            "place": place,
        }
        if self._ctx.policy.labels == "ignored":
            return self._unlabelled(record, columns, common)
        if columns.kind == "text":
            text = columns.text(record)
            labels = {
                layer: class_label(record[column], self._names.get(column)) for layer, column in columns.layers.items()
            }
            return Example(text=text, labels=labels, **common)
        return self._labelled_words(record, columns, common)

    def _find_columns(self, record: Record) -> Columns:
        keys = tuple(record)
        if keys not in self._columns:
            if len(self._columns) > _MAX_LAYOUTS:
                self._columns.clear()
            self._columns[keys] = find_columns(keys, self._ctx)
        return self._columns[keys]

    def _unlabelled(self, record: Record, columns: Columns, common: dict[str, Any]) -> Example:
        """Return the example without labels: the text, the words if they are given, or both."""
        column = columns.layers.get(columns.layer)
        value = None if column is None else record[column]
        if column is not None and columns.kind == "token" and "tokens" not in columns.roles and not is_nested(value):
            name = f"input_{column}"
            while name in common["extra"]:
                name = f"input_{name}"
            common["extra"][name] = value
            common["labels"] = {} if value in (None, "") or "text" in self._ctx.columns else {column: str(value)}
        text, words = columns.text(record), columns.words(record)
        offsets = None if text is None or words is None else offsets_of(words, text)
        return Example(words=words, text=text, offsets=offsets, **common)

    def _labelled_words(self, record: Record, columns: Columns, common: dict[str, Any]) -> Example | None:
        text, words = columns.text(record), columns.words(record)
        offsets: Offsets | None = None
        if words is None:
            assert text is not None  # find_columns checks that there is one or the other
            offsets = split(text, self._ctx.settings.splitter)
            words = tuple([text[start:end] for start, end in offsets])
        elif text is not None:
            offsets = offsets_of(words, text)
        spans_column = columns.spans_column(record)
        labels = {}
        if spans_column is not None:
            spanned = " ".join(words) if text is None else text
            spans = self.tagger.parse(record[spans_column], spanned, common["place"])
            tags = self.tagger.labels(spans, spanned, words, offsets, common["place"])
            if tags is None:
                return None
            labels[columns.layer] = tags
        for layer, column in columns.layers.items():
            if column != spans_column:
                labels[layer] = word_labels(record[column], self._names.get(column))
        return Example(words=words, text=text, offsets=offsets, labels=labels, **common)


def is_nested(value: Any) -> bool:
    """Return whether a value is a list or an object."""
    return isinstance(value, list | tuple | Mapping)


def class_label(value: Any, names: Sequence[str] | None = None) -> str:
    """Return the label of a text from a string, a whole number, or a list of one of these.

    :param names: the names of class numbers.
    :raises DataError: the label is missing, a fraction, or of another type; names no file.
    """
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise DataError(f"one label is needed, this text has {len(value)}", hint="several labels are not learned")
        value = value[0]
    if isinstance(value, str) and value:
        return sys.intern(value)
    if value is None or value == "":
        raise DataError("the label is missing", hint="give each text a label, or leave it out")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if names is None:
            return sys.intern(str(value))
        if not 0 <= value < len(names):
            raise DataError(f"label {value} has no name, there are {len(names)}", hint="-1 often means: not labelled")
        return sys.intern(names[value])
    if isinstance(value, float):
        raise fraction_error(value)
    raise DataError(f"a label is text or a whole number, not {value!r}", hint="choose its column: --columns label=…")


def word_labels(value: Any, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the labels of words from a list.

    :param names: the names of class numbers.
    :raises DataError: the labels are missing, not a list, or one is invalid; names no file.
    """
    if value is None:
        raise DataError("the labels are missing", hint="give each word a label, or leave the sentence out")
    if not isinstance(value, list | tuple):
        hint = "choose their field: --columns LAYER=…"
        raise DataError(f"the labels of words must be a list, not {value!r}"[:300], hint=hint)
    return tuple([class_label(label if not isinstance(label, list | tuple) else None, names) for label in value])


def fraction_error(value: object) -> DataError:
    """Return the error for a label that is a fraction."""
    return DataError(
        f"the label {value} is a fraction, labels are classes",
        hint="scores cannot be learned: make classes of them, or choose another column with --columns label=…",
    )

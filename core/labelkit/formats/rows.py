"""Records of named fields (JSON objects, rows of tables) made into examples."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.fields import Layout, is_spans, layout_of
from labelkit.labels.span_tags import SpanTagger
from labelkit.labels.spans import Offsets, offsets_of
from labelkit.records import Example, Labels, LoadContext, Place
from labelkit.text.splitters import split

Record = Mapping[str, Any]
Names = Mapping[str, Sequence[str]]
"""Column → the names of its numbers, where the data has them (``ClassLabel``)."""

_LAYOUTS = 1000  # remembered; JSON objects may each have fields of their own


def read_rows(
    path: Path, ctx: LoadContext, rows: Iterable[tuple[int, Record]], names: Names | None = None, start: int = 0
) -> Iterator[Example]:
    """Yield an example for each ``(line, record)``.

    Where ``ctx.policy.labels`` is ``ignored``, no labels are read and no text is split. A text for a labeller of words
    that has one label then keeps it as its own field; unless ``--columns`` names the text, it is the example's label
    too, by the name of its field.

    :param names: column → the names of its numbers.
    :param start: how many examples came before, for those without an id of their own.
    :raises DataError: a record cannot be used, with file and line; at the end, when spans cut words.
    """
    reader, on_bad_record = _Reader(path, ctx, names or {}), ctx.policy.on_bad_record
    for number, (line, record) in enumerate(rows, start=start + 1):
        try:
            example = reader.example(number, line, record)
        except DataError as error:
            if on_bad_record is None:
                raise
            on_bad_record(error)
            continue
        if example is not None:
            yield example
    reader.finish()


def check_columns(path: Path, ctx: LoadContext, names: Sequence[str]) -> None:
    """Check that a table with the columns ``names`` can be read.

    :raises DataError: a column comes twice, or one that is needed is not there.
    """
    if doubled := [name for index, name in enumerate(names) if name in names[:index]]:
        raise DataError(f"{path}: the column '{doubled[0]}' comes twice", hint="rename one of them")
    try:
        layout_of(names, ctx)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error


class _Reader:
    """Reads the records of one file."""

    def __init__(self, path: Path, ctx: LoadContext, names: Names) -> None:
        self._file, self._ctx, self._names = str(path), ctx, names
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._tagger = SpanTagger(ctx)
        self._splitter = ctx.settings.splitter

    def example(self, number: int, line: int, record: Record) -> Example | None:
        """Return the example of a record; None when its spans cut words, which :meth:`finish` tells of."""
        place = Place(file=self._file, line=line)
        try:
            layout = self._layout(record)
            bare = self._ctx.policy.labels == "ignored"
            common: dict[str, Any] = {
                "id": _identifier(record, layout, number),
                "document": _document(record, layout),
                "extra": _bare_extra(record, layout) if bare else _extra(record, layout),
                "place": place,
            }
            if bare:
                return self._bare(record, layout, common)
            if layout.kind == "text":
                return Example(text=_text(record, layout), labels=self._labels(record, layout), **common)
            return self._tokens(record, layout, common)
        except DataError as error:
            raise type(error)(f"{place}: {error.message}", hint=error.hint) from error

    def finish(self) -> None:
        """Raise what was collected.

        :raises DataError: there were spans that cut words.
        """
        self._tagger.finish()

    def _layout(self, record: Record) -> Layout:
        keys = tuple(record)
        if keys not in self._layouts:
            if len(self._layouts) > _LAYOUTS:
                self._layouts.clear()
            self._layouts[keys] = layout_of(keys, self._ctx)
        return self._layouts[keys]

    def _bare(self, record: Record, layout: Layout, common: dict[str, Any]) -> Example:
        """Return the example without labels: the text, the words where they are given, or both."""
        column = layout.layers.get(layout.layer)
        if layout.kind == "token" and "tokens" not in layout.roles and column is not None:
            common |= self._one_label(column, record[column], common["extra"])
        text = _text(record, layout) if "text" in layout.roles else None
        words, offsets = _words(record, layout, text, self._splitter) if "tokens" in layout.roles else (None, None)
        return Example(words=words, text=text, offsets=offsets, **common)

    def _one_label(self, column: str, value: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return the own fields with the label of a whole text, and the label where nothing else was asked for."""
        if isinstance(value, list | tuple | Mapping):
            return {}
        name = f"input_{column}"
        while name in extra:
            name = f"input_{name}"
        labels = {} if value in (None, "") or "text" in self._ctx.columns else {column: str(value)}
        return {"extra": {**extra, name: value}, "labels": labels}

    def _labels(self, record: Record, layout: Layout) -> dict[str, Labels]:
        token = layout.kind == "token"
        read = label_list if token else one_label
        return {name: read(record[column], self._names.get(column)) for name, column in layout.layers.items()}

    def _tokens(self, record: Record, layout: Layout, common: dict[str, Any]) -> Example | None:
        text = _text(record, layout) if "text" in layout.roles else None
        words, offsets = _words(record, layout, text, self._splitter)
        column = _spans_column(record, layout)
        if column is None:
            return Example(words=words, text=text, offsets=offsets, labels=self._labels(record, layout), **common)
        spanned = " ".join(words) if text is None else text
        spans = self._tagger.parse(record[column], spanned, common["place"])
        tags = self._tagger.labels(spans, spanned, words, offsets, common["place"])
        if tags is None:
            return None
        others = {name: column_ for name, column_ in layout.layers.items() if column_ != column}
        labels = {name: label_list(record[other], self._names.get(other)) for name, other in others.items()}
        return Example(words=words, text=text, offsets=offsets, labels={layout.layer: tags, **labels}, **common)


def one_label(value: Any, names: Sequence[str] | None = None) -> str:
    """Return the label of a text: a string, a whole number, its name where numbers have names, or a list of one.

    :raises DataError: it is missing, a fraction, or something else; names no file.
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
        return sys.intern(_named(value, names))
    if isinstance(value, float):
        raise fraction(value)
    raise DataError(f"a label is text or a whole number, not {value!r}", hint="choose its column: --columns label=…")


def label_list(value: Any, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the labels of words.

    :raises DataError: they are missing, no list, or one of them is no label; names no file.
    """
    if value is None:
        raise DataError("the labels are missing", hint="give each word a label, or leave the sentence out")
    if not isinstance(value, list | tuple):
        raise DataError(
            f"the labels of words must be a list, not {value!r}"[:300], hint="choose their field: --columns LAYER=…"
        )
    return tuple([one_label(label if not isinstance(label, list | tuple) else None, names) for label in value])


def fraction(value: object) -> DataError:
    """Return the error about a label that is a fraction."""
    return DataError(
        f"the label {value} is a fraction, labels are classes",
        hint="scores cannot be learned: make classes of them, or choose another column with --columns label=…",
    )


def _named(value: int, names: Sequence[str] | None) -> str:
    if names is None:
        return str(value)
    if not 0 <= value < len(names):
        raise DataError(f"label {value} has no name, there are {len(names)}", hint="-1 often means: not labelled")
    return names[value]


def _text(record: Record, layout: Layout) -> str:
    value = record[layout.roles["text"]]
    if value is None:
        raise DataError("the text is missing", hint="give each record a text, or leave it out")
    if not isinstance(value, str):
        raise DataError(f"the text must be a string, not {value!r}"[:300], hint="choose its column: --columns text=…")
    return value


def _words(record: Record, layout: Layout, text: str | None, splitter: str) -> tuple[tuple[str, ...], Offsets | None]:
    """Return the words, given or split, and where they stand in the text."""
    if "tokens" not in layout.roles:
        assert text is not None  # a layout has one or the other
        offsets = split(text, splitter)
        return tuple([text[start:end] for start, end in offsets]), offsets
    value = record[layout.roles["tokens"]]
    if value is None:
        raise DataError("the words are missing", hint="give each record words, or leave it out")
    if isinstance(value, list | tuple) and value and all(isinstance(word, Mapping) for word in value):
        value = [word.get("text") for word in value]  # as Prodigy writes them
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise DataError(
            f"the words must be a list of strings, not {value!r}"[:300], hint="choose their field: --columns tokens=…"
        )
    return tuple(value), None if text is None else offsets_of(value, text)


def _spans_column(record: Record, layout: Layout) -> str | None:
    """Return the column of the spans where the labels are spans: no words are given, or they have no tags."""
    column = layout.layers.get(layout.layer)
    if column is not None and "tokens" not in layout.roles and is_spans(record[column]):
        return column
    return layout.roles.get("spans") if column is None or "tokens" not in layout.roles else None


def _identifier(record: Record, layout: Layout, number: int) -> str:
    value = record[layout.roles["id"]] if "id" in layout.roles else None
    return str(number) if value is None else str(value)


def _document(record: Record, layout: Layout) -> str | None:
    value = record[layout.roles["document"]] if "document" in layout.roles else None
    return None if value is None else str(value)


def _bare_extra(record: Record, layout: Layout) -> dict[str, Any]:
    """Return the caller's own fields of a record whose labels are ignored."""
    kept = [layout.roles["document"]] if "document" in layout.roles else []
    return {name: record[name] for name in (*layout.extra, *kept)}


def _extra(record: Record, layout: Layout) -> dict[str, Any]:
    """Return the caller's own fields: what is not read, and what is kept beside being read."""
    kept = [layout.roles[role] for role in ("spans", "document") if role in layout.roles]
    if layout.layers and "tokens" in layout.roles:
        return {name: record[name] for name in (*layout.extra, *kept)}
    return {name: record[name] for name in (*layout.extra, *kept) if name != layout.roles.get("spans")}

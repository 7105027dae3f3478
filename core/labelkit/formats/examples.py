"""Examples from records of named columns: JSON objects and rows of tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.class_labels import LabelParser, MissingLabelError, report_several
from labelkit.formats.columns import Columns, Record, find_columns, is_spans, listed
from labelkit.formats.indicator_columns import with_joined_indicators
from labelkit.formats.labelled_json import check_not_predicted, is_coverage, without_predictions
from labelkit.formats.reviewed_regions import reviewed_regions
from labelkit.formats.span_fields import SpanUnit, find_unit, parse_fields, span_items
from labelkit.formats.split_field import noting_splits
from labelkit.formats.word_rows import with_whole_sentences
from labelkit.formats.word_strings import with_word_lists, words_of_labels
from labelkit.labels.label_sets import SeveralLabelsError
from labelkit.labels.span_tagger import SpanTagger
from labelkit.labels.spans import joined_offsets, offsets_of
from labelkit.labels.unknown import unknown_outside
from labelkit.records import Example, LoadContext, Place
from labelkit.records.examples import Offsets
from labelkit.text.splitters import split

ClassNames = Mapping[str, Sequence[str]]
"""Column → the names of its class numbers, where the data gives them (``ClassLabel`` of ``datasets``)."""

NOT_KEPT = "labels of the input in the field '{}' were not kept"
_MAX_LAYOUTS = 1000  # cached; each JSON object may have different fields
_SAMPLE = 1000  # records by which it is decided what offsets count


def read_records(
    path: Path,
    ctx: LoadContext,
    records: Iterable[tuple[int, Record]],
    names: ClassNames | None = None,
    start: int = 0,
    *,
    cells: bool = False,
) -> Iterator[Example]:
    """Yield the example of each ``(line, record)``; ``data.unlabelled=skip`` leaves those without a label out.

    Where ``ctx.policy.labels`` is ``ignored``, no labels are read and no text is split. A text for a labeller of words
    that has one label then keeps it as the user's own field; unless ``--columns`` names the text, it is the example's
    label too, by the name of its column.

    :param names: column → class names.
    :param start: number of examples before these, for those without an id of their own.
    :param cells: strings are the cells of a text table, in which numbers and lists have no type.
    :raises DataError: a record is invalid, with file and line; at the end, if spans cut words, classes are several
        labels in one, or no record has a label.
    """
    reader = _RecordReader(ctx, names or {}, cells=cells)
    records = with_joined_indicators(path, noting_splits(path, records, ctx), ctx)
    file, found = str(path), False
    unlabelled: DataError | None = None
    whole = with_whole_sentences(records, ctx, cells=cells)
    for number, (line, record) in enumerate(reader.with_span_unit(whole), start=start + 1):
        place = Place(file=file, line=line)
        try:
            example = reader.example(record, number, place)
        except MissingLabelError as error:
            unlabelled = unlabelled or error.at(place)
            if ctx.settings.unlabelled == "skip":
                ctx.policy.leave_out(error.counted_as, error.at(place))
            else:
                ctx.policy.skip_record(error.at(place))
            continue
        except SeveralLabelsError as error:
            report_several(error.at(place), ctx)
            continue
        except DataError as error:
            ctx.policy.skip_record(error.at(place))
            continue
        if example is not None:
            found = True
            yield example
    reader.finish(path)
    if unlabelled is not None and not found and ctx.policy.on_bad_record is None:
        raise unlabelled


class _RecordReader:
    """Makes examples of the records of one file."""

    def __init__(self, ctx: LoadContext, names: ClassNames, *, cells: bool) -> None:
        self._tagger, self._labels = SpanTagger(ctx), LabelParser(ctx, cells=cells)
        self._ctx, self._names = ctx, names
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._unit: SpanUnit = "characters"
        self._layer = ctx.layer or "LAYER"

    def example(self, record: Record, number: int, place: Place) -> Example | None:
        """Return the example of a record; None if its spans cut words, which the tagger reports at the end.

        :raises DataError: the record is invalid; names no file.
        """
        if self._ctx.policy.labels == "required":
            check_not_predicted(record, self._ctx.settings)
        predicted, record = is_coverage(record.get("coverage")), without_predictions(record)
        columns = self._find_columns(record)
        identifier = columns.value("id", record)
        common: dict[str, Any] = {
            "id": str(number) if identifier is None else identifier,
            "document": columns.value("document", record),
            "extra": {name: record[name] for name in columns.own},
            "place": place,
        }
        if self._ctx.policy.labels == "ignored":
            return self._unlabelled(record, columns, common, predicted=predicted)
        if columns.kind == "text":
            text, pair = columns.text(record), columns.pair(record)
            labels = {
                layer: self._labels.text(record[column], self._names.get(column))
                for layer, column in columns.layers.items()
            }
            self._check_labelled(labels, record)
            return Example(text=text, pair=pair, labels=labels, **common)
        return self._labelled_words(record, columns, common)

    def with_span_unit(self, records: Iterable[tuple[int, Record]]) -> Iterator[tuple[int, Record]]:
        """Yield the records; before the first one with spans but no text it is decided what offsets count.

        :raises DataError: both readings of the offsets fit.
        """
        unit, iterator = self._ctx.settings.span_offsets, iter(records)
        if unit != "auto":
            self._unit = unit
        elif self._ctx.policy.labels == "required" and self._ctx.kind != "text":
            for line, record in iterator:
                if self._has_bare_spans(record):
                    sample = [(line, record), *islice(iterator, _SAMPLE - 1)]
                    self._decide_unit([one for _, one in sample])
                    yield from sample
                    break
                yield line, record
        yield from iterator

    def finish(self, path: Path) -> None:
        """Report what was collected about the file.

        :raises DataError: spans cut words, or classes are several labels in one.
        """
        self._tagger.finish()
        self._labels.finish(path)

    def _check_labelled(self, labels: Mapping[str, Any], record: Record) -> None:
        """Leave a record out that has no field of labels; unless ``data.unlabelled=skip``, whoever reads it reports it.

        :raises MissingLabelError: it has none; names no file.
        """
        if not labels and self._ctx.settings.unlabelled == "skip":
            hint = f"name it: --columns {self._layer}=…"
            raise MissingLabelError(f"no field of labels, the fields are {listed(record)}", hint=hint)

    def _has_bare_spans(self, record: Record) -> bool:
        """Return whether a record has words without a text, and spans as labels."""
        try:
            columns = self._find_columns(record)
        except DataError:  # reported when the record is read
            return False
        return columns.kind == "token" and "text" not in columns.roles and columns.spans_column(record) is not None

    def _decide_unit(self, records: Sequence[Record]) -> None:
        gliner = any(self._find_columns(record).gliner for record in records[:1])
        unit = "words-inclusive" if gliner else find_unit(self._bare_spans(records))
        if unit is None:
            raise DataError(
                "offsets of spans may count words, or characters of the words joined by spaces: both fit",
                hint="say which: --set data.span_offsets=words or characters",
            )
        self._unit = unit
        if unit != "characters":
            ends = "with inclusive ends" if unit == "words-inclusive" else "with exclusive ends"
            self._ctx.policy.assume(
                f"offsets of spans count words, {ends}", "--set data.span_offsets=characters says otherwise"
            )

    def _bare_spans(self, records: Iterable[Record]) -> Iterator[tuple[Sequence[str], Sequence[Any]]]:
        for record in records:
            try:
                columns = self._find_columns(record)
                spans, words = columns.spans_column(record), columns.words(record)
            except DataError:  # reported when the record is read
                continue
            if spans is not None and words is not None and isinstance(record[spans], list | tuple):
                yield words, record[spans]

    def _find_columns(self, record: Record) -> Columns:
        keys = tuple(record)
        if keys not in self._columns:
            if len(self._columns) > _MAX_LAYOUTS:
                self._columns.clear()
            self._columns[keys] = find_columns(keys, self._ctx)
        columns = self._columns[keys]
        if self._ctx.kind is None and columns.kind == "text" and _holds_spans(record, columns):
            return find_columns(keys, replace(self._ctx, kind="token"))
        return columns

    def _unlabelled(self, record: Record, columns: Columns, common: dict[str, Any], *, predicted: bool) -> Example:
        """Return the example without labels: the text, the words if they are given, or both.

        Its labels become own fields, unless labelkit predicted them.
        """
        column = columns.layers.get(columns.layer)
        value = None if column is None else record[column]
        if column is not None and columns.kind == "token" and "tokens" not in columns.roles and not is_nested(value):
            common["labels"] = {} if value in (None, "") or "text" in self._ctx.columns else {column: str(value)}
        labels = [name for name in record if name in {*columns.layers.values(), columns.roles.get("spans")}]
        if predicted:
            self._ctx.policy.counts.update(NOT_KEPT.format(name) for name in labels if record[name] is not None)
        for name in () if predicted else labels:
            if record[name] is not None or name == column:
                common["extra"][free_name(name, common["extra"])] = record[name]
        text, words = columns.text(record), columns.words(record)
        offsets = None if text is None or words is None else offsets_of(words, text)
        return Example(words=words, text=text, pair=columns.pair(record, blank=True), offsets=offsets, **common)

    def _labelled_words(self, record: Record, columns: Columns, common: dict[str, Any]) -> Example | None:
        record = with_word_lists(record, columns, self._ctx)
        text, words = columns.text(record), columns.words(record)
        spans_column = columns.spans_column(record)
        if words is None and spans_column is None:
            assert text is not None  # find_columns checks that there is one or the other
            words = words_of_labels(text, record, columns, self._ctx)
        offsets: Offsets | None = None
        if words is None:
            assert text is not None
            offsets = split(text, self._ctx.settings.splitter)
            words = tuple([text[start:end] for start, end in offsets])
        elif text is not None:
            offsets = offsets_of(words, text)
        labels = {}
        if spans_column is not None:
            spanned = " ".join(words) if text is None else text
            items = span_items(record[spans_column], self._ctx)
            unit = self._unit if text is None else "characters"
            spans, errors = parse_fields(items, spanned, self._ctx, unit=unit, words=words)
            for error in errors:
                self._ctx.policy.drop_span(error.at(common["place"]))
            tags = self._tagger.labels(spans, spanned, words, offsets, common["place"])
            if tags is None:
                return None
            regions = reviewed_regions(record, spanned, self._ctx)
            if regions is not None:
                tags = unknown_outside(tags, offsets or joined_offsets(words), regions)
            labels[columns.layer] = tags
        for layer, column in columns.layers.items():
            if column != spans_column:
                labels[layer] = self._labels.words(record[column], self._names.get(column))
        self._check_labelled(labels, record)
        return Example(words=words, text=text, offsets=offsets, labels=labels, **common)


def _holds_spans(record: Record, columns: Columns) -> bool:
    """Return whether what is taken for the class of a text is a list of spans."""
    values = [record[column] for column in columns.layers.values()]
    return any(bool(value) and is_spans(value) for value in values)


def free_name(name: str, taken: Collection[str]) -> str:
    """Return the name of an own field for labels of the input: with ``input_`` before it, until it is free."""
    found = f"input_{name}"
    return free_name(found, taken) if found in taken else found


def is_nested(value: Any) -> bool:
    """Return whether a value is a list or an object."""
    return isinstance(value, list | tuple | Mapping)

"""doccano's JSON Lines: ``{"text", "label": [[start, end, type]]}`` and ``{"text", "label": ["class"]}``.

Also read: the form with relations, ``{"text", "entities": [{"label", "start_offset", "end_offset"}]}``, the older forms
with ``labels`` and with ``annotations``. doccano keeps all other fields as a record's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.class_labels import MissingLabelError
from labelkit.formats.columns import is_spans, listed
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.span_locator import SpanLocator
from labelkit.formats.tools.annotations import (
    AnnotatedText,
    as_mapping,
    filled_fields,
    is_predicted,
    read_annotations,
    text_field,
)
from labelkit.formats.tools.span_records import METADATA, check_own_fields, record_metadata, to_spans
from labelkit.labels.number_names import named_numbers
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Kind, Labelled, LoadContext, Output

UNLABELLED = "texts without a class were left out"
_KEYS = ("label", "labels", "entities", "annotations")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the records of a doccano export.

    :raises DataError: a line is invalid; names file and line.
    """
    return read_annotations(path, ctx, objects(path, ctx), partial(parse_record, ctx=ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line per record: its text, its spans or its class, the user's own fields, and ``labelkit``.

    :raises DataError: a record cannot be written.
    """
    for labelled in records:
        check_own_fields(labelled, ("text", "id", METADATA, *_KEYS), "doccano")
        labels: list[Any]
        if labelled.words is None:
            labels = [labelled.label] if labelled.labels is None else list(labelled.labels)
            metadata = record_metadata(labelled, None)
        else:
            record = to_spans(labelled)
            labels = [[span.start, span.end, span.label] for span in record.spans]
            metadata = record_metadata(labelled, record)
            if record.scores is not None:
                metadata["scores"] = record.scores
        fields = {"text": labelled.text, "label": labels, **labelled.extra, METADATA: metadata}
        output.stream.write(json_line(fields, labelled.id))


FORMAT = Format(
    name="doccano",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    multilabel=True,
    summary="doccano's JSON Lines: a text with spans, or with its class",
)


def looks_like_record(record: Any) -> bool:
    """Return whether a JSON value is a record of an export of doccano that its field names give away."""
    if not isinstance(record, Mapping) or "text" not in record:
        return False
    keys = [key for key in ("entities", "annotations") if key in record]
    items = [item for key in keys if isinstance(record[key], list) for item in record[key]]
    doccano = any(isinstance(item, Mapping) and {"start_offset", "end_offset"} <= item.keys() for item in items)
    return doccano or ("Comments" in record and bool({*_KEYS} & record.keys())) or ("annotations" in keys and not items)


def parse_record(record: Mapping[str, Any], ctx: LoadContext) -> AnnotatedText | None:
    """Return the text of a record with its spans or its class; None if it is to have a class and has none.

    :raises MissingLabelError: it has no field of labels, or nothing in it; names no file.
    :raises DataError: the text or its labels are invalid; names no file.
    """
    name = ctx.columns.get("text", "text")
    text = text_field(record, name)
    named = (column for role, column in ctx.columns.items() if role not in ("text", "id", "document"))
    key = next((key for key in (*named, *_KEYS) if key in record), None)
    metadata = as_mapping(record.get(METADATA))
    annotated = partial(
        AnnotatedText,
        text=text,
        metadata=metadata,
        id=record.get("id"),
        extra={field: held for field, held in record.items() if field not in (name, key, "id", METADATA)},
        # doccano gives each record an id
        predicted_by="labelkit" if is_predicted(metadata) and "id" not in record else None,
    )
    if ctx.policy.labels == "ignored":
        return annotated(given=filled_fields(record, key))
    value = labels_of_record(record, key)
    guess: Kind = "token" if "words" in metadata or is_spans(value) else "text"
    if (ctx.kind or guess) == "text":
        if value == [] and not ctx.settings.multilabel:
            ctx.policy.counts[UNLABELLED] += 1
            return None
        return annotated(label=value)
    locator = SpanLocator(text, ctx)
    items = value if isinstance(value, list) else [value] if value else []
    names = named_numbers(ctx.settings.label_names)
    spans = locator.collect(items, lambda item: [parse_item(item, locator, names)])
    return annotated(spans=spans, errors=locator.errors)


def labels_of_record(record: Mapping[str, Any], key: str | None) -> Any:
    """Return the spans or classes of a record; annotations of whole texts as their classes.

    :param key: the field that holds them.
    :raises MissingLabelError: there is no such field, or it holds nothing; names no file.
    :raises DataError: classes are numbers; names no file.
    """
    if key is None:
        raise MissingLabelError(
            f"no field of labels, the fields are {listed(record)}", hint="name it: --columns label=FIELD"
        )
    value = record[key]
    if value is None:
        raise MissingLabelError(f"nothing in the field '{key}' of the labels", hint="export the labels too")
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return value
    if any("start_offset" in item for item in value) or not value:
        return value
    return [named_label(item.get("label"), {}) for item in value]


def parse_item(item: Any, locator: SpanLocator, names: Mapping[str, str]) -> TextSpan:
    """Return a span of either form.

    :param names: of labels that are numbers, by number.
    :raises DataError: it is invalid, or its label is a number; names no file.
    """
    if isinstance(item, Mapping) and "start_offset" in item:
        label = named_label(item.get("label"), names)
        return locator.span(item["start_offset"], item.get("end_offset"), label)
    if not isinstance(item, list) or len(item) != 3:
        raise DataError(
            f"a span is [start, end, label], not {item!r}"[:300], hint="is this an export of sequence labelling?"
        )
    return locator.span(item[0], item[1], named_label(item[2], names))


def named_label(label: Any, names: Mapping[str, str]) -> Any:
    """Return a label, or the name of the number that doccano's older exports hold instead of it.

    :raises DataError: the number has no name; names no file.
    """
    if type(label) is not int:
        return label
    if str(label) not in names:
        raise DataError(
            f"the label {label} is the number of a label in doccano, not its name",
            hint="export it as JSONL with the texts of the labels, or --set data.label_names=label2id.json names them",
        )
    return names[str(label)]

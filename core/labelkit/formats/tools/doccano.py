"""doccano's JSON Lines: ``{"text", "label": [[start, end, type]]}`` and ``{"text", "label": ["class"]}``.

Also read: the form with relations, ``{"text", "entities": [{"label", "start_offset", "end_offset"}]}``, and the older
key ``labels``. doccano keeps all other fields as a record's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import is_spans
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.tools.annotations import AnnotatedText, as_mapping, read_annotations, text_field
from labelkit.formats.tools.offsets import SpanLocator
from labelkit.formats.tools.span_records import METADATA, check_own_fields, record_metadata, to_spans
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Kind, Labelled, LoadContext, Output

UNLABELLED = "texts without a class were left out"
_KEYS = ("label", "labels", "entities")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the records of a doccano export.

    :raises DataError: a line is invalid; names file and line.
    """
    return read_annotations(path, ctx, objects(path, ctx), partial(_parse, ctx=ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line per record: its text, its spans or its class, the user's own fields, and ``labelkit``.

    :raises DataError: a record cannot be written.
    """
    for labelled in records:
        check_own_fields(labelled, ("text", "id", METADATA, *_KEYS), "doccano")
        labels: list[Any]
        if labelled.words is None:
            labels, metadata = [labelled.label], record_metadata(labelled, None)
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
    summary="doccano's JSON Lines: a text with spans, or with its class",
)


def _parse(record: Mapping[str, Any], ctx: LoadContext) -> AnnotatedText | None:
    name = ctx.columns.get("text", "text")
    text = text_field(record, name)
    named = (column for role, column in ctx.columns.items() if role not in ("text", "id", "document"))
    key = next((key for key in (*named, *_KEYS) if key in record), None)
    value = [] if key is None else record[key]
    metadata = as_mapping(record.get(METADATA))
    extra = {field: held for field, held in record.items() if field not in (name, key, "id", METADATA)}
    annotated = partial(AnnotatedText, text=text, metadata=metadata, id=record.get("id"), extra=extra)
    if ctx.policy.labels == "ignored":
        return annotated()
    guess: Kind = "token" if "words" in metadata or is_spans(value) else "text"
    if (ctx.kind or guess) == "text":
        if value in ([], None):
            ctx.policy.counts[UNLABELLED] += 1
            return None
        return annotated(label=value)
    locator = SpanLocator(text, ctx)
    items = value if isinstance(value, list) else [value] if value else []
    spans = locator.collect(items, lambda item: [parse_item(item, locator)])
    return annotated(spans=spans, errors=locator.errors)


def parse_item(item: Any, locator: SpanLocator) -> TextSpan:
    """Return a span of either form.

    :raises DataError: it is invalid; names no file.
    """
    if isinstance(item, Mapping) and "start_offset" in item:
        return locator.span(item["start_offset"], item.get("end_offset"), item.get("label"))
    if not isinstance(item, list) or len(item) != 3:
        raise DataError(
            f"a span is [start, end, label], not {item!r}"[:300], hint="is this an export of sequence labelling?"
        )
    return locator.span(*item)

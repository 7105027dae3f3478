"""doccano's JSON Lines: ``{"text", "label": [[start, end, type]]}`` and ``{"text", "label": ["class"]}``.

Also read: the form with relations, ``{"text", "entities": [{"label", "start_offset", "end_offset"}]}``, and the older
key ``labels``. doccano keeps all other fields as a record's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import is_spans
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.tools.reading import (
    Anchor,
    Found,
    aside_of,
    kind_wanted,
    left_out,
    read_each,
    text_of,
    unlabelled_wanted,
)
from labelkit.formats.tools.writing import ASIDE, beside, check_own, marked
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Kind, Labelled, LoadContext, Output

UNLABELLED = "texts without a class were left out"
_KEYS = ("label", "labels", "entities")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the records of a doccano export.

    :raises DataError: a line is none; names file and line.
    """
    return read_each(path, ctx, objects(path, ctx), lambda _, record: _found(record, ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line per record: its text, its spans or its class, its own fields, and ``labelkit``.

    :raises DataError: a record cannot be held.
    """
    for labelled in records:
        check_own(labelled, ("text", "id", ASIDE, *_KEYS), "doccano")
        output.stream.write(json_line(_record(labelled), labelled.id))


FORMAT = Format(
    name="doccano",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    summary="doccano's JSON Lines: a text with spans, or with its class",
)


def _record(labelled: Labelled) -> dict[str, Any]:
    if labelled.words is None:
        aside = beside(labelled, None)
        return {"text": labelled.text, "label": [labelled.label], **labelled.extra, ASIDE: aside}
    held = marked(labelled)
    aside = beside(labelled, held)
    if any(span.score is not None for span in held.spans):
        aside["scores"] = [span.score for span in held.spans]
    spans = [[span.start, span.end, span.label] for span in held.spans]
    return {"text": labelled.text, "label": spans, **labelled.extra, ASIDE: aside}


def _found(record: Mapping[str, Any], ctx: LoadContext) -> Found | None:
    name = ctx.columns.get("text", "text")
    text = text_of(record, name)
    key = next((key for key in (*_wanted(ctx), *_KEYS) if key in record), None)
    value = [] if key is None else record[key]
    aside = aside_of(record.get(ASIDE))
    guess: Kind = "token" if "words" in aside or is_spans(value) else "text"
    extra = {own: held for own, held in record.items() if own not in (name, key, "id", ASIDE)}
    common: dict[str, Any] = {"text": text, "aside": aside, "id": record.get("id"), "extra": extra}
    if unlabelled_wanted(ctx):
        return Found(**common)
    if kind_wanted(ctx, guess) == "text":
        if value in ([], None):
            left_out(ctx, UNLABELLED)
            return None
        return Found(label=value, **common)
    anchor = Anchor(text, ctx)
    marks = anchor.each(value or (), lambda item: [_span(item, anchor)])
    return Found(marks=marks, faults=anchor.faults, **common)


def _wanted(ctx: LoadContext) -> tuple[str, ...]:
    """Return the field that ``--columns LAYER=FIELD`` names."""
    return tuple(field for name, field in ctx.columns.items() if name not in ("text", "id", "document"))


def _span(item: Any, anchor: Anchor) -> TextSpan:
    if isinstance(item, Mapping) and "start_offset" in item:
        return anchor.span(item["start_offset"], item.get("end_offset"), item.get("label"))
    if not isinstance(item, list) or len(item) != 3:
        raise DataError(
            f"a span is [start, end, label], not {item!r}"[:300], hint="is this an export of sequence labelling?"
        )
    return anchor.span(*item)

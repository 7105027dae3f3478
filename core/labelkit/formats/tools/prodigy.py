"""Prodigy's JSON Lines, as ``db-out`` writes and recipes read them: a text with tokens and spans, or with its class.

``token_end`` of a span is the number of its last token; everything else that ends is exclusive.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.labelled_json import is_gold
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
from labelkit.formats.tools.writing import ASIDE, Marked, beside, marked, misfit
from labelkit.labels.spans import Offsets
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Span

REFUSED = "examples that were rejected or ignored in Prodigy were left out"
UNDECIDED = "examples without a chosen option were left out"
_READ = ("text", "tokens", "spans", "label", "options", "accept", "answer", "meta", ASIDE)
# what Prodigy adds to each task for itself
_ITS_OWN = ("_input_hash", "_task_hash", "_view_id", "_session_id", "_annotator_id", "_timestamp", "_is_binary")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a file of ``prodigy db-out``; rejected and ignored ones are left out and counted.

    :raises DataError: a line is none; names file and line.
    """
    return read_each(path, ctx, objects(path, ctx), lambda _, record: _found(record, ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a task per record; gold ones are answered, the others wait for an answer.

    :raises DataError: a record cannot be held.
    """
    for labelled in records:
        output.stream.write(json_line(_record(labelled), labelled.id))


FORMAT = Format(
    name="prodigy",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    summary="Prodigy's JSON Lines: a text with tokens and spans, or with its class",
)


def _record(labelled: Labelled) -> dict[str, Any]:
    record: dict[str, Any] = {"text": labelled.text}
    if labelled.words is None:
        record |= _classified(labelled)
        aside = beside(labelled, None)
    else:
        held = marked(labelled)
        record |= {"tokens": _tokens(labelled.text, held.offsets)}
        record["spans"] = [_span(span, held, labelled) for span in held.spans]
        aside = beside(labelled, held)
        if all(map(str.strip, held.words)) and [token["text"] for token in record["tokens"]] == aside["words"]:
            # the tokens say it all
            aside = {name: value for name, value in aside.items() if name not in ("words", "offsets")}
    if is_gold(labelled):
        record["answer"] = "accept"
    if labelled.extra:
        record["meta"] = dict(labelled.extra)
    return {**record, ASIDE: aside}


def _classified(labelled: Labelled) -> dict[str, Any]:
    """Return a task of the interface ``choice`` where other classes could be chosen, else of ``classification``."""
    if not labelled.scores:
        return {"label": labelled.label}
    options = [{"id": name, "text": name} for name in labelled.scores]
    return {"options": options, "accept": [labelled.label]}


def _tokens(text: str, offsets: Offsets) -> list[dict[str, Any]]:
    return [
        {"text": text[start:end], "start": start, "end": end, "id": number, "ws": text[end : end + 1] == " "}
        for number, (start, end) in enumerate(offsets)
    ]


def _span(span: Span, held: Marked, labelled: Labelled) -> dict[str, Any]:
    first = bisect_right([end for _, end in held.offsets], span.start)
    last = bisect_left([start for start, _ in held.offsets], span.end) - 1
    if last < first:
        raise misfit(labelled, span, "holds no word")
    found = {"start": span.start, "end": span.end, "token_start": first, "token_end": last, "label": span.label}
    return found if span.score is None else {**found, "score": span.score}


def _found(record: Mapping[str, Any], ctx: LoadContext) -> Found | None:
    if record.get("answer", "accept") != "accept" and not unlabelled_wanted(ctx):
        left_out(ctx, REFUSED)
        return None
    text = text_of(record, "text")
    aside = aside_of(record.get(ASIDE))
    meta = record.get("meta")
    extra = {name: value for name, value in record.items() if name not in (*_READ, *_ITS_OWN)}
    extra |= meta if isinstance(meta, dict) else {}
    common: dict[str, Any] = {"text": text, "aside": aside, "extra": extra}
    anchor = Anchor(text, ctx)
    if record.get("tokens") is not None:
        common["words"] = _words(record["tokens"], text, anchor)
    if unlabelled_wanted(ctx):
        return Found(**common)
    if kind_wanted(ctx, "token" if {"tokens", "spans"} & set(record) else "text") == "text":
        label = record.get("label") if "accept" not in record else record["accept"]
        if label == []:
            left_out(ctx, UNDECIDED)
            return None
        return Found(label=label, **common)
    spans = record.get("spans") or []
    if not isinstance(spans, list) or not all(isinstance(span, Mapping) for span in spans):
        raise DataError("spans must be a list of objects", hint="is this a file of prodigy db-out?")
    marks = anchor.each(
        spans, lambda span: [anchor.span(span.get("start"), span.get("end"), span.get("label"), span.get("text"))]
    )
    return Found(marks=marks, faults=anchor.faults, **common)


def _words(tokens: Any, text: str, anchor: Anchor) -> tuple[tuple[str, ...], Offsets]:
    """Return the tokens that are words; those of white space alone only hold the text together.

    :raises DataError: they are not the tokens of the text; names no file.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, Mapping) for token in tokens):
        raise DataError("tokens must be a list of objects", hint="is this a file of prodigy db-out?")
    places = []
    for token in tokens:
        if token.get("text") == "":
            continue
        span = anchor.span(token.get("start"), token.get("end"), "token", token.get("text"))
        if text[span.start : span.end].strip():
            places.append((span.start, span.end))
    return tuple([text[start:end] for start, end in places]), tuple(places)

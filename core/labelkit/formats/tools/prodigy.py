"""Prodigy's JSON Lines, as ``db-out`` writes and recipes read them: a text with tokens and spans, or with its class.

``token_end`` of a span is the number of its last token; all other ends are exclusive.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.labelled_json import is_gold
from labelkit.formats.tools.annotations import AnnotatedText, as_mapping, read_annotations, text_field
from labelkit.formats.tools.offsets import SpanLocator
from labelkit.formats.tools.span_records import METADATA, SpanRecord, record_metadata, span_error, to_spans
from labelkit.records import Example, Format, Labelled, LoadContext, Output
from labelkit.records.examples import Offsets

REJECTED = "examples that were rejected or ignored in Prodigy were left out"
UNDECIDED = "examples without a chosen option were left out"
_READ = ("text", "tokens", "spans", "label", "options", "accept", "answer", "meta", METADATA)
# what Prodigy adds to each task for its own use
_INTERNAL = ("_input_hash", "_task_hash", "_view_id", "_session_id", "_annotator_id", "_timestamp", "_is_binary")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a file of ``prodigy db-out``; rejected and ignored ones are left out and counted.

    :raises DataError: a line is invalid; names file and line.
    """
    return read_annotations(path, ctx, objects(path, ctx), partial(_parse, ctx=ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a task per record; gold ones are answered, the others are to be answered.

    :raises DataError: a record cannot be written.
    """
    for labelled in records:
        output.stream.write(json_line(to_task(labelled), labelled.id))


FORMAT = Format(
    name="prodigy",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    summary="Prodigy's JSON Lines: a text with tokens and spans, or with its class",
)


def to_task(labelled: Labelled) -> dict[str, Any]:
    """Return the task of a record.

    :raises DataError: a span covers no word.
    """
    task: dict[str, Any] = {"text": labelled.text}
    if labelled.words is not None:
        record = to_spans(labelled)
        task |= token_fields(labelled, record)
        metadata = record_metadata(labelled, record)
        if all(map(str.strip, record.words)) and [token["text"] for token in task["tokens"]] == metadata["words"]:
            # the tokens determine the words
            metadata = {name: value for name, value in metadata.items() if name not in ("words", "offsets")}
    else:
        metadata = record_metadata(labelled, None)
        if labelled.scores:  # of the interface "choice", where other classes can be chosen
            task |= {"options": [{"id": name, "text": name} for name in labelled.scores], "accept": [labelled.label]}
        else:
            task["label"] = labelled.label
    if is_gold(labelled):
        task["answer"] = "accept"
    if labelled.extra:
        task["meta"] = dict(labelled.extra)
    return {**task, METADATA: metadata}


def token_fields(labelled: Labelled, record: SpanRecord) -> dict[str, Any]:
    """Return the tokens of a record, and its spans with the numbers of their tokens.

    :raises DataError: a span covers no word.
    """
    text, starts, ends = labelled.text, [start for start, _ in record.offsets], [end for _, end in record.offsets]
    tokens = [
        {"text": text[start:end], "start": start, "end": end, "id": number, "ws": text[end : end + 1] == " "}
        for number, (start, end) in enumerate(record.offsets)
    ]
    spans = []
    for span in record.spans:
        first, last = bisect_right(ends, span.start), bisect_left(starts, span.end) - 1
        if last < first:
            raise span_error(labelled, span, "holds no word")
        task_span = {
            "start": span.start, "end": span.end, "token_start": first, "token_end": last, "label": span.label,
        }  # fmt: skip
        spans.append(task_span if span.score is None else {**task_span, "score": span.score})
    return {"tokens": tokens, "spans": spans}


def _parse(record: Mapping[str, Any], ctx: LoadContext) -> AnnotatedText | None:
    ignored = ctx.policy.labels == "ignored"
    if record.get("answer", "accept") != "accept" and not ignored:
        ctx.policy.counts[REJECTED] += 1
        return None
    text, meta = text_field(record, "text"), as_mapping(record.get("meta"))
    extra = {name: value for name, value in record.items() if name not in (*_READ, *_INTERNAL)} | dict(meta)
    locator = SpanLocator(text, ctx)
    words = None if record.get("tokens") is None else parse_tokens(record["tokens"], text, locator)
    metadata = as_mapping(record.get(METADATA))
    annotated = partial(AnnotatedText, text=text, metadata=metadata, extra=extra, words=words)
    if ignored:
        return annotated()
    if (ctx.kind or ("token" if {"tokens", "spans"} & set(record) else "text")) == "text":
        label = record.get("label") if "accept" not in record else record["accept"]
        if label == []:
            ctx.policy.counts[UNDECIDED] += 1
            return None
        return annotated(label=label)
    spans = record.get("spans") or []
    if not isinstance(spans, list) or not all(isinstance(span, Mapping) for span in spans):
        raise DataError("spans must be a list of objects", hint="is this a file of prodigy db-out?")
    found = locator.collect(
        spans, lambda span: [locator.span(span.get("start"), span.get("end"), span.get("label"), span.get("text"))]
    )
    return annotated(spans=found, errors=locator.errors)


def parse_tokens(tokens: Any, text: str, locator: SpanLocator) -> tuple[tuple[str, ...], Offsets]:
    """Return the words among the tokens and their offsets; tokens of white space are not words.

    :raises DataError: the tokens are invalid, or not those of the text; names no file.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, Mapping) for token in tokens):
        raise DataError("tokens must be a list of objects", hint="is this a file of prodigy db-out?")
    offsets = []
    for token in tokens:
        if token.get("text") == "":
            continue
        span = locator.span(token.get("start"), token.get("end"), "token", token.get("text"))
        if text[span.start : span.end].strip():
            offsets.append((span.start, span.end))
    return tuple([text[start:end] for start, end in offsets]), tuple(offsets)

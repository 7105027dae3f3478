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
from labelkit.formats.class_labels import MissingLabelError
from labelkit.formats.columns import listed
from labelkit.formats.jsonl import json_line, objects
from labelkit.formats.labelled_json import is_gold
from labelkit.formats.span_fields import span_items
from labelkit.formats.span_locator import SpanLocator
from labelkit.formats.tools.annotations import (
    AnnotatedText,
    as_mapping,
    filled_fields,
    is_predicted,
    read_annotations,
    text_field,
)
from labelkit.formats.tools.span_records import METADATA, SpanRecord, record_metadata, span_error, to_spans
from labelkit.records import Example, Format, Labelled, LoadContext, Output
from labelkit.records.examples import Offsets

REJECTED = "examples that were rejected or ignored in Prodigy were left out"
UNDECIDED = "examples without a chosen option were left out"
BINARY = "examples with an answer about one span only were left out"
_READ = ("text", "tokens", "spans", "label", "options", "accept", "answer", "meta", METADATA)
# what Prodigy adds to each task for its own use
_INTERNAL = ("_input_hash", "_task_hash", "_view_id", "_session_id", "_annotator_id", "_timestamp", "_is_binary")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a file of ``prodigy db-out``; rejected and ignored ones are left out and counted.

    :raises DataError: a line is invalid; names file and line.
    """
    return read_annotations(path, ctx, objects(path, ctx), partial(parse_record, ctx=ctx))


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
    multilabel=True,
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
        if labelled.scores or labelled.labels is not None:  # of the interface "choice", where others can be chosen
            chosen = [labelled.label] if labelled.labels is None else list(labelled.labels)
            options = [{"id": name, "text": name} for name in labelled.scores or chosen]
            task |= {"options": options, "accept": chosen}
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


def looks_like_record(record: Any) -> bool:
    """Return whether a JSON value is an example of ``db-out``, which has hashes, or at least an answer."""
    if not isinstance(record, Mapping) or "text" not in record:
        return False
    spans = record.get("spans") or ()
    answered = record.get("answer") in ("accept", "reject", "ignore")
    return bool(set(_INTERNAL) & record.keys()) or (answered and all(isinstance(span, Mapping) for span in spans))


def parse_record(record: Mapping[str, Any], ctx: LoadContext) -> AnnotatedText | None:
    """Return the text of an example with its spans or its class; None if it was not accepted, or has no class.

    :raises MissingLabelError: only some of its words are annotated, or none; names no file.
    :raises DataError: the example is invalid; names no file.
    """
    ignored = ctx.policy.labels == "ignored"
    if record.get("answer", "accept") != "accept" and not ignored:
        ctx.policy.counts[REJECTED] += 1
        return None
    text, meta = text_field(record, "text"), as_mapping(record.get("meta"))
    locator = SpanLocator(text, ctx)
    metadata = as_mapping(record.get(METADATA))
    annotated = partial(
        AnnotatedText,
        text=text,
        metadata=metadata,
        extra={name: value for name, value in record.items() if name not in (*_READ, *_INTERNAL)} | dict(meta),
        words=None if record.get("tokens") is None else parse_tokens(record["tokens"], text, locator),
        # an example that somebody has seen has an answer
        predicted_by="labelkit" if is_predicted(metadata) and "answer" not in record else None,
    )
    if ignored:
        return annotated(given=filled_fields(record, "spans", "label", "accept"))
    if (ctx.kind or ("token" if {"tokens", "spans"} & set(record) else "text")) == "text":
        label = record.get("label") if "accept" not in record else record["accept"]
        if label == [] and not ctx.settings.multilabel:
            ctx.policy.counts[UNDECIDED] += 1
            return None
        return annotated(label=label)
    spans = spans_of_record(record, ctx)
    found = locator.collect(
        spans, lambda span: [locator.span(span.get("start"), span.get("end"), span.get("label"), span.get("text"))]
    )
    return annotated(spans=found, errors=locator.errors)


def spans_of_record(record: Mapping[str, Any], ctx: LoadContext) -> list[Any]:
    """Return the spans of an accepted example without those that were rejected one by one, which are counted.

    :raises MissingLabelError: there are none, or the answer is about a single span only; names no file.
    :raises DataError: they are not a list of objects; names no file.
    """
    spans = record.get("spans")
    if spans is None and "tokens" not in record:
        raise MissingLabelError(f"no field 'spans', the fields are {listed(record)}", hint="annotate it in Prodigy")
    if record.get("_is_binary"):
        raise MissingLabelError(
            "the answer is about one span only, the labels of the other words are not known",
            hint="annotate all spans: prodigy ner.correct or ner.manual",
            counted_as=BINARY,
        )
    spans = spans or []
    if not isinstance(spans, list) or not all(isinstance(span, Mapping) for span in spans):
        raise DataError("spans must be a list of objects", hint="is this a file of prodigy db-out?")
    return list(span_items(spans, ctx))


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

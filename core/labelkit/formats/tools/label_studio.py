"""Label Studio's JSON: an array of tasks. Annotations are gold labels; labels by labelkit are written as predictions.

``{"data": {"text": …}, "predictions": [{"model_version": …, "score": …, "result": [{"from_name": "label", "to_name":
"text", "type": "labels", "value": {"start": 0, "end": 5, "text": …, "labels": ["PER"]}}]}]}``; a class is
``"type": "choices", "value": {"choices": ["POSITIVE"]}``. Its flat export JSON-MIN is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.json_values import find_layout, first_values, json_bytes_of, stored_values
from labelkit.formats.labelled_json import is_gold
from labelkit.formats.tools.label_studio_tasks import FROM, looks_like_task, read_tasks
from labelkit.formats.tools.span_records import METADATA, check_own_fields, json_bytes, record_metadata, to_spans
from labelkit.records import Example, Format, Labelled, LoadContext, Output

#: the name of the text's tag in a labelling configuration that fits what is written
TO = "text"


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the tasks of an export in JSON or JSON-MIN; the line of a task is its number in the file.

    :raises DataError: the file is not an array of tasks, or a task is invalid.
    """
    return read_tasks(path, ctx, parse_tasks(path, ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a task per record: gold labels as an annotation, others as a prediction.

    Of several tasks each has a control of its own, of the task's name.

    :raises DataError: a record cannot be written.
    """
    separator = b"[\n"
    for labelled in records:
        output.stream.write(separator + json_bytes(to_task(labelled), labelled))
        separator = b",\n"
    output.stream.write(b"\n]\n" if separator == b",\n" else b"[]\n")


FORMAT = Format(
    name="label-studio",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    multilabel=True,
    summary="Label Studio's JSON: tasks with annotations, or with predictions to review",
)


# -- writing ----------------------------------------------------------------------------------------------------------


def to_task(labelled: Labelled) -> dict[str, Any]:
    """Return the task of a record.

    :raises DataError: one of the user's own fields has a reserved name, or the spans cannot be written.
    """
    check_own_fields(labelled, ("text", METADATA), "Label Studio's data")
    layers = labelled.layers or {FROM: labelled}
    of_words = next((layer for layer in layers.values() if layer.words is not None), None)
    metadata = {} if labelled.words is not None else record_metadata(labelled, None)
    if of_words is not None:
        metadata |= record_metadata(of_words, to_spans(of_words))
    if len(layers) > 1:
        metadata.pop("scheme", None)  # each control has one of its own, which its task knows
    data = {"text": labelled.text, **labelled.extra, METADATA: metadata}
    result: list[dict[str, Any]] = []
    for tag, layer in layers.items():
        result += layer_results(layer, tag, len(result) + 1)
    if is_gold(labelled):
        return {"data": data, "annotations": [{"result": result}]}
    scores = [score for layer in layers.values() if (score := layer_score(layer)) is not None]
    scored = {"score": min(scores)} if scores else {}
    return {"data": data, "predictions": [{"model_version": labelled.run or "labelkit", **scored, "result": result}]}


def layer_results(labelled: Labelled, tag: str, first: int) -> list[dict[str, Any]]:
    """Return the results of one control of the labelling configuration.

    :param tag: the name of the control.
    :param first: the number of the first result.
    """
    if labelled.words is None:
        chosen = [labelled.label] if labelled.labels is None else list(labelled.labels)
        return [to_result(first, tag, "choices", layer_score(labelled), {"choices": chosen})] if chosen else []
    return [
        to_result(
            number,
            tag,
            "labels",
            span.score,
            {
                "start": span.start,
                "end": span.end,
                "text": labelled.text[span.start : span.end],
                "labels": [span.label],
            },
        )
        for number, span in enumerate(to_spans(labelled).spans, start=first)
    ]


def layer_score(labelled: Labelled) -> float | None:
    """Return the lowest score of the labels of a task; None where there is none."""
    if labelled.words is None:
        return labelled.score if labelled.labels is None else least_certain(labelled)
    return min((span.score for span in to_spans(labelled).spans if span.score is not None), default=None)


def least_certain(labelled: Labelled) -> float | None:
    """Return the least confidence of the decisions whether a text has a label; None for labels that were read."""
    chosen = set(labelled.labels or ())
    scores = (labelled.scores or {}).items()
    return min((score if label in chosen else 1 - score for label, score in scores), default=None)


def to_result(number: int, tag: str, type_: str, score: float | None, value: dict[str, Any]) -> dict[str, Any]:
    """Return a result of an annotation or prediction."""
    scored = {} if score is None else {"score": score}
    return {"id": f"r{number}", "from_name": tag, "to_name": TO, "type": type_, **scored, "value": value}


# -- reading ----------------------------------------------------------------------------------------------------------


def is_export(path: Path, ctx: LoadContext) -> bool:
    """Return whether a JSON file is an array whose first value is a task with annotations.

    :raises DataError: the file cannot be read, or is not JSON.
    """
    if find_layout(path, ctx) != "array":
        return False
    return any(
        looks_like_task(first) and isinstance(first.get("annotations"), list)
        for first in first_values(path, ctx, "array", 1)
    )


def parse_tasks(path: Path, ctx: LoadContext) -> Iterator[tuple[int, Any]]:
    """Yield ``(number, task)`` of a file, one by one; it may be larger than memory.

    :raises DataError: the file is not a JSON array, or a task is too long.
    """
    if path.is_file():  # standard input and pipes cannot be read twice
        with json_bytes_of(path, ctx.encoding) as stream:
            start = stream.read(64)
        if not start.lstrip().startswith(b"["):
            hint = "export it from Label Studio as JSON or JSON-MIN"
            raise DataError(f"{path} is not a JSON array of tasks", hint=hint)
    yield from stored_values(path, ctx, "array")

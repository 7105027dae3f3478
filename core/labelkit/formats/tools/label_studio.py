"""Label Studio's JSON: an array of tasks. Annotations are gold; labelkit's own labels are written as predictions.

``{"data": {"text": …}, "predictions": [{"model_version": …, "score": …, "result": [{"from_name": "label", "to_name":
"text", "type": "labels", "value": {"start": 0, "end": 5, "text": …, "labels": ["PER"]}}]}]}``; a class is
``"type": "choices", "value": {"choices": ["POSITIVE"]}``. Its flat export JSON-MIN is read as well.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from labelkit.errors import DataError
from labelkit.files.reading import open_bytes, reading_errors
from labelkit.formats.columns import ROLES
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
from labelkit.formats.tools.writing import ASIDE, beside, check_own, json_bytes, marked
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Kind, Labelled, LoadContext, Output

UNANNOTATED = "tasks without an annotation were left out"
OTHERS = "results that are neither labels of text nor choices were left out"
#: what the tags are called in the labelling configuration that fits what is written
FROM, TO = "label", "text"
# fields of JSON-MIN that are neither data nor results
_FLAT = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "inner_id", "total_annotations")
_RESULT: Mapping[Kind, str] = {"token": "labels", "text": "choices"}


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the tasks of an export in JSON or JSON-MIN; the line of a task is its number in the file.

    :raises DataError: it is no array of tasks, or a task cannot be used.
    """
    reader = _Tasks(ctx)
    return read_each(path, ctx, enumerate(_tasks(path), start=1), reader.found)


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a task per record: with a prediction where it was labelled, with an annotation where it is gold.

    :raises DataError: a record cannot be held.
    """
    between = b"[\n"
    for labelled in records:
        output.stream.write(between + json_bytes(_task(labelled), labelled))
        between = b",\n"
    output.stream.write(b"\n]\n" if between == b",\n" else b"[]\n")


FORMAT = Format(
    name="label-studio",
    kinds=("token", "text"),
    suffixes=(),
    read=read,
    write=write,
    summary="Label Studio's JSON: tasks with annotations, or with predictions to review",
)


def _task(labelled: Labelled) -> dict[str, Any]:
    check_own(labelled, ("text", ASIDE), "Label Studio's data")
    held = None if labelled.words is None else marked(labelled)
    data = {"text": labelled.text, **labelled.extra, ASIDE: beside(labelled, held)}
    common = {"from_name": FROM, "to_name": TO}
    if held is None:
        result = [{"id": "r1", **common, "type": "choices", **_scored(labelled.score)}]
        result[0]["value"] = {"choices": [labelled.label]}
        score = labelled.score
    else:
        result = [
            {
                "id": f"r{number}",
                **common,
                "type": "labels",
                **_scored(span.score),
                "value": {
                    "start": span.start,
                    "end": span.end,
                    "text": labelled.text[span.start : span.end],
                    "labels": [span.label],
                },
            }
            for number, span in enumerate(held.spans, start=1)
        ]
        score = min((span.score for span in held.spans if span.score is not None), default=None)
    if is_gold(labelled):
        return {"data": data, "annotations": [{"result": result}]}
    return {"data": data, "predictions": [{"model_version": "labelkit", **_scored(score), "result": result}]}


def _scored(score: float | None) -> dict[str, Any]:
    return {} if score is None else {"score": score}


def _tasks(path: Path) -> Iterator[Any]:
    """Yield the tasks of the file one by one; it may be larger than memory."""
    import ijson

    with reading_errors(path), open_bytes(path) as stream:
        start = cast(Any, stream).peek(64)[:64]  # both kinds of stream can look ahead
        if start.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        if not start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise DataError(f"{path} is no JSON array of tasks", hint="export it from Label Studio as JSON or JSON-MIN")
        try:
            yield from ijson.items(stream, "item", use_float=True)
        except ijson.JSONError as error:
            reason = " ".join(str(error).split())[:150]
            raise DataError(f"{path}: broken JSON: {reason}", hint="export it again") from error


class _Tasks:
    """Reads the tasks of one file, whose labels all come from one tag of the labelling configuration."""

    def __init__(self, ctx: LoadContext) -> None:
        self._ctx = ctx
        layers = [name for name in ctx.columns if name not in ROLES]
        self._from = ctx.columns[layers[0]] if layers else None
        self._text = ctx.columns.get("text", "text")
        self._seen: set[Any] = set()

    def found(self, _: int, task: Any) -> Found | None:
        """Return what a task holds; None when nobody annotated it.

        :raises DataError: it is no task, or annotators disagree.
        """
        if not isinstance(task, Mapping):
            raise DataError(f"a task must be an object, not {task!r}"[:200], hint="is this an export of Label Studio?")
        return self._full(task, task["data"]) if isinstance(task.get("data"), Mapping) else self._flat(task)

    def _full(self, task: Mapping[str, Any], data: Mapping[str, Any]) -> Found | None:
        results = _results(task)
        aside = aside_of(data.get(ASIDE))
        types = {result.get("type") for result in chain.from_iterable(results)}
        kind = kind_wanted(self._ctx, "text" if "choices" in types and "labels" not in types else "token")
        extra = {name: value for name, value in data.items() if name not in (self._text, ASIDE)}
        text = text_of(data, self._text)
        common: dict[str, Any] = {"text": text, "aside": aside, "id": task.get("id"), "extra": extra}
        if unlabelled_wanted(self._ctx):
            return Found(**common)
        if not results:
            left_out(self._ctx, UNANNOTATED)
            return None
        wanted = [self._wanted(result, kind) for result in results]
        if kind == "text":
            label = _agreed([_choices(values) for values in wanted])
            if not label:
                left_out(self._ctx, UNANNOTATED)
                return None
            return Found(label=label, **common)
        anchor = Anchor(text, self._ctx)
        marks = _agreed([_marks(values, anchor) for values in wanted])
        return Found(marks=marks, faults=anchor.faults, **common)

    def _wanted(self, results: Sequence[Mapping[str, Any]], kind: Kind) -> list[Any]:
        """Return the values of the results that are labels of this kind.

        :raises DataError: they come from several tags, and nobody said which.
        """
        found = []
        for result in results:
            if result.get("type") != _RESULT[kind]:
                left_out(self._ctx, OTHERS)
            elif self._from is None or result.get("from_name") == self._from:
                found.append(result)
        names = sorted({str(result.get("from_name")) for result in found})
        if len(names) > 1:
            raise DataError(
                f"labels come from several tags of the labelling configuration: {', '.join(names)}",
                hint=f"say which: --columns {self._ctx.layer or 'LAYER'}={names[0]}",
            )
        return [result.get("value") for result in found]

    def _flat(self, task: Mapping[str, Any]) -> Found | None:
        """Return a task of JSON-MIN, where data and results are fields side by side."""
        if (id_ := task.get("id")) is not None and id_ in self._seen:
            raise DataError(
                f"task {id_} is there twice, annotated by two people",
                hint="export it as JSON, with one annotation of each task marked as ground truth",
            )
        self._seen.add(id_)
        text, aside = text_of(task, self._text), aside_of(task.get(ASIDE))
        spans = next((name for name, value in task.items() if self._from in (None, name) and _is_marks(value)), None)
        kind = kind_wanted(self._ctx, "token" if spans or "words" in aside else "text")
        key = spans if kind == "token" or unlabelled_wanted(self._ctx) else self._class_field(task)
        extra = {name: value for name, value in task.items() if name not in (*_FLAT, self._text, key, ASIDE)}
        common: dict[str, Any] = {"text": text, "aside": aside, "id": id_, "extra": extra}
        if unlabelled_wanted(self._ctx):
            return Found(**common)
        if kind == "text":
            value = task[key] if key else None
            return Found(label=value.get("choices") if isinstance(value, Mapping) else value, **common)
        anchor = Anchor(text, self._ctx)
        marks = _marks(task[spans] if spans else [], anchor)
        return Found(marks=marks, faults=anchor.faults, **common)

    def _class_field(self, task: Mapping[str, Any]) -> str | None:
        """Return the field of the class: the one named, one of several choices, or one of a usual name."""
        usual = (self._from, self._ctx.layer, FROM, "sentiment", "choice", "class")
        several = [name for name, value in task.items() if isinstance(value, Mapping) and "choices" in value]
        found = [name for name in (*usual[:2], *several, *usual[2:]) if name in task]
        if not found:
            have = ", ".join(f"'{name}'" for name in task if name not in (*_FLAT, self._text))
            raise DataError(f"no field of the class, there are {have or 'none'}", hint="name it: --columns label=FIELD")
        return found[0]


def _results(task: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Return the results of each annotation that counts; of predictions only where the file knows no annotations.

    Cancelled annotations do not count; where one is marked as ground truth, the others do not.
    """
    given = task.get("annotations", task.get("completions"))
    if given is None:
        given = task.get("predictions") or []
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise DataError("the annotations must be a list of objects", hint="is this an export of Label Studio?")
    counting = [one for one in given if not one.get("was_cancelled")]
    counting = [one for one in counting if one.get("ground_truth")] or counting
    results = [one.get("result") or [] for one in counting]
    if not all(isinstance(result, list) and all(isinstance(one, Mapping) for one in result) for result in results):
        raise DataError("the result of an annotation must be a list of objects", hint="export it as JSON")
    return results


def _agreed(found: Sequence[Any]) -> Any:
    """Return what all annotations say.

    :raises DataError: they differ.
    """
    if any(other != found[0] for other in found[1:]):
        raise DataError(
            f"{len(found)} annotations of this task differ", hint="mark one as ground truth in Label Studio"
        )
    return found[0]


def _choices(values: Iterable[Any]) -> list[Any]:
    return [choice for value in values if isinstance(value, Mapping) for choice in value.get("choices") or ()]


def _marks(values: Iterable[Any], anchor: Anchor) -> list[TextSpan]:
    """Return the spans of regions, in order; a region may have several labels."""
    return sorted(anchor.each(values, lambda value: _region(value, anchor)))


def _region(value: Any, anchor: Anchor) -> list[TextSpan]:
    if not _is_region(value):
        raise DataError(f"a region needs start, end and labels, this is {value!r}"[:300], hint="export it as JSON")
    start, end, text = value["start"], value["end"], value.get("text")
    return [anchor.span(start, end, label, text) for label in value["labels"]]


def _is_marks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_region(item) for item in value)


def _is_region(value: Any) -> bool:
    return isinstance(value, Mapping) and {"start", "end"} <= set(value) and isinstance(value.get("labels"), list)

"""Label Studio's JSON: an array of tasks. Annotations are gold labels; labels by labelkit are written as predictions.

``{"data": {"text": …}, "predictions": [{"model_version": …, "score": …, "result": [{"from_name": "label", "to_name":
"text", "type": "labels", "value": {"start": 0, "end": 5, "text": …, "labels": ["PER"]}}]}]}``; a class is
``"type": "choices", "value": {"choices": ["POSITIVE"]}``. Its flat export JSON-MIN is read as well.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

from labelkit.errors import DataError, one_line
from labelkit.files.reading import open_bytes, reading_errors
from labelkit.formats.columns import ROLES
from labelkit.formats.labelled_json import is_gold
from labelkit.formats.record_limit import LimitedStream
from labelkit.formats.tools.annotations import AnnotatedText, as_mapping, read_annotations, text_field
from labelkit.formats.tools.offsets import SpanLocator
from labelkit.formats.tools.span_records import METADATA, check_own_fields, json_bytes, record_metadata, to_spans
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Kind, Labelled, LoadContext, Output

UNANNOTATED = "tasks without an annotation were left out"
OTHER_RESULTS = "results that are neither labels of text nor choices were left out"
#: the names of the tags in a labelling configuration that fits what is written
FROM, TO = "label", "text"
# fields of JSON-MIN that are neither data nor results
_MIN_FIELDS = (
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "inner_id", "total_annotations",
)  # fmt: skip
_RESULT_TYPE: Mapping[Kind, str] = {"token": "labels", "text": "choices"}


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the tasks of an export in JSON or JSON-MIN; the line of a task is its number in the file.

    :raises DataError: the file is not an array of tasks, or a task is invalid.
    """
    return read_annotations(path, ctx, enumerate(parse_tasks(path, ctx), start=1), _TaskParser(ctx).parse)


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a task per record: gold labels as an annotation, others as a prediction.

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
    summary="Label Studio's JSON: tasks with annotations, or with predictions to review",
)


# -- writing ----------------------------------------------------------------------------------------------------------


def to_task(labelled: Labelled) -> dict[str, Any]:
    """Return the task of a record.

    :raises DataError: one of the user's own fields has a reserved name, or the spans cannot be written.
    """
    check_own_fields(labelled, ("text", METADATA), "Label Studio's data")
    record = None if labelled.words is None else to_spans(labelled)
    data = {"text": labelled.text, **labelled.extra, METADATA: record_metadata(labelled, record)}
    if record is None:
        result = [to_result(1, "choices", labelled.score, {"choices": [labelled.label]})]
        score = labelled.score
    else:
        result = [
            to_result(
                number,
                "labels",
                span.score,
                {
                    "start": span.start,
                    "end": span.end,
                    "text": labelled.text[span.start : span.end],
                    "labels": [span.label],
                },
            )
            for number, span in enumerate(record.spans, start=1)
        ]
        score = min((span.score for span in record.spans if span.score is not None), default=None)
    if is_gold(labelled):
        return {"data": data, "annotations": [{"result": result}]}
    scored = {} if score is None else {"score": score}
    return {"data": data, "predictions": [{"model_version": "labelkit", **scored, "result": result}]}


def to_result(number: int, type_: str, score: float | None, value: dict[str, Any]) -> dict[str, Any]:
    """Return a result of an annotation or prediction."""
    scored = {} if score is None else {"score": score}
    return {"id": f"r{number}", "from_name": FROM, "to_name": TO, "type": type_, **scored, "value": value}


# -- reading ----------------------------------------------------------------------------------------------------------


def parse_tasks(path: Path, ctx: LoadContext) -> Iterator[Any]:
    """Yield the tasks of a file one by one; it may be larger than memory.

    :raises DataError: the file is not a JSON array, or a task is too long.
    """
    import ijson

    with reading_errors(path), open_bytes(path) as stream:
        start = cast(Any, stream).peek(64)[:64]  # plain and gzipped streams both have peek
        if start.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        if not start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise DataError(
                f"{path} is not a JSON array of tasks", hint="export it from Label Studio as JSON or JSON-MIN"
            )
        try:
            limited = LimitedStream(stream, path, ctx)
            for task in ijson.items(limited, "item", use_float=True):
                limited.start()
                yield task
        except ijson.JSONError as error:
            reason = one_line(error, 150)
            raise DataError(f"{path}: broken JSON: {reason}", hint="export it again") from error


class _TaskParser:
    """Parses the tasks of one file, whose labels all belong to one tag of the labelling configuration."""

    def __init__(self, ctx: LoadContext) -> None:
        self._ctx = ctx
        layers = [name for name in ctx.columns if name not in ROLES]
        self._from = ctx.columns[layers[0]] if layers else None
        self._text = ctx.columns.get("text", "text")
        self._ids: set[Any] = set()

    def parse(self, task: Any) -> AnnotatedText | None:
        """Return a task's text with its annotations; None if it has none.

        :raises DataError: the task is invalid, or annotators disagree; names no file.
        """
        if not isinstance(task, Mapping):
            raise DataError(f"a task must be an object, not {task!r}"[:200], hint="is this an export of Label Studio?")
        return self.parse_full(task, task["data"]) if isinstance(task.get("data"), Mapping) else self.parse_min(task)

    def parse_full(self, task: Mapping[str, Any], data: Mapping[str, Any]) -> AnnotatedText | None:
        """Return a task of the JSON export."""
        annotations = results_of(task)
        types = {result.get("type") for result in chain.from_iterable(annotations)}
        kind = self._ctx.kind or ("text" if "choices" in types and "labels" not in types else "token")
        text = text_field(data, self._text)
        extra = {name: value for name, value in data.items() if name not in (self._text, METADATA)}
        metadata = as_mapping(data.get(METADATA))
        annotated = partial(AnnotatedText, text=text, metadata=metadata, id=task.get("id"), extra=extra)
        if self._ctx.policy.labels == "ignored":
            return annotated()
        values = [self.values_of_kind(results, kind) for results in annotations]
        if values and kind == "token":
            locator = SpanLocator(text, self._ctx)
            spans = agreed([parse_regions(regions, locator) for regions in values])
            return annotated(spans=spans, errors=locator.errors)
        if values:
            choices = agreed(
                [[choice for value in given for choice in as_mapping(value).get("choices") or ()] for given in values]
            )
            if choices:
                return annotated(label=choices)
        self._ctx.policy.counts[UNANNOTATED] += 1
        return None

    def values_of_kind(self, results: Sequence[Mapping[str, Any]], kind: Kind) -> list[Any]:
        """Return the values of the results that are labels of this kind.

        :raises DataError: they belong to several tags, and the user named none; names no file.
        """
        found = []
        for result in results:
            if result.get("type") != _RESULT_TYPE[kind]:
                self._ctx.policy.counts[OTHER_RESULTS] += 1
            elif self._from is None or result.get("from_name") == self._from:
                found.append(result)
        names = sorted({str(result.get("from_name")) for result in found})
        if len(names) > 1:
            raise DataError(
                f"labels come from several tags of the labelling configuration: {', '.join(names)}",
                hint=f"say which: --columns {self._ctx.layer or 'LAYER'}={names[0]}",
            )
        return [result.get("value") for result in found]

    def parse_min(self, task: Mapping[str, Any]) -> AnnotatedText | None:
        """Return a task of the export JSON-MIN, where data and results are fields side by side."""
        if (id_ := task.get("id")) is not None and id_ in self._ids:
            raise DataError(
                f"duplicate task {id_}, annotated by two people",
                hint="export it as JSON, with one annotation of each task marked as ground truth",
            )
        self._ids.add(id_)
        text, metadata = text_field(task, self._text), as_mapping(task.get(METADATA))
        ignored = self._ctx.policy.labels == "ignored"
        lists = [name for name, value in task.items() if value and isinstance(value, list)]
        spans = next((name for name in lists if self._from in (None, name) and all(map(is_region, task[name]))), None)
        kind = self._ctx.kind or ("token" if spans or "words" in metadata else "text")
        key = spans if kind == "token" or ignored else self.class_field(task)
        extra = {name: value for name, value in task.items() if name not in (*_MIN_FIELDS, self._text, key, METADATA)}
        annotated = partial(AnnotatedText, text=text, metadata=metadata, id=id_, extra=extra)
        if ignored:
            return annotated()
        value = task[key] if key else None
        if kind == "text":
            return annotated(label=value.get("choices") if isinstance(value, Mapping) else value)
        locator = SpanLocator(text, self._ctx)
        return annotated(spans=parse_regions(value or [], locator), errors=locator.errors)

    def class_field(self, task: Mapping[str, Any]) -> str:
        """Return the field of the class: the one that the user named, one of several choices, or one of a usual name.

        :raises DataError: there is none; names no file.
        """
        usual = (self._from, self._ctx.layer, FROM, "sentiment", "choice", "class")
        several = [name for name, value in task.items() if isinstance(value, Mapping) and "choices" in value]
        found = [name for name in (*usual[:2], *several, *usual[2:]) if name is not None and name in task]
        if not found:
            have = ", ".join(f"'{name}'" for name in task if name not in (*_MIN_FIELDS, self._text))
            raise DataError(f"no field of the class, there are {have or 'none'}", hint="name it: --columns label=FIELD")
        return found[0]


def results_of(task: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Return the results of each annotation that counts; of predictions if the task has no field of annotations.

    Cancelled annotations do not count; if one is marked as ground truth, the others do not.

    :raises DataError: the annotations are invalid; names no file.
    """
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:
        annotations = task.get("predictions") or []
    if not isinstance(annotations, list) or not all(isinstance(one, Mapping) for one in annotations):
        raise DataError("the annotations must be a list of objects", hint="is this an export of Label Studio?")
    counting = [one for one in annotations if not one.get("was_cancelled")]
    counting = [one for one in counting if one.get("ground_truth")] or counting
    results = [one.get("result") or [] for one in counting]
    if not all(isinstance(result, list) and all(isinstance(one, Mapping) for one in result) for result in results):
        raise DataError("the result of an annotation must be a list of objects", hint="export it as JSON")
    return results


def agreed(annotations: Sequence[list[Any]]) -> list[Any]:
    """Return what all annotations of a task say.

    :raises DataError: they differ; names no file.
    """
    if any(other != annotations[0] for other in annotations[1:]):
        message = f"{len(annotations)} annotations of this task differ"
        raise DataError(message, hint="mark one as ground truth in Label Studio")
    return annotations[0]


def parse_regions(values: Iterable[Any], locator: SpanLocator) -> list[TextSpan]:
    """Return the sorted spans of regions; a region may have several labels.

    :raises DataError: a region is invalid, and the policy does not drop spans; names no file.
    """

    def parse(value: Any) -> list[TextSpan]:
        if not is_region(value):
            raise DataError(f"a region needs start, end and labels, this is {value!r}"[:300], hint="export it as JSON")
        start, end, text = value["start"], value["end"], value.get("text")
        return [locator.span(start, end, label, text) for label in value["labels"]]

    return sorted(locator.collect(values, parse))


def is_region(value: Any) -> bool:
    """Return whether a value of a result is a labelled region of text."""
    return isinstance(value, Mapping) and {"start", "end"} <= set(value) and isinstance(value.get("labels"), list)

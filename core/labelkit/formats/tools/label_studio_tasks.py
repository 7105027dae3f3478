"""The tasks of Label Studio's exports as annotated texts: those of its JSON, and the flat ones of JSON-MIN and CSV.

An export does not hold the labelling configuration. Which text a result belongs to (``to_name``) and which tag it comes
from (``from_name``) are therefore checked against the text that is read, and all labels of a file come from one tag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.class_labels import MissingLabelError
from labelkit.formats.columns import ROLES, usual_layer
from labelkit.formats.span_locator import SpanLocator
from labelkit.formats.tools.annotations import (
    AnnotatedText,
    as_mapping,
    filled_fields,
    is_predicted,
    read_annotations,
    text_field,
)
from labelkit.formats.tools.span_records import METADATA
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Kind, LoadContext

UNANNOTATED = "tasks without an annotation were left out"
OTHER_RESULTS = "results that are neither labels of text nor choices were left out"
OTHER_TEXTS = "labels of other texts of the same task were left out"
NO_LABEL = "tasks with a region without a label were left out"
#: the name of the labels' tag in a labelling configuration that fits what labelkit writes
FROM = "label"
# fields of JSON-MIN that are neither data nor results
_MIN_FIELDS = (
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "inner_id", "total_annotations",
)  # fmt: skip
_RESULT_TYPE: Mapping[Kind, str] = {"token": "labels", "text": "choices"}
_USUAL_CLASS_FIELDS = (FROM, "sentiment", "choice", "class")


def read_tasks(path: Path, ctx: LoadContext, tasks: Iterable[tuple[int, Any]]) -> Iterator[Example]:
    """Yield the example of each ``(number, task)`` of a file.

    :raises DataError: a task is invalid, or labels of the file come from several tags.
    """
    parser = _TaskParser(ctx)
    yield from read_annotations(path, ctx, tasks, parser.parse)
    parser.finish(path)


class _TaskParser:
    """Parses the tasks of one file, whose labels all belong to one tag of the labelling configuration."""

    def __init__(self, ctx: LoadContext) -> None:
        self._ctx = ctx
        layers = [name for name in ctx.columns if name not in ROLES]
        self._from = ctx.columns[layers[0]] if layers else None
        self._layer = ctx.layer or (layers[0] if layers else usual_layer(ctx.kind or "token"))
        self._text = ctx.columns.get("text", "text")
        self._ids: set[Any] = set()
        self._tags: set[str] = set()
        self._texts: set[str] = set()
        self._types: Counter[str] = Counter()
        self._without_regions = 0

    def parse(self, task: Any) -> AnnotatedText | None:
        """Return a task's text with its annotations; None if it has none.

        :raises MissingLabelError: it cannot be known which labels the text has; names no file.
        :raises DataError: the task is invalid, or annotators disagree; names no file.
        """
        if not isinstance(task, Mapping):
            raise DataError(f"a task must be an object, not {task!r}"[:200], hint="is this an export of Label Studio?")
        return self.parse_full(task, task["data"]) if isinstance(task.get("data"), Mapping) else self.parse_min(task)

    def finish(self, path: Path) -> None:
        """Raise the error of a file in which nothing is labelled as the task needs it.

        :raises DataError: its annotations are all of other types, or it has no field of labels; names the file.
        """
        kind = self._ctx.kind
        if self._ctx.policy.labels == "ignored" or kind is None or self._types[_RESULT_TYPE[kind]]:
            return
        if other := sorted(set(self._types) - {_RESULT_TYPE[kind]}):
            what = "labels of words" if kind == "token" else "choices of a class"
            hint = "export an annotation project of this kind"
            if _RESULT_TYPE["text" if kind == "token" else "token"] in other:
                hint = f"use a task for {'texts, e.g. textcls' if kind == 'token' else 'words, e.g. ner'}"
            raise DataError(f"{path}: no {what}, the results are of type {', '.join(other)}", hint=hint)
        if self._without_regions:
            raise DataError(
                f"{path}: no field of labels in any task",
                hint=f"name it: --columns {self._layer}=FIELD, or export it as JSON",
            )

    # -- JSON ---------------------------------------------------------------------------------------------------------

    def parse_full(self, task: Mapping[str, Any], data: Mapping[str, Any]) -> AnnotatedText | None:
        """Return a task of the JSON export."""
        annotations, predicted_by = results_of(task)
        types = {result.get("type") for result in chain.from_iterable(annotations)}
        kind = self._ctx.kind or ("text" if "choices" in types and "labels" not in types else "token")
        text = text_field(data, self._text)
        extra = {name: value for name, value in data.items() if name not in (self._text, METADATA)}
        metadata = as_mapping(data.get(METADATA))
        annotated = partial(
            AnnotatedText, text=text, metadata=metadata, id=task.get("id"), extra=extra, predicted_by=predicted_by
        )
        if self._ctx.policy.labels == "ignored":
            given = {"annotations": annotations} if any(annotations) else {}
            return annotated(given=given)
        values = [self.values_of_kind(results, kind, data) for results in annotations]
        if values and kind == "token":
            locator = SpanLocator(text, self._ctx)
            spans = agreed([parse_regions(regions, locator) for regions in values])
            return annotated(spans=spans, errors=locator.errors)
        if values:
            several = self._ctx.settings.multilabel
            chosen = [[each for value in given for each in as_mapping(value).get("choices") or ()] for given in values]
            choices = agreed([sorted(each) for each in chosen] if several else chosen)
            if choices or several:
                return annotated(label=choices)
        self._ctx.policy.counts[UNANNOTATED] += 1
        return None

    def values_of_kind(self, results: Sequence[Mapping[str, Any]], kind: Kind, data: Mapping[str, Any]) -> list[Any]:
        """Return the values of the results that are labels of this kind, of the text that is read.

        :raises MissingLabelError: words are labelled in a way that is not read; names no file.
        :raises DataError: labels belong to several tags, or to another text; names no file.
        """
        found = []
        for result in results:
            type_ = str(result.get("type"))
            self._types[type_] += 1
            if type_ != _RESULT_TYPE[kind]:
                if kind == "token" and is_region_type(type_):
                    raise unread_error(type_)
                self._ctx.policy.counts[OTHER_RESULTS] += 1
            elif self._from in (None, result.get("from_name")) and self._is_of_text(result, data):
                self._note_tag(str(result.get("from_name")))
                found.append(result.get("value"))
        return found

    def _is_of_text(self, result: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
        """Return whether a result belongs to the text that is read.

        :raises DataError: it belongs to another text, but the user named its tag; or this cannot be known.
        """
        to = result.get("to_name")
        if to is None or to == self._text:
            return True
        if isinstance(to, str) and isinstance(data.get(to), str) and not _fits_only(result, data[self._text], data[to]):
            if self._from is not None:
                raise DataError(
                    f"the labels of '{self._from}' belong to the text '{to}', but '{self._text}' is read",
                    hint=f"choose the text: --columns text={to},{self._layer}={self._from}",
                )
            self._ctx.policy.counts[OTHER_TEXTS] += 1
            return False
        self._texts.add(str(to))
        if len(self._texts) > 1 and self._from is None:
            tags = ", ".join(sorted(self._texts))
            raise DataError(
                f"labels belong to several texts of the labelling configuration: {tags}",
                hint=f"name the tag of the labels: --columns text={self._text},{self._layer}=TAG",
            )
        return True

    def _note_tag(self, name: str) -> None:
        """Note the tag that labels come from.

        :raises DataError: the labels of this file come from several, and the user named none.
        """
        self._tags.add(name)
        if len(self._tags) > 1 and self._from is None:
            names = sorted(self._tags)
            raise DataError(
                f"labels come from several tags of the labelling configuration: {', '.join(names)}",
                hint="say which: --columns " + " or ".join(f"{self._layer}={name}" for name in names[:5]),
            )

    # -- JSON-MIN -----------------------------------------------------------------------------------------------------

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
        regions = region_fields(task) if self._from is None else [self._from] if self._from in task else []
        kind = self._ctx.kind or ("token" if regions or "words" in metadata else "text")
        for name in regions if kind == "token" and not ignored else ():
            self._note_tag(name)
        key = next(iter(regions), None) if kind == "token" or ignored else self.class_field(task)
        extra = {name: value for name, value in task.items() if name not in (*_MIN_FIELDS, self._text, key, METADATA)}
        predicted_by = "labelkit" if is_predicted(metadata) and not set(_MIN_FIELDS) & set(task) else None
        annotated = partial(AnnotatedText, text=text, metadata=metadata, id=id_, extra=extra, predicted_by=predicted_by)
        if ignored:
            return annotated(given=filled_fields(task, key))
        value = task[key] if key else None
        if kind == "text":
            return annotated(label=value)
        self._types["labels"] += key is not None
        self._without_regions += key is None
        locator = SpanLocator(text, self._ctx)
        return annotated(spans=parse_regions(value or [], locator), errors=locator.errors)

    def class_field(self, task: Mapping[str, Any]) -> str:
        """Return the field of the class: the one that the user named, one of several choices, or one of a usual name.

        :raises DataError: there is none, or several; names no file.
        """
        several = [name for name, value in task.items() if isinstance(value, Mapping) and "choices" in value]
        usual = [name for name in _USUAL_CLASS_FIELDS if name in task and name not in several]
        chosen = [name for name in (self._from, self._ctx.layer) if name is not None and name in task][:1]
        found = chosen or several + [name for name in usual if not isinstance(task[name], list)]
        if not found:
            have = ", ".join(f"'{name}'" for name in task if name not in (*_MIN_FIELDS, self._text))
            raise DataError(f"no field of the class, there are {have or 'none'}", hint="name it: --columns label=FIELD")
        for name in found:
            self._note_tag(name)
        return found[0]


def results_of(task: Mapping[str, Any]) -> tuple[list[list[Mapping[str, Any]]], str | None]:
    """Return the results of each annotation that counts; of predictions if the task has no field of annotations.

    Cancelled annotations do not count; if one is marked as ground truth, the others do not. For predictions, the model
    that made them is returned too.

    :raises DataError: the annotations are invalid; names no file.
    """
    annotations, predicted_by = task.get("annotations", task.get("completions")), None
    if annotations is None:
        annotations = task.get("predictions") or []
        model = next((one.get("model_version") for one in annotations if isinstance(one, Mapping)), None)
        predicted_by = str(model or "a model") if annotations else None
    if not isinstance(annotations, list) or not all(isinstance(one, Mapping) for one in annotations):
        raise DataError("the annotations must be a list of objects", hint="is this an export of Label Studio?")
    counting = [one for one in annotations if not one.get("was_cancelled")]
    counting = [one for one in counting if one.get("ground_truth")] or counting
    results = [one.get("result") or [] for one in counting]
    if not all(isinstance(result, list) and all(isinstance(one, Mapping) for one in result) for result in results):
        raise DataError("the result of an annotation must be a list of objects", hint="export it as JSON")
    return results, predicted_by


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

    :raises MissingLabelError: a region has no label, or one of another type; names no file.
    :raises DataError: a region is invalid, and the policy does not drop spans; names no file.
    """
    regions = list(values)
    for region in regions:
        check_labelled(region)

    def parse(value: Any) -> list[TextSpan]:
        if not is_region(value):
            raise DataError(f"a region needs start, end and labels, this is {value!r}"[:300], hint="export it as JSON")
        start, end, text = value["start"], value["end"], value.get("text")
        return [locator.span(start, end, label, text) for label in value["labels"]]

    return sorted(locator.collect(regions, parse))


def check_labelled(region: Any) -> None:
    """Check that a region of text has a label.

    :raises MissingLabelError: it has none, or one of another type than text has; names no file.
    """
    if not isinstance(region, Mapping) or region.get("labels") or not {"start", "end"} <= region.keys():
        return
    if type_ := next((name for name in region if is_region_type(str(name))), None):
        raise unread_error(str(type_))
    if isinstance(region["start"], int) and region.get("labels") in (None, []):
        raise MissingLabelError(
            f"the region {region['start']}-{region['end']} has no label",
            hint="give it one in Label Studio, or remove it",
            counted_as=NO_LABEL,
        )


def unread_error(type_: str) -> MissingLabelError:
    """Return the error of a task whose words are labelled by a result of a type that is not read."""
    return MissingLabelError(
        f"results of type '{type_}' are not read, they do not count the characters of a text",
        hint="use <Labels> on <Text> in the labelling configuration",
        counted_as=f"tasks with results of type '{type_}', which are not read, were left out",
    )


def is_region_type(type_: str) -> bool:
    """Return whether results of a type label parts of something, as ``hypertextlabels`` do, but not of plain text."""
    return type_.endswith("labels") and type_ != "labels"


def is_region(value: Any) -> bool:
    """Return whether a value of a result is a labelled region of text."""
    return isinstance(value, Mapping) and {"start", "end"} <= set(value) and isinstance(value.get("labels"), list)


def region_fields(task: Mapping[str, Any]) -> list[str]:
    """Return the fields of a task of JSON-MIN that hold regions, with labels or without."""
    lists = [name for name, value in task.items() if value and isinstance(value, list)]
    return [
        name
        for name in lists
        if all(isinstance(region, Mapping) and {"start", "end"} <= region.keys() for region in task[name])
    ]


def looks_like_task(value: Any) -> bool:
    """Return whether a JSON value is a task of an export of Label Studio, or of its flat form."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("data"), Mapping):
        return bool({"annotations", "completions", "predictions"} & value.keys())
    return "annotation_id" in value or {"annotator", "lead_time"} <= value.keys() or _has_labelled_region(value)


def _has_labelled_region(task: Mapping[str, Any]) -> bool:
    return any(all(map(is_region, task[name])) for name in region_fields(task))


def _fits_only(result: Mapping[str, Any], ours: Any, other: str) -> bool:
    """Return whether the stored text of a region is that of our text at its offsets, and not that of another one."""
    value = as_mapping(result.get("value"))
    start, end, surface = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int) or not surface or not isinstance(ours, str):
        return False
    return bool(ours[start:end] == surface and other[start:end] != surface)

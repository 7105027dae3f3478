"""Inputs and results of labelling as JSON objects, for journals and for other processes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labelkit.label.records import FailedRecord
from labelkit.label.stream import InputRecord, LabelResult
from labelkit.records import Coverage, Example, Labelled, Place, Span


def input_to_json(item: InputRecord) -> dict[str, Any]:
    """Return an input as a JSON object; labels are left out, as labelling ignores them."""
    if isinstance(item, FailedRecord):
        return {"failed": item.message, "hint": item.hint, "ends_file": item.ends_file}
    found: dict[str, Any] = {name: getattr(item, name) for name in ("id", "text", "words", "document", "offsets")}
    place = item.place and [item.place.file, item.place.line]
    return {**found, "pair": item.pair, "extra": dict(item.extra), "place": place}


def input_from_json(found: dict[str, Any]) -> InputRecord:
    """Return the input that :func:`input_to_json` made a JSON object of."""
    if "failed" in found:
        return FailedRecord(found["failed"], found["hint"], found["ends_file"])
    if found["words"] is not None:
        found["words"] = tuple(found["words"])
    if found["offsets"] is not None:
        found["offsets"] = tuple([(start, end) for start, end in found["offsets"]])
    if found["place"] is not None:
        found["place"] = Place(file=found["place"][0], line=found["place"][1])
    return Example(**found)


def result_to_json(result: LabelResult) -> dict[str, Any]:
    """Return a result as a JSON object, from which :func:`result_from_json` makes the same result."""
    if isinstance(result, FailedRecord):
        return {"failed": result.message, "hint": result.hint, "ends_file": result.ends_file}
    found = {name: getattr(result, name) for name in ("id", "text", "words", "labels", "offsets", "extra", "engine")}
    if result.words is None:
        found |= {"label": result.label, "number": result.number, "score": result.score, "scores": result.scores}
        found["pair"] = result.pair
    else:
        found["spans"] = [(span.start, span.end, span.label, span.score) for span in result.spans or ()]
    if result.layers:
        found["layers"] = {task: result_to_json(layer) for task, layer in result.layers.items()}
    return {**found, "coverage": asdict(result.coverage)}


def result_from_json(found: dict[str, Any]) -> LabelResult:
    """Return the result that :func:`result_to_json` made a JSON object of."""
    if "failed" in found:
        return FailedRecord(found["failed"], found["hint"], found["ends_file"])
    coverage = Coverage(**found.pop("coverage"))
    if layers := found.pop("layers", None):
        found["layers"] = {task: result_from_json(layer) for task, layer in layers.items()}
    if found["words"] is None:
        return Labelled(**found, coverage=coverage)
    text = found["text"]
    found["spans"] = tuple([
        Span(start=start, end=end, label=label, text=text[start:end], score=score)
        for start, end, label, score in found["spans"]
    ])  # fmt: skip
    found["offsets"] = tuple([(start, end) for start, end in found["offsets"]])
    found |= {name: tuple(found[name]) for name in ("words", "labels")}
    return Labelled(**found, coverage=coverage)

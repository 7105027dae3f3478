"""Labelled records as JSON objects, by the field names that users and programs rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

from labelkit.errors import DataError
from labelkit.records import Coverage, Labelled, Span
from labelkit.settings import DataSettings

#: figures of the coverage that are left out when they are 0
_OPTIONAL_COVERAGE = frozenset(("below_min_score", "below_threshold", "repaired"))
_COVERAGE = tuple([field.name for field in fields_of(Coverage)])
#: fields that labelling adds to a record; not needed to read it back as data
_PREDICTED = ("spans", "score", "scores", "coverage", "layers")


def is_gold(labelled: Labelled) -> bool:
    """Return whether the labels of a record were read from data, not predicted: it has no score and no windows."""
    coverage = labelled.coverage
    return coverage.windows == 0 and coverage.fallback == 0 and coverage.words > 0


def gold_coverage(words: int) -> Coverage:
    """Return the coverage of a record whose labels were read from data."""
    return Coverage(words=max(words, 1), windows=0)


def to_json(record: Labelled) -> dict[str, Any]:
    """Return a labelled record ready for JSON; labelkit's fields replace the user's own fields of the same name."""
    fields: dict[str, Any] = {"id": record.id, "text": record.text}
    if record.pair is not None:
        fields["pair"] = record.pair
    fields |= _labels(record)
    if record.layers:
        fields["layers"] = {task: _layer(layer, record) for task, layer in record.layers.items()}
    fields["coverage"] = _coverage(record)
    if record.engine:
        fields["coverage"]["engine"] = record.engine
    return {**record.extra, **fields}


def _labels(record: Labelled) -> dict[str, Any]:
    """Return the fields of the labels of a record."""
    if record.words is not None:
        spans = [_span(span) for span in record.spans or ()]
        return {"words": list(record.words), "labels": list(record.labels or ()), "spans": spans}
    if record.number is not None:
        return {"label": record.number}
    if record.labels is not None:
        return {"labels": list(record.labels), "scores": dict(record.scores or {})}
    return {"label": record.label, "score": record.score, "scores": dict(record.scores or {})}


def _span(span: Span) -> dict[str, Any]:
    # dataclasses.asdict copies every value: a record with two spans took 19 microseconds in place of 3
    return {"start": span.start, "end": span.end, "label": span.label, "text": span.text, "score": span.score}


def _layer(layer: Labelled, record: Labelled) -> dict[str, Any]:
    """Return the labels of a task, without words and coverage that are those of the record."""
    fields = _labels(layer)
    if layer.words == record.words:
        fields.pop("words", None)
    return fields if layer.coverage == record.coverage else {**fields, "coverage": _coverage(layer)}


def _coverage(record: Labelled) -> dict[str, Any]:
    figures = ((name, getattr(record.coverage, name)) for name in _COVERAGE)
    return {name: value for name, value in figures if value or name not in _OPTIONAL_COVERAGE}


def to_record(labelled: Labelled) -> dict[str, Any]:
    """Return the fields of a record for a file: labelkit's own first, then the user's.

    A gold record has only its labels; a labelled one has the fields of :func:`to_json`.

    :raises DataError: one of the user's fields has the name of one of labelkit's.
    """
    fields = to_json(replace(labelled, extra={}))
    if is_gold(labelled):
        fields = {name: value for name, value in fields.items() if name not in _PREDICTED}
    if clash := [name for name in labelled.extra if name in fields]:
        raise DataError(
            f"record '{labelled.id}': its own field '{clash[0]}' would be overwritten by labelkit's",
            hint=f"rename it, or leave it out: --drop {clash[0]} in labelkit data convert",
        )
    return {**fields, **labelled.extra}


def is_coverage(value: Any) -> bool:
    """Return whether a value is the coverage that labelkit writes with each record that it has labelled."""
    return isinstance(value, Mapping) and {"words", "windows"} <= value.keys()


def check_not_predicted(record: Mapping[str, Any], settings: DataSettings) -> None:
    """Raise the error of predictions that would be read as gold labels, if labelkit itself has labelled a record.

    :raises DataError: it has, and ``settings.predictions_as_gold`` does not allow it; names no file.
    """
    if is_coverage(record.get("coverage")) and not settings.predictions_as_gold:
        raise prediction_error("labelkit")


def check_predictions_allowed(place: object, settings: DataSettings) -> None:
    """Raise the error of a file, or a sentence, whose labels labelkit predicted, unless the settings allow it.

    :raises DataError: ``settings.predictions_as_gold`` does not allow it; names ``place``.
    """
    if not settings.predictions_as_gold:
        raise prediction_error("labelkit", "these labels").at(place)


def prediction_error(who: str, what: str = "the labels of this record") -> DataError:
    """Return the error for labels that ``who`` predicted where gold labels are read."""
    return DataError(
        f"{what} are predictions of {who}, not gold labels",
        hint="give the gold data; if somebody has corrected them, --set data.predictions_as_gold=true",
    )


def without_predictions(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a record without what labelling added; a record that labelkit did not label as it is."""
    if is_coverage(record.get("coverage")):
        return {name: value for name, value in record.items() if name not in _PREDICTED}
    return record

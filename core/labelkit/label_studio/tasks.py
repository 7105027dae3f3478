"""The tasks of a project: which annotation of each counts, which are held out, and what is kept of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

#: of five annotated texts about one is held out as validation, by its hash: always the same ones
_HELD_OUT = 5
#: what is kept of an annotation, and of the prediction that it began with; the rest are people and their tokens
_ANNOTATION = ("id", "result", "ground_truth", "was_cancelled", "updated_at", "parent_prediction")
_PREDICTION = ("model_version", "score", "result")


def is_held_out(text: str) -> bool:
    """Return whether an annotated text is in validation and never in train: always so for the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] % _HELD_OUT == 0


def slim_annotation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an annotation without what is about people."""
    found = {name: annotation[name] for name in _ANNOTATION if name in annotation}
    prediction = annotation.get("prediction")
    if isinstance(prediction, Mapping) and prediction:
        found["prediction"] = slim_prediction(prediction)
    return found


def slim_prediction(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a prediction: its model, score and labels."""
    return {name: prediction[name] for name in _PREDICTION if name in prediction}


def counting_annotation(annotations: Any) -> dict[str, Any] | None:
    """Return the annotation of a task that counts: the ground truth, else the latest; None if there is none."""
    if not isinstance(annotations, list):
        return None
    valid = [one for one in annotations if isinstance(one, Mapping) and not one.get("was_cancelled")]
    if not valid:
        return None
    truths = [one for one in valid if one.get("ground_truth")] or valid
    return slim_annotation(max(truths, key=lambda one: (str(one.get("updated_at") or ""), _number(one.get("id")))))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0

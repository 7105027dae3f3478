"""Scores of plain labels: a tag for each word, or a class for each text. Light to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelkit.records import Metric, Predictions


def tags(predictions: Predictions) -> Mapping[str, Any]:
    """Score the tags of words."""
    return class_scores(
        [tag for tags in predictions.references for tag in tags],
        [tag for tags in predictions.predictions for tag in tags],
    )


def texts(predictions: Predictions) -> Mapping[str, Any]:
    """Score the classes of texts."""
    return class_scores(
        [str(label) for label in predictions.references], [str(label) for label in predictions.predictions]
    )


def class_scores(references: Sequence[str], predictions: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, macro-averaged precision, recall and F1, and the same ``per_type``; undefined figures are 0.

    The average is over the labels that occur in ``references`` or ``predictions``, each counting the same.
    """
    from sklearn.metrics import precision_recall_fscore_support

    labels = sorted({*references, *predictions})
    if not labels:
        return {
            "accuracy": 0.0,
            "precision": 0.0,
            "recall": 0.0,
            "f1": 0.0,
            "support": 0,
            "average": "macro",
            "per_type": {},
        }
    columns = precision_recall_fscore_support(references, predictions, labels=labels, average=None, zero_division=0)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    names = ("precision", "recall", "f1", "support")
    means = {name: sum(row[place] for row in rows) / len(rows) for place, name in enumerate(names[:3])}
    right = sum(gold == guess for gold, guess in zip(references, predictions, strict=True))
    return {
        "accuracy": right / len(references),
        **means,
        "support": len(references),
        "average": "macro",
        "per_type": {label: dict(zip(names, row, strict=True)) for label, row in zip(labels, rows, strict=True)},
    }


METRICS = (
    Metric(name="accuracy", kind="token", compute=tags, key="accuracy", summary="share of words with the right tag"),
    Metric(
        name="classification", kind="text", compute=texts, key="accuracy", summary="share of texts with the right class"
    ),
)

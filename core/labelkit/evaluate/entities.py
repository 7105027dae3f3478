"""Entity scores as ``seqeval`` gives them, shipped as an ``evaluate.Metric`` so that nothing is downloaded.

Importing this module loads ``evaluate`` and with it torch: :mod:`labelkit.builtin` imports it when it scores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

Tags = Sequence[Sequence[str]]


class Entities(evaluate.Metric):  # type: ignore[misc]
    """Precision, recall, F1 and support over entities, in seqeval's default mode, which is the CoNLL scorer's."""

    def _info(self) -> evaluate.MetricInfo:
        tags = datasets.Sequence(datasets.Value("string"))
        return evaluate.MetricInfo(
            description="Entity-level scores, computed by seqeval in its default mode.",
            citation="",
            inputs_description="predictions and references: one list of tags per sentence",
            features=datasets.Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, *, predictions: Tags, references: Tags) -> dict[str, Any]:
        return entity_scores(references, predictions)


def entity_scores(references: Tags, predictions: Tags) -> dict[str, Any]:
    """Return micro scores, token ``accuracy`` and ``per_type``; figures that are undefined are 0."""
    gold, guess = [list(tags) for tags in references], [list(tags) for tags in predictions]
    per_type = _by_type(gold, guess)
    if not any(gold):
        return {
            "precision": 0.0,
            "recall": 0.0,
            "f1": 0.0,
            "accuracy": 0.0,
            "support": 0,
            "per_type": per_type,
        }
    precision, recall, f1, support = precision_recall_fscore_support(gold, guess, average="micro", zero_division=0)
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "accuracy": float(accuracy_score(gold, guess)),
        "support": int(support),
        "per_type": per_type,
    }


def _by_type(gold: list[list[str]], guess: list[list[str]]) -> dict[str, dict[str, float]]:
    types = sorted({type_ for type_, _, _ in (*get_entities(gold), *get_entities(guess))})
    if not types:
        return {}
    rows = np.array(precision_recall_fscore_support(gold, guess, average=None, zero_division=0), dtype=float)
    figures = rows.T.tolist()
    return {
        type_: {"precision": row[0], "recall": row[1], "f1": row[2], "support": int(row[3])}
        for type_, row in zip(types, figures, strict=True)
    }


def compute(predictions: Tags, references: Tags) -> dict[str, Any]:
    """Score through the ``evaluate`` interface, in memory, with its scratch folder out of everybody's way."""
    with tempfile.TemporaryDirectory(prefix="labelkit-scores-") as scratch:
        metric = Entities(keep_in_memory=True, cache_dir=scratch)
        result: dict[str, Any] = metric.compute(predictions=predictions, references=references)
    return result

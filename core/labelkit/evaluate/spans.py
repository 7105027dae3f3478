"""Scores of spans. Light to import: what is heavy is imported when a score is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelkit.data.schemes import violations
from labelkit.records import Metric, Predictions, Scheme


def seqeval(predictions: Predictions) -> Mapping[str, Any]:
    """Score entities at word level in seqeval's default mode, which counts as the CoNLL shared task's scorer does.

    seqeval's default mode does not know L and U, so BILOU is read as BIOES first. ``repaired`` counts the
    predicted transitions that the scheme does not allow and that the scorer reads as the start of an entity.
    """
    from labelkit.evaluate import entities

    scheme = predictions.schema.scheme or "IOB2"
    repaired = sum(len(violations(tags, scheme)) for tags in predictions.predictions)
    gold, guess = (_readable(tags, scheme) for tags in (predictions.references, predictions.predictions))
    scores = entities.compute(predictions=guess, references=gold)
    return {**scores, "scheme": scheme, "mode": "default", "repaired": repaired}


def _readable(sequences: Any, scheme: Scheme) -> list[list[str]]:
    if scheme != "BILOU":
        return [list(tags) for tags in sequences]
    return [[_bioes(tag) for tag in tags] for tags in sequences]


def _bioes(tag: str) -> str:
    return {"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] if tag[1:2] == "-" else tag


METRICS = (Metric(name="seqeval", kind="token", compute=seqeval, key="f1", summary="entity precision, recall, F1"),)

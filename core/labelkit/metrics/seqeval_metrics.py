"""Scores of spans. Light to import: what is heavy is imported when a score is computed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from labelkit.records import Counts, Metric, Predictions

if TYPE_CHECKING:
    from labelkit.metrics.chunks import Mode


def seqeval(predictions: Predictions, mode: Mode = "default") -> Mapping[str, Any]:
    """Score entities at word level as seqeval does.

    Its default mode counts as the CoNLL shared task's scorer does: a predicted transition that the scheme does not
    allow is read as the start of an entity, and counted as ``repaired``. That mode does not know L and U, so BILOU is
    read as BIOES. Strict mode knows all four schemes; what is not tagged by the scheme's letter is no entity.
    """
    from labelkit.metrics import entities

    scheme = predictions.schema.scheme or "IOB2"
    return entities.entity_scores(predictions.references, predictions.predictions, scheme, mode)


def counts(predictions: Predictions, mode: Mode = "default") -> Counts:
    """Return what these scores are made of, sentence by sentence."""
    from labelkit.metrics import entities

    scheme = predictions.schema.scheme or "IOB2"
    return entities.span_counts(entities.compare_spans(predictions.references, predictions.predictions, scheme, mode))


METRICS = (
    Metric(
        name="seqeval",
        kind="token",
        compute=seqeval,
        counts=counts,
        key="f1",
        summary="entity precision, recall, F1",
    ),
    Metric(
        name="seqeval-strict",
        kind="token",
        compute=partial(seqeval, mode="strict"),
        counts=partial(counts, mode="strict"),
        key="f1",
        summary="the same in strict mode: entities must be tagged by their scheme",
    ),
)

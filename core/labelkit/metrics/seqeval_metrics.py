"""The built-in metrics of spans. Light to import: NumPy and seqeval are imported when a score is computed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from labelkit.records import Counts, Metric, Predictions

if TYPE_CHECKING:
    from labelkit.metrics.chunks import Mode


def seqeval(predictions: Predictions, mode: Mode = "default") -> Mapping[str, Any]:
    """Return seqeval's entity scores at word level.

    Default mode scores as the CoNLL shared task's scorer does: a predicted transition that the scheme does not allow is
    read as the start of an entity, and counted as ``repaired``. It does not know L and U, so BILOU is read as BIOES.
    Strict mode knows all four schemes; words that are not tagged by the scheme's rules are no entity.
    """
    from labelkit.metrics.entities import entity_scores

    return entity_scores(predictions.references, predictions.predictions, predictions.schema.scheme or "IOB2", mode)


def seqeval_counts(predictions: Predictions, mode: Mode = "default") -> Counts:
    """Return the counts that these scores are computed from, sentence by sentence."""
    from labelkit.metrics.entities import compare_spans, span_counts

    scheme = predictions.schema.scheme or "IOB2"
    return span_counts(compare_spans(predictions.references, predictions.predictions, scheme, mode))


def unseen(predictions: Predictions) -> Mapping[str, Any]:
    """Return entity scores of mentions that occur in train, and of those that do not; see the module it calls."""
    from labelkit.metrics.unseen_mentions import unseen_scores

    return unseen_scores(predictions)


def unseen_counts(predictions: Predictions) -> Counts:
    """Return the counts that these scores are computed from, sentence by sentence."""
    from labelkit.metrics import unseen_mentions

    return unseen_mentions.unseen_counts(predictions)


METRICS = (
    Metric(
        name="seqeval",
        kind="token",
        compute=seqeval,
        counts=seqeval_counts,
        key="f1",
        summary="entity precision, recall, F1",
    ),
    Metric(
        name="seqeval-strict",
        kind="token",
        compute=partial(seqeval, mode="strict"),
        counts=partial(seqeval_counts, mode="strict"),
        key="f1",
        summary="entity precision, recall, F1 in strict mode: only entities tagged by the scheme's rules",
    ),
    Metric(
        name="seqeval-unseen",
        kind="token",
        compute=unseen,
        counts=unseen_counts,
        key="unseen_f1",
        uses_train_mentions=True,
        summary="entity precision, recall, F1 of mentions that occur in train, and of those that do not",
    ),
)

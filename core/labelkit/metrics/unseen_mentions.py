"""Entity scores of mentions that train has, and of those that it has not: how a labeller does on new names.

A mention is seen where its words occur in train as a mention, of whatever type, in the same order and case. Gold and
predicted mentions are divided by their own words, so that precision, recall and F1 are defined for both parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.errors import LabelkitError
from labelkit.metrics.chunks import Bools
from labelkit.metrics.entities import Floats, SpanComparison, compare_spans, match_boundaries
from labelkit.metrics.precision_recall import precision_recall_f1, to_floats
from labelkit.records import Counts, Example, Mentions, Predictions

#: the parts, in the order of the counts
PARTS = ("seen", "unseen")


def unseen_scores(predictions: Predictions) -> Mapping[str, Any]:
    """Return precision, recall, F1 and support of seen and of unseen mentions; undefined ones are 0.

    :raises LabelkitError: the mentions of train are unknown.
    """
    counts = unseen_counts(predictions)
    sums = counts.rows.sum(axis=0)
    figures = to_floats(counts.figures(sums))
    return figures | {f"{part}_support": int(gold) for part, gold in zip(PARTS, sums[4:6], strict=True)}


def unseen_counts(predictions: Predictions) -> Counts:
    """Return the correct, predicted and gold mentions of each sentence, seen and unseen: shape (sentences, 6).

    :raises LabelkitError: the mentions of train are unknown.
    """
    if predictions.train_mentions is None or len(predictions.examples) != len(predictions.references):
        raise LabelkitError(
            "it needs words and the mentions of train, which are unknown here",
            hint="labelkit evaluate RUN --metric seqeval-unseen finds both",
        )
    scheme = predictions.schema.scheme or "IOB2"
    compared = compare_spans(predictions.references, predictions.predictions, scheme, "default")
    gold, predicted = compared.gold, compared.predicted
    gold_seen, predicted_seen = _seen(compared, predictions.examples, predictions.train_mentions())
    partner = match_boundaries(gold, predicted, int(compared.lengths.sum()))
    correct = (partner >= 0) & (gold.type[partner] == predicted.type) if len(gold) else partner >= 0
    columns = [
        np.bincount(spans.sentence[chosen & (seen == is_seen)], minlength=len(compared.lengths))
        for spans, seen, chosen in (
            (predicted, predicted_seen, correct),
            (predicted, predicted_seen, np.ones(len(predicted), np.bool_)),
            (gold, gold_seen, np.ones(len(gold), np.bool_)),
        )
        for is_seen in (True, False)
    ]
    return Counts(rows=np.stack(columns, axis=1).astype(np.float64), figures=_figures)


def _figures(sums: Floats) -> dict[str, Any]:
    """Return the scores of summed counts, of shape (..., 6); each is an array of shape (...)."""
    return {
        f"{part}_{name}": values
        for index, part in enumerate(PARTS)
        for name, values in precision_recall_f1(*(sums[..., start + index] for start in (0, 2, 4))).items()
    }


def _seen(compared: SpanComparison, examples: Sequence[Example], mentions: Mentions) -> tuple[Bools, Bools]:
    """Return which gold and which predicted mentions train has; goes through the examples once."""
    gold, predicted = compared.gold, compared.predicted
    found = np.zeros(len(gold), np.bool_), np.zeros(len(predicted), np.bool_)
    starts = (np.cumsum(compared.lengths) - compared.lengths).tolist()
    borders = [np.searchsorted(each.sentence, np.arange(len(starts) + 1)).tolist() for each in (gold, predicted)]
    for number, (example, start) in enumerate(zip(examples, starts, strict=True)):
        words = example.words or ()
        for spans, seen, border in zip((gold, predicted), found, borders, strict=True):
            for index in range(border[number], border[number + 1]):
                seen[index] = words[spans.first[index] - start : spans.stop[index] - start] in mentions
    return found

"""The built-in metric of texts with any number of labels. Light to import: NumPy is imported when it is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from labelkit.records import Counts, Metric, Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labelkit.metrics.precision_recall import Nested

    Floats = NDArray[np.float64]


def scores(predictions: Predictions) -> Mapping[str, Any]:
    """Return the scores of sets of labels, with ``average_precision`` where scores are known.

    ``precision``, ``recall`` and ``f1`` are micro averages: of all decisions whether a text has a label. The macro
    averages and the average precision are over the labels that occur in the gold or the predicted sets. A text counts
    for ``subset_accuracy`` where its set is right as a whole. Undefined scores are 0.
    """
    from labelkit.metrics.average_precision import average_precisions
    from labelkit.metrics.precision_recall import to_floats

    gold, predicted = predictions.sets
    labels = predictions.schema.label_names
    figures = to_floats(set_figures(_columns(gold, predicted).sum(axis=0), labels))
    for label, support in zip(labels, gold.sum(axis=0).tolist(), strict=True):
        figures["per_type"][label]["support"] = int(support)
    if predictions.scores is not None:
        areas = average_precisions(gold, predictions.scores)
        for column, area in areas.items():
            figures["per_type"][labels[column]]["average_precision"] = area
        if areas:
            figures["average_precision"] = sum(areas.values()) / len(areas)
    per_type = figures.pop("per_type")
    return {**figures, "support": int(gold.sum()), "average": "micro", "per_type": per_type}


def counts(predictions: Predictions) -> Counts:
    """Return the counts of each text: of each label whether it is right, predicted and gold, and the whole set."""
    return Counts(rows=_columns(*predictions.sets), figures=partial(set_figures, labels=predictions.schema.label_names))


def _columns(gold: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Floats:
    """Return the counts of each text, float64 of shape (texts, 3 × labels + 3)."""
    import numpy as np

    wrong = (gold != predicted).sum(axis=1, keepdims=True)
    parts = (gold & predicted, predicted, gold, wrong == 0, wrong, np.ones_like(wrong))
    return np.hstack([part.astype(np.float64) for part in parts])


def set_figures(sums: Floats, labels: Sequence[str]) -> Nested:
    """Return the scores of summed counts, of shape (..., 3 × labels + 3); each is an array of shape (...)."""
    import numpy as np

    from labelkit.metrics.precision_recall import by_type, macro_average, safe_divide

    size = len(labels)
    correct, predicted, gold = (sums[..., size * part : size * (part + 1)] for part in range(3))
    right, wrong, texts = np.moveaxis(sums[..., 3 * size :], -1, 0)

    def precision_recall_f1(correct: Floats, predicted: Floats, gold: Floats) -> dict[str, Floats]:
        # the formula of scikit-learn: with its rounding, scores are equal to the last digit
        f1 = safe_divide(2 * correct, predicted + gold)
        return {"precision": safe_divide(correct, predicted), "recall": safe_divide(correct, gold), "f1": f1}

    each, present = precision_recall_f1(correct, predicted, gold), (predicted + gold) > 0
    micro = precision_recall_f1(correct.sum(axis=-1), predicted.sum(axis=-1), gold.sum(axis=-1))
    return {
        **micro,
        **{f"macro_{name}": macro_average(values, present) for name, values in each.items()},
        "weighted_f1": safe_divide((each["f1"] * gold).sum(axis=-1), gold.sum(axis=-1)),
        "subset_accuracy": safe_divide(right, texts),
        "hamming_loss": safe_divide(wrong, texts * size),
        "per_type": by_type(labels, each, present),
    }


METRICS = (
    Metric(
        name="multilabel",
        kind="text",
        multilabel=True,
        compute=scores,
        counts=counts,
        key="f1",
        summary="micro F1 of texts with any number of labels; macro F1, subset accuracy, average precision",
    ),
)

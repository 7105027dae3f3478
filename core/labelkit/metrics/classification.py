"""The built-in metrics of plain labels: a tag for each word, or a class for each text.

Light to import: NumPy is imported when a score is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from labelkit.records import Counts, Metric, Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labelkit.metrics.precision_recall import Nested

Rows = Sequence[Sequence[str]]


def token_scores(predictions: Predictions) -> Mapping[str, Any]:
    """Return the scores of the tags of words."""
    return class_scores(predictions.references, predictions.predictions)


def token_counts(predictions: Predictions) -> Counts:
    """Return the counts that the scores of tags are computed from, sentence by sentence."""
    return class_counts(predictions.references, predictions.predictions)


def text_scores(predictions: Predictions) -> Mapping[str, Any]:
    """Return the scores of the classes of texts, with ``roc_auc`` where it is defined."""
    from labelkit.metrics.roc_auc import roc_auc

    scores = class_scores(*_text_rows(predictions))
    area = roc_auc(predictions)
    return scores if area is None else {**scores, "roc_auc": area}


def text_counts(predictions: Predictions) -> Counts:
    """Return the counts that the scores of classes are computed from, text by text."""
    return class_counts(*_text_rows(predictions))


def _text_rows(predictions: Predictions) -> tuple[Rows, Rows]:
    return [(str(label),) for label in predictions.references], [(str(label),) for label in predictions.predictions]


def class_scores(references: Rows, predictions: Rows) -> Nested:
    """Return accuracy, macro-averaged precision, recall and F1, weighted F1, support, ``per_type``, ``confusion``.

    Undefined scores are 0. The macro average is over the labels that occur in ``references`` or ``predictions``; the
    weighted one is by support. ``confusion`` is ``{gold label: {predicted label: number}}``.
    """
    import numpy as np

    from labelkit.metrics.precision_recall import count_table, to_floats

    labels, gold, predicted, _ = _encode(references, predictions)
    matrix = count_table(gold, predicted, (len(labels), len(labels)))
    support = matrix.sum(axis=1)
    figures = to_floats(class_figures(np.concatenate((matrix.diagonal(), matrix.sum(axis=0), support)), labels))
    for label, number in zip(labels, support.tolist(), strict=True):
        figures["per_type"][label]["support"] = int(number)
    return {
        **{name: figures.pop(name) for name in ("accuracy", "precision", "recall", "f1", "weighted_f1")},
        "support": len(gold),
        "average": "macro",
        "per_type": figures["per_type"],
        "confusion": {
            labels[row]: {labels[column]: int(number) for column, number in enumerate(cells) if number}
            for row, cells in enumerate(matrix.tolist())
            if any(cells)
        },
    }


def class_counts(references: Rows, predictions: Rows) -> Counts:
    """Return the counts of each example: correct, predicted and gold words of each label."""
    import numpy as np

    from labelkit.metrics.precision_recall import count_table

    labels, gold, predicted, example = _encode(references, predictions)
    shape, correct = (len(references), len(labels)), gold == predicted
    tables = (
        count_table(example[correct], gold[correct], shape),
        count_table(example, predicted, shape),
        count_table(example, gold, shape),
    )
    return Counts(rows=np.hstack(tables), figures=partial(class_figures, labels=labels))


def class_figures(sums: NDArray[np.float64], labels: Sequence[str]) -> Nested:
    """Return the scores of summed counts, of shape (..., 3 × labels); each is an array of shape (...)."""
    from labelkit.metrics.precision_recall import by_type, macro_average, precision_recall_f1, safe_divide

    size = len(labels)
    correct, predicted, gold = (sums[..., size * part : size * (part + 1)] for part in range(3))
    each, present, total = precision_recall_f1(correct, predicted, gold), (predicted + gold) > 0, gold.sum(axis=-1)
    return {
        "accuracy": safe_divide(correct.sum(axis=-1), total),
        **{name: macro_average(values, present) for name, values in each.items()},
        "weighted_f1": safe_divide((each["f1"] * gold).sum(axis=-1), total),
        "per_type": by_type(labels, each, present),
    }


def _encode(
    references: Rows, predictions: Rows
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels that occur, and gold label id, predicted label id and example of each word."""
    import numpy as np

    labels = sorted({label for rows in (references, predictions) for row in rows for label in row})
    id_of = {label: index for index, label in enumerate(labels)}
    gold, predicted = (
        np.array([id_of[label] for row in rows for label in row], np.int64) for rows in (references, predictions)
    )
    lengths = [len(row) for row in references]
    if lengths != [len(row) for row in predictions]:
        raise ValueError("gold and predicted labels differ in number")
    return labels, gold, predicted, np.repeat(np.arange(len(lengths)), lengths)


METRICS = (
    Metric(
        name="accuracy",
        kind="token",
        compute=token_scores,
        counts=token_counts,
        key="accuracy",
        summary="share of words with the gold tag",
    ),
    Metric(
        name="classification",
        kind="text",
        compute=text_scores,
        counts=text_counts,
        key="accuracy",
        summary="share of texts with the gold class",
    ),
)

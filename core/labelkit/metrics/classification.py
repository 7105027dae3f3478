"""Scores of plain labels: a tag for each word, or a class for each text. Light to import."""

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
    """Score the tags of words."""
    return class_scores(predictions.references, predictions.predictions)


def token_counts(predictions: Predictions) -> Counts:
    """Return what the scores of tags are made of, sentence by sentence."""
    return class_counts(predictions.references, predictions.predictions)


def text_scores(predictions: Predictions) -> Mapping[str, Any]:
    """Score the classes of texts; with ``roc_auc`` where the scores are known and two classes or more occur."""
    from labelkit.metrics.roc_auc import roc_auc

    figures = class_scores(*_texts(predictions))
    area = roc_auc(predictions)
    return figures if area is None else {**figures, "roc_auc": area}


def text_counts(predictions: Predictions) -> Counts:
    """Return what the scores of classes are made of, text by text."""
    return class_counts(*_texts(predictions))


def class_scores(references: Rows, predictions: Rows) -> Nested:
    """Return accuracy, macro-averaged precision, recall and F1, F1 weighted by support, ``per_type``, ``confusion``.

    Undefined figures are 0. The macro average is over the labels that occur in ``references`` or ``predictions``, each
    counting the same. ``confusion`` is ``{gold label: {predicted label: number}}``.
    """
    import numpy as np

    from labelkit.metrics.precision_recall import to_floats

    labels, gold, guess, _ = _numbers(references, predictions)
    size = len(labels)
    table = np.bincount(gold * size + guess, minlength=size * size).reshape(size, size)
    sums = np.concatenate((table.diagonal(), table.sum(axis=0), table.sum(axis=1)))
    figures = to_floats(class_figures(sums.astype(np.float64), labels))
    for label, number in zip(labels, table.sum(axis=1).tolist(), strict=True):
        figures["per_type"][label]["support"] = number
    return {
        **{name: figures.pop(name) for name in ("accuracy", "precision", "recall", "f1", "weighted_f1")},
        "support": len(gold),
        "average": "macro",
        "per_type": figures["per_type"],
        "confusion": {
            labels[row]: {labels[column]: number for column, number in enumerate(cells) if number}
            for row, cells in enumerate(table.tolist())
            if any(cells)
        },
    }


def class_counts(references: Rows, predictions: Rows) -> Counts:
    """Return right, predicted and gold labels of each kind, in each example."""
    import numpy as np

    labels, gold, guess, examples = _numbers(references, predictions)
    shape = len(references), len(labels)

    def table(ids: NDArray[np.int64], chosen: Any = slice(None)) -> NDArray[np.float64]:
        cells = np.bincount(examples[chosen] * shape[1] + ids[chosen], minlength=shape[0] * shape[1])
        return cells.reshape(shape).astype(np.float64)

    rows = np.hstack((table(gold, gold == guess), table(guess), table(gold)))
    return Counts(rows=rows, figures=partial(class_figures, labels=labels))


def class_figures(sums: NDArray[np.float64], labels: Sequence[str]) -> Nested:
    """Return the figures of summed counts, of shape (..., 3 × labels): each is an array of shape (...)."""
    from labelkit.metrics.precision_recall import by_type, macro_average, precision_recall_f1, safe_divide

    size = len(labels)
    right, found, wanted = (sums[..., size * part : size * (part + 1)] for part in range(3))
    each, here, total = precision_recall_f1(right, found, wanted), (found + wanted) > 0, wanted.sum(axis=-1)
    return {
        "accuracy": safe_divide(right.sum(axis=-1), total),
        **{name: macro_average(values, here) for name, values in each.items()},
        "weighted_f1": safe_divide((each["f1"] * wanted).sum(axis=-1), total),
        "per_type": by_type(labels, each, here),
    }


def _texts(predictions: Predictions) -> tuple[Rows, Rows]:
    """Return each text's label as the only one of its example."""
    return [(str(label),) for label in predictions.references], [(str(label),) for label in predictions.predictions]


def _numbers(
    references: Rows, predictions: Rows
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels that occur, gold and predicted ones by number, and the example of each."""
    import numpy as np

    labels = sorted({label for rows in (references, predictions) for row in rows for label in row})
    number = {label: index for index, label in enumerate(labels)}
    gold, guess = (
        np.array([number[label] for row in rows for label in row], np.int64) for rows in (references, predictions)
    )
    lengths = [len(row) for row in references]
    if lengths != [len(row) for row in predictions]:
        raise ValueError("gold and predicted labels are not of the same number")
    return labels, gold, guess, np.repeat(np.arange(len(lengths)), lengths)


METRICS = (
    Metric(
        name="accuracy",
        kind="token",
        compute=token_scores,
        counts=token_counts,
        key="accuracy",
        summary="share of words with the right tag",
    ),
    Metric(
        name="classification",
        kind="text",
        compute=text_scores,
        counts=text_counts,
        key="accuracy",
        summary="share of texts with the right class",
    ),
)

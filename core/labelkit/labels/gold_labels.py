"""The gold labels of an example, checked before labels of many examples are flattened into one array."""

from __future__ import annotations

from collections.abc import Iterable

from labelkit.errors import DataError
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Kind

#: what is wrong with gold data without spans, after the name of the data
NO_SPANS = "holds no entity, only the label O: precision, recall and F1 say nothing about it, and are 0 by convention"


def aligned_labels(example: Example, layer: str, kind: Kind) -> tuple[str, ...]:
    """Return the labels of an example: one per word, or the one of its text for kind ``text``.

    In a flat array a label more or less would shift all labels that follow.

    :raises DataError: there are more or fewer.
    """
    labels = example.labels[layer]
    row = (labels,) if isinstance(labels, str) else labels
    words = 1 if kind == "text" or example.words is None else len(example.words)
    if len(row) != words:
        content = "one text has" if kind == "text" else f"{words} words have"
        place = example.place or f"example '{example.id}'"
        raise DataError(
            f"{place}: {content} {len(row)} labels of '{layer}'", hint="give each word one label, and each text one"
        )
    return row


def has_spans(examples: Iterable[Example], layer: str) -> bool:
    """Return whether a span is labelled in any of the examples, whose labels are tags."""
    return any(label not in ("O", UNKNOWN) for example in examples for label in example.labels[layer])

"""The gold labels of an example, checked before labels of many examples are flattened into one array."""

from __future__ import annotations

from labelkit.errors import DataError
from labelkit.records import Example, Kind


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

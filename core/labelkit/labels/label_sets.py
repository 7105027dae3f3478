"""Sets of labels: texts that may have any number of the labels of their schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from labelkit.errors import DataError
from labelkit.records import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: how to say that texts have any number of labels
HOW = "--set data.multilabel=true reads any number of labels of a text, [] for none"


class SeveralLabelsError(DataError):
    """A text has several labels, where it is not said whether texts may: they may, if its reader is called again."""


def label_set(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels of a text in the one order in which labelkit keeps them.

    :raises DataError: one occurs twice; names no file.

    >>> label_set(("sports", "art"))
    ('art', 'sports')
    """
    given = tuple(labels)
    found = tuple(sorted(set(given)))
    if len(found) < len(given):
        twice = next(label for label, times in Counter(given).items() if times > 1)
        raise DataError(f"the label '{twice}' is given twice", hint="a text has each label once, or not")
    return found


def with_label_set(example: Example, layer: str) -> Example:
    """Return an example with its labels as :func:`label_set` orders them; a single label becomes a set of one.

    :raises DataError: a label occurs twice; names the place of the example.
    """
    labels = example.labels[layer]
    try:
        found = label_set((labels,) if isinstance(labels, str) else labels)
    except DataError as error:
        raise error.at(example.place or f"example '{example.id}'") from error
    return example if found == labels else replace(example, labels={**example.labels, layer: found})


def multi_hot(rows: Sequence[Sequence[float]] | Sequence[NDArray[np.int32]], labels: int) -> NDArray[np.float32]:
    """Return which labels each text has, 1 or 0, float32 of shape (texts, labels).

    :param rows: the label ids of each text.
    """
    import numpy as np

    found = np.zeros((len(rows), labels), np.float32)
    for row, ids in zip(found, rows, strict=True):
        row[np.asarray(ids, np.int64)] = 1
    return found


def shown(labels: Sequence[str]) -> str:
    """Return a set of labels as text for people.

    >>> shown(("art", "sports")), shown(())
    ('art, sports', '(none)')
    """
    return ", ".join(labels) or "(none)"

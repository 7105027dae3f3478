"""Labels of many examples as arrays of ids, and the other way round. Imports no torch."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from labelkit.labels.gold_labels import aligned_labels
from labelkit.labels.label_sets import multi_hot
from labelkit.labels.numbers import number_text
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Labels, Schema
from labelkit.records.heads import IGNORE_INDEX

#: label ids, int64; numbers, float64, where labels are numbers; bool of shape (texts, labels) for sets of labels
Ids = NDArray[Any]


class LabelSequences(Sequence[Labels]):
    """Labels of each example, converted from ids on access: strings of a large split take too much memory.

    :param ids: of all examples, one after the other, int64 of shape (words,).
    :param lengths: number of labels of each example, int64 of shape (examples,).
    """

    def __init__(self, ids: Ids, lengths: NDArray[np.int64], schema: Schema) -> None:
        self._ids, self._text, self._numeric = ids, schema.kind == "text", schema.numeric
        self._several = schema.multilabel
        self._names = np.array(schema.label_names, dtype=object)
        self._borders = np.concatenate(([0], np.cumsum(lengths)))

    def __len__(self) -> int:
        return len(self._borders) - 1

    @overload
    def __getitem__(self, index: int) -> Labels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Labels]: ...
    def __getitem__(self, index: int | slice) -> Labels | list[Labels]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        if self._numeric:
            return number_text(float(self._ids[position]))
        if self._several:
            return tuple(self._names[self._ids[position]])
        ids = self._ids[self._borders[position] : self._borders[position + 1]]
        labels = tuple(self._names[np.maximum(ids, 0)])
        if (ids == IGNORE_INDEX).any():
            labels = tuple([UNKNOWN if one == IGNORE_INDEX else label for one, label in zip(ids, labels, strict=True)])
        return labels[0] if self._text else labels


def gold_ids(examples: Iterable[Example], layer: str, schema: Schema) -> tuple[Ids, NDArray[np.int64]]:
    """Return the ids of all gold labels, of shape (words,), and the number of labels of each example.

    The id of a label that is unknown is :data:`~labelkit.records.heads.IGNORE_INDEX`.

    :raises DataError: an example has not one label per word, or its text not one label.
    """
    if schema.numeric:
        numbers = [float(*aligned_labels(example, layer, schema.kind)) for example in examples]
        return np.array(numbers, np.float64), np.ones(len(numbers), np.int64)
    number = {label: index for index, label in enumerate(schema.label_names)}
    if schema.multilabel:
        rows = [[number[label] for label in example.labels[layer]] for example in examples]
        return multi_hot(rows, len(number)) > 0, np.ones(len(rows), np.int64)
    number[UNKNOWN] = IGNORE_INDEX
    ids, lengths = array("q"), array("q")
    for example in examples:
        labels = aligned_labels(example, layer, schema.kind)
        ids.extend(number[label] for label in labels)
        lengths.append(len(labels))
    return np.array(ids, np.int64), np.array(lengths, np.int64)

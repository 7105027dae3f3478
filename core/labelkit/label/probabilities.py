"""Calibrated probabilities of all labels, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelkit.inference.calibration import apply_temperature
from labelkit.label.text_inputs import TextInput, numbered_examples
from labelkit.labels.numbers import refuse_numbers

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Probabilities:
    """Calibrated probabilities of each label; ``found[i]`` are those of the i-th text, of shape (rows, labels).

    :param labels: the labels, in the order of the columns.
    :param values: float32 of shape (texts, labels) for a labeller of texts, and of shape (words of all texts, labels)
        for one of words; each row adds up to 1.
    :param words: the words of each text, for a labeller of words: a row each.
    """

    labels: tuple[str, ...]
    values: NDArray[np.float32]
    words: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.words is None else len(self.words)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        if self.words is None:
            return self.values[index : index + 1]
        start = sum(map(len, self.words[:index]))
        return self.values[start : start + len(self.words[index])]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        lengths = [1] * len(self.values) if self.words is None else [len(words) for words in self.words]
        return iter(np.split(self.values, np.cumsum(lengths)[:-1])) if lengths else iter(())

    def __repr__(self) -> str:
        return f"Probabilities(labels={self.labels}, values=<float32 of shape {self.values.shape}>, texts={len(self)})"


def predict_probabilities(labeller: Labeller, texts: Iterable[TextInput]) -> Probabilities:
    """Return the calibrated probabilities of each label for each text, or each of its words.

    :raises LabelkitError: the labeller predicts numbers, or a text cannot be labelled.
    """
    info = labeller.info
    refuse_numbers(info.schema, "probabilities")
    batch = labeller.prepare(list(numbered_examples(texts, info.kind)))
    values = apply_temperature(labeller.compute(batch).scores.values, info.temperature)
    return Probabilities(
        labels=info.schema.label_names,
        values=np.exp(values).astype(np.float32).reshape(-1, len(info.schema.label_names)),
        words=None if info.kind == "text" else tuple(example.words or () for example in batch.examples),
    )

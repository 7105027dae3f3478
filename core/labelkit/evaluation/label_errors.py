"""Find likely label errors word by word: labels that a model finds improbable that was not trained on these words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelkit.metrics.entities import NONE
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
#: labels of less probability are flagged where another one is likelier. On planted errors of CoNLL-2003 this found more
#: of them than confident learning, among fewer flagged words, and as many real ones: see benchmarks/README.md
DOUBTED = 0.05
#: annotators hardly label a larger share of words wrong
MAX_FLAGGED = 0.1


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """How well the label of each word (or text) agrees with the model.

    :param order: positions of all words, the likeliest label error first.
    :param quality: the probability of the given class, by position, float64 of shape (words,).
    :param flagged: whether another class is likelier and the given one less probable than :data:`DOUBTED`, bool of
        shape (words,).
    :param given: the annotated class of each word, and ``suggested`` the likeliest one, int64 of shape (words,).
    :param chance: the probability of the suggested class.
    :param classes: their names.
    """

    order: Ids
    quality: Floats
    flagged: NDArray[np.bool_]
    given: Ids
    suggested: Ids
    chance: Floats
    classes: Sequence[str]

    @property
    def errors(self) -> Ids:
        """Positions of the flagged words, the likeliest label error first."""
        return self.order[self.flagged[self.order]]

    @property
    def unreliable(self) -> bool:
        """Whether more words are flagged than annotators get wrong: the model is too weak to judge them."""
        return bool(self.flagged.any() and self.flagged.mean() > MAX_FLAGGED)


def rank_labels(values: NDArray[np.float32], labels: Ids, schema: Schema) -> LabelQuality:
    """Rank words by how little their label agrees with the model.

    Tags of spans are compared by type, so that B and I are the same class; O is a class, too.

    :param values: log-probabilities of the labels, of shape (words, labels).
    :param labels: label ids, of shape (words,); words whose label is unknown come last and are never flagged.
    """
    classes, class_of = label_classes(schema)
    known = labels != IGNORE_INDEX
    given = class_of[np.where(known, labels, 0)]
    probabilities = class_probabilities(values, class_of, len(classes))
    words = np.arange(len(given))
    suggested = probabilities.argmax(axis=1) if len(words) else given
    given = np.where(known, given, suggested)  # there is nothing to judge where the label is unknown
    quality = np.where(known, probabilities[words, given], 1.0)
    return LabelQuality(
        order=np.argsort(quality, kind="stable"),
        quality=quality,
        flagged=(quality < DOUBTED) & (suggested != given),
        given=given,
        suggested=suggested,
        chance=probabilities[words, suggested],
        classes=classes,
    )


def rank_label_sets(values: NDArray[np.float32], gold: NDArray[np.bool_], schema: Schema) -> LabelQuality:
    """Rank the decisions whether a text has a label by how little they agree with the model, each label by itself.

    A label that a text lacks is of the class O.

    :param values: log-probabilities of the labels, of shape (texts, labels).
    :param gold: which labels each text has, of the same shape.
    :returns: of the decisions, those of a text one after the other.
    """
    chance = np.exp(values.astype(np.float64))
    label = np.arange(1, gold.shape[1] + 1)
    quality = np.where(gold, chance, 1 - chance).ravel()
    return LabelQuality(
        order=np.argsort(quality, kind="stable"),
        quality=quality,
        flagged=quality < DOUBTED,
        given=np.where(gold, label, 0).ravel(),
        suggested=np.where(gold, 0, label).ravel(),
        chance=1 - quality,
        classes=(NONE, *schema.label_names),
    )


def label_classes(schema: Schema) -> tuple[tuple[str, ...], Ids]:
    """Return the classes of words (types of spans and O, or labels), and the class of each label id."""
    if schema.scheme is None:
        return schema.label_names, np.arange(len(schema.label_names))
    classes = (NONE, *schema.types)
    prefixes = (len(schema.label_names) - 1) // max(1, len(schema.types))
    return classes, np.array([0, *(1 + number // prefixes for number in range(len(schema.label_names) - 1))])


def class_probabilities(values: NDArray[np.float32], class_of: Ids, classes: int) -> Floats:
    """Return the probability of each class, float64 of shape (words, classes).

    :param values: log-probabilities of the labels, of shape (words, labels); ``class_of``: label id → class.
    """
    sums = np.zeros((len(values), classes))
    for label, column in enumerate(class_of.tolist()):
        sums[:, column] += np.exp(values[:, label].astype(np.float64))
    total = sums.sum(axis=1, keepdims=True)
    probabilities: Floats = np.divide(sums, total, out=np.full_like(sums, 1 / classes), where=total > 0)
    return probabilities

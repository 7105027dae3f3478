"""Likely annotation mistakes, word by word, by confident learning (the ``cleanlab`` package).

The labels are compared with probabilities of a model that did not learn from these very words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelkit.metrics.entities import NONE
from labelkit.records import Schema

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
#: annotators hardly get a larger share of words wrong than this
DOUBTFUL = 0.1


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Every word (or text), the likeliest annotation mistake first.

    :param order: positions of all words.
    :param quality: the probability of the given class, by position, float64 of shape (words,).
    :param flagged: whether confident learning takes the word for mistaken, bool of shape (words,).
    :param given: the class that each word has, and ``suggested`` the likeliest one, int64 of shape (words,).
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
    def suspects(self) -> Ids:
        """The flagged words, the likeliest mistake first."""
        return self.order[self.flagged[self.order]]

    @property
    def doubtful(self) -> bool:
        """Whether so many words are flagged that the model is a worse judge than the annotators."""
        return bool(self.flagged.any() and self.flagged.mean() > DOUBTFUL)


def rank_labels(values: NDArray[np.float32], labels: Ids, schema: Schema) -> LabelQuality:
    """Rank words by how little their label agrees with what a model makes of them.

    Tags of spans are looked at by their type, so that B and I are the same: O is a class, too.

    :param values: log-probabilities of the labels, of shape (words, labels).
    :param labels: label ids, of shape (words,).
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    classes, class_of = label_classes(schema)
    given = class_of[labels]
    chances = _by_class(values, class_of, len(classes))
    words = np.arange(len(given))
    suggested = chances.argmax(axis=1) if len(words) else given
    quality, flagged = np.zeros(0), np.zeros(0, np.bool_)
    if len(words) and len(classes) > 1:
        quality = np.asarray(get_label_quality_scores(given, chances, method="self_confidence"), np.float64)
        flagged = np.asarray(find_label_issues(given, chances, filter_by="confident_learning", n_jobs=1), np.bool_)
    elif len(words):
        quality, flagged = np.ones(len(words)), np.zeros(len(words), np.bool_)
    return LabelQuality(
        order=np.argsort(quality, kind="stable"),
        quality=quality,
        flagged=flagged & (suggested != given),
        given=given,
        suggested=suggested,
        chance=chances[words, suggested],
        classes=classes,
    )


def label_classes(schema: Schema) -> tuple[tuple[str, ...], Ids]:
    """Return what words are told apart by, and the class of each label."""
    if schema.scheme is None:
        return schema.label_names, np.arange(len(schema.label_names))
    classes = (NONE, *schema.types)
    prefixes = (len(schema.label_names) - 1) // max(1, len(schema.types))
    return classes, np.array([0, *(1 + number // prefixes for number in range(len(schema.label_names) - 1))])


def _by_class(values: NDArray[np.float32], class_of: Ids, classes: int) -> Floats:
    chances = np.zeros((len(values), classes))
    for label, column in enumerate(class_of.tolist()):
        chances[:, column] += np.exp(values[:, label].astype(np.float64))
    total = chances.sum(axis=1, keepdims=True)
    spread: Floats = np.divide(chances, total, out=np.full_like(chances, 1 / classes), where=total > 0)
    return spread

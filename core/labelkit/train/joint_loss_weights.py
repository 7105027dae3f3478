"""How much the loss of each of several tasks counts.

Labels of some tasks are easier to guess than those of others: five of six words of news are in no entity. So the loss
of a task is divided by that of a model that knows only how frequent its labels are. What is left of its loss then says
how much of the rest there is still to learn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.cache import WindowStore
from labelkit.models.heads import BoundHead
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX

#: the least part of the loss of chance that a loss is divided by: a task of few labels would drown the others
_LEAST = 0.1


def weights_in_loss(
    stores: Mapping[str, WindowStore], heads: Mapping[str, BoundHead], given: Mapping[str, float]
) -> dict[str, float]:
    """Return task → the factor of its mean loss.

    :param stores: task → the windows of its train split.
    :param given: ``train.loss_weight``; a task that is not in it has the weight 1.
    """
    return {
        task: given.get(task, 1.0)
        / loss_of_frequencies(stores[task].all_labels(), len(stores[task]), head.context.schema)
        for task, head in heads.items()
    }


def loss_of_frequencies(labels: NDArray[Any], windows: int, schema: Schema) -> float:
    """Return the mean loss of a model that knows only how frequent the labels are, at least a tenth of chance.

    It is the entropy of the labels in nats, for several labels a text the sum of the entropies of all labels; for
    numbers the variance, or 1 where they are all the same.

    :param labels: all label ids, or numbers, of a train split.
    :param windows: how many windows have them, of which each may have several where ``schema.multilabel``.
    """
    known = labels[labels != IGNORE_INDEX]
    if schema.numeric:
        return (float(np.var(known)) if known.size else 0.0) or 1.0
    counts = np.bincount(known.astype(np.int64), minlength=len(schema.label_names))
    if schema.multilabel:
        shares = counts / max(1, windows)
        return max(_entropy(shares) + _entropy(1 - shares), _LEAST * len(counts) * math.log(2))
    chance = math.log(max(2, len(counts)))
    return max(_entropy(counts / known.size), _LEAST * chance) if known.size else chance


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-np.sum(positive * np.log(positive)))

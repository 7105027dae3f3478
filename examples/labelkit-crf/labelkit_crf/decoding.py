"""Viterbi over learned transitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import labelkit


def viterbi(scores: labelkit.Scores) -> NDArray[np.int64]:
    """Return the likeliest label ids of each sentence, int64 of shape (words,).

    The scores are normalised for each word, which changes all paths through a sentence by the same amount.
    """
    steps, first, last = transition_scores(scores)
    ids = np.zeros(len(scores.values), np.int64)
    stop = 0
    for length in scores.lengths.tolist():
        start, stop = stop, stop + length
        if length:
            ids[start:stop] = best_path(scores.values[start:stop].astype(np.float64), steps, first, last)
    return ids


def transition_scores(scores: labelkit.Scores) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the scores of a label after another one, at the start and at the end of a sentence.

    Those that the tagging scheme rules out are -inf. Scores of another head hold no transitions: all then are 0.
    """
    names, scheme = scores.schema.label_names, scores.schema.scheme
    steps = np.zeros((len(names), len(names)))
    if "transitions" in scores.parameters:
        steps += scores.parameters["transitions"]
    first = last = np.zeros(len(names))
    if scheme is not None:
        follows = labelkit.may_follow
        steps[[[not follows(before, name, scheme) for name in names] for before in names]] = -np.inf
        first = np.where([follows(None, name, scheme) for name in names], 0.0, -np.inf)
        last = np.where([follows(name, None, scheme) for name in names], 0.0, -np.inf)
    return steps, first, last


def best_path(
    values: NDArray[np.float64], steps: NDArray[Any], first: NDArray[Any], last: NDArray[Any]
) -> NDArray[np.int64]:
    """Return the ids of the likeliest path through one sentence."""
    total = values[0] + first
    before = np.zeros(values.shape, np.int64)
    for word in range(1, len(values)):
        paths = total[:, None] + steps
        before[word] = paths.argmax(axis=0)
        total = paths.max(axis=0) + values[word]
    ids = np.zeros(len(values), np.int64)
    ids[-1] = (total + last).argmax()
    for word in range(len(values) - 1, 0, -1):
        ids[word - 1] = before[word, ids[word]]
    return ids

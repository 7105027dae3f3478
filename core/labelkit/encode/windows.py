"""Cut long examples into overlapping windows, so that every word is read with as much context as there is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Subwords:
    """The sub-tokens of one example, special tokens left out.

    :param ids: sub-token ids, int32 of shape (n,).
    :param words: the word that each belongs to, int32 of shape (n,), ascending; words without sub-tokens are absent.
    """

    ids: Ints
    words: Ints


@dataclass(frozen=True, slots=True)
class WindowBounds:
    """One window over an example's sub-tokens: it reads ``[start, stop)`` and answers for ``[own_start, own_stop)``."""

    start: int
    stop: int
    own_start: int
    own_stop: int


def drop_long_words(pieces: Subwords, capacity: int) -> tuple[Subwords, int]:
    """Return the pieces without words of more than ``capacity`` sub-tokens, and how many words were left out."""
    if len(pieces.ids) <= capacity:
        return pieces, 0
    words, inverse, counts = np.unique(pieces.words, return_inverse=True, return_counts=True)
    keep = (counts <= capacity)[inverse]
    return Subwords(pieces.ids[keep], pieces.words[keep]), int((counts > capacity).sum()) if len(words) else 0


def split_into_windows(words: Sequence[int] | Ints, capacity: int, overlap: int) -> list[WindowBounds]:
    """Cut sub-tokens into windows of at most ``capacity``, at word borders.

    Neighbours share up to ``overlap`` sub-tokens, and every sub-token is owned by exactly one window: the one in
    which its word stands furthest from a cut. No word may have more than ``capacity`` sub-tokens.

    :param words: the word of each sub-token, ascending.
    :param capacity: sub-tokens in a window, special ones not counted.
    :param overlap: at most half of ``capacity``.

    >>> [(c.start, c.stop, c.own_start, c.own_stop) for c in split_into_windows([0, 1, 2, 3, 4, 5], 4, 2)]
    [(0, 4, 0, 3), (2, 6, 3, 6)]
    """
    total = len(words)
    if total <= capacity:
        return [WindowBounds(0, total, 0, total)] if total else []
    borders = _word_borders(np.asarray(words))
    reads = _reads(borders, total, capacity, min(overlap, capacity // 2))
    owned = [
        0,
        *(_handover(borders, left[1], right[0]) for left, right in pairwise(reads)),
        total,
    ]
    return [WindowBounds(start, stop, owned[i], owned[i + 1]) for i, (start, stop) in enumerate(reads)]


def _word_borders(words: Ints) -> Ints:
    """Return the positions at which a word starts, and the end."""
    starts = np.flatnonzero(np.diff(words, prepend=words[0] - 1))
    return np.append(starts, len(words)).astype(np.int32)


def _reads(borders: Ints, total: int, capacity: int, overlap: int) -> list[tuple[int, int]]:
    reads: list[tuple[int, int]] = []
    start = 0
    while True:
        stop = int(borders[np.searchsorted(borders, start + capacity, side="right") - 1])
        reads.append((start, stop))
        if stop == total:
            return reads
        next_word_ends = int(borders[np.searchsorted(borders, stop, side="right")])
        # from further back the next word would not fit, and the window would read nothing new
        earliest = max(stop - overlap, next_word_ends - capacity)
        start = int(borders[np.searchsorted(borders, earliest, side="left")])


def _handover(borders: Ints, left_stop: int, right_start: int) -> int:
    """Return the border at which the right window takes over: the one nearest the middle of what both read."""
    inside = borders[np.searchsorted(borders, right_start) : np.searchsorted(borders, left_stop, side="right")]
    return int(inside[np.abs(inside - (left_stop + right_start) / 2).argmin()])

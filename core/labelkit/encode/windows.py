"""Split long examples into overlapping windows, so that each word is read in as much context as possible. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Subwords:
    """The subwords of one example, without special tokens.

    :param ids: subword ids, int32 of shape (n,).
    :param words: the word of each subword, int32 of shape (n,), ascending; words without subwords are absent.
    """

    ids: Ints
    words: Ints


@dataclass(frozen=True, slots=True)
class WindowBounds:
    """A window over the subwords of an example: it reads ``[start, stop)`` and owns ``[own_start, own_stop)``.

    A word is labelled in the window that owns its subwords.
    """

    start: int
    stop: int
    own_start: int
    own_stop: int


def drop_long_words(subwords: Subwords, capacity: int) -> tuple[Subwords, int]:
    """Return the subwords without words of more than ``capacity`` subwords, and how many words were dropped."""
    if len(subwords.ids) <= capacity:
        return subwords, 0
    _, inverse, counts = np.unique(subwords.words, return_inverse=True, return_counts=True)
    keep = (counts <= capacity)[inverse]
    return Subwords(subwords.ids[keep], subwords.words[keep]), int((counts > capacity).sum())


def split_into_windows(words: Sequence[int] | Ints, capacity: int, stride: int) -> list[WindowBounds]:
    """Split subwords into windows of at most ``capacity`` subwords, at word boundaries.

    Neighbouring windows share up to ``stride`` subwords. Each subword is owned by exactly one window: the one in which
    its word is furthest from an edge.

    :param words: the word of each subword, ascending; no word may have more than ``capacity`` subwords.
    :param capacity: subwords in a window, special tokens not counted.
    :param stride: capped at half of ``capacity``.

    >>> [(b.start, b.stop, b.own_start, b.own_stop) for b in split_into_windows([0, 1, 2, 3, 4, 5], 4, 2)]
    [(0, 4, 0, 3), (2, 6, 3, 6)]
    """
    total = len(words)
    if total <= capacity:
        return [WindowBounds(0, total, 0, total)] if total else []
    starts = np.flatnonzero(np.diff(np.asarray(words), prepend=words[0] - 1))
    boundaries = np.append(starts, total).astype(np.int32)
    spans = _window_spans(boundaries, capacity, min(stride, capacity // 2))
    owned = [0]
    for (_, stop), (start, _) in pairwise(spans):
        # ownership changes at the word boundary nearest the middle of what both windows read
        shared = boundaries[np.searchsorted(boundaries, start) : np.searchsorted(boundaries, stop, side="right")]
        owned.append(int(shared[np.abs(shared - (stop + start) / 2).argmin()]))
    owned.append(total)
    return [WindowBounds(start, stop, *own) for (start, stop), own in zip(spans, pairwise(owned), strict=True)]


def _window_spans(boundaries: Ints, capacity: int, stride: int) -> list[tuple[int, int]]:
    """Return ``[start, stop)`` of each window."""
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        stop = int(boundaries[np.searchsorted(boundaries, start + capacity, side="right") - 1])
        spans.append((start, stop))
        if stop == boundaries[-1]:
            return spans
        next_word_ends = int(boundaries[np.searchsorted(boundaries, stop, side="right")])
        # any earlier and the next word would not fit: the window would read nothing new
        earliest = max(stop - stride, next_word_ends - capacity)
        start = int(boundaries[np.searchsorted(boundaries, earliest, side="left")])

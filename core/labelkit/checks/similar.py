"""Texts that are nearly the same, found exactly: a set-similarity join over hashed word 5-grams.

Two sets with a Jaccard similarity of at least 0.8 share at least four fifths of the grams of either. So, with the grams
of each text put in one order, rarest first, they share one of the first fifth of each (the prefix filter of Chaudhuri
et al. 2006 and Bayardo et al. 2007). Most grams occur in one text only and can be shared with none: few texts remain,
and those that share a rare gram are compared as a whole. Nothing is estimated and nothing is missed, but for two
different grams with the same 64-bit hash, which ten million grams have with a probability of about one in 400,000.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SIZE = 5
#: the similarity as a fraction, so that it is compared in whole numbers
THRESHOLD = (4, 5)
_BLOCK = 1 << 20  # words hashed at once

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
# any odd numbers that look random
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)


@dataclass(frozen=True, slots=True)
class Match:
    """A text and an earlier one of ``split`` that is nearly the same, both by position.

    :param similarity: Jaccard of their 5-grams.
    """

    text: int
    earlier: int
    split: int
    similarity: float


class _Sets(NamedTuple):
    """The grams of each text that other texts have too, as ranks: the rarest is 0.

    :param sizes: how many different grams each text has, those of its own included.
    :param borders: the grams of text ``i`` are ``ranks[borders[i]:borders[i + 1]]``, ascending.
    """

    sizes: Ints
    borders: Ints
    ranks: Ints

    def of(self, text: int) -> Ints:
        return self.ranks[self.borders[text] : self.borders[text + 1]]

    def prefix(self, text: int) -> Ints:
        """Return the shared grams among those of which a similar text must have one."""
        shared = int(self.borders[text + 1] - self.borders[text])
        return self.of(text)[: max(0, shared - _needed(int(self.sizes[text])) + 1)]

    def alive(self) -> Ints:
        """Return the texts that share enough grams with others to be like one of them."""
        shared = np.diff(self.borders)
        return np.flatnonzero((shared >= _needed(self.sizes)) & (shared > 0))


def near(texts: Iterable[Sequence[str]], starts: Sequence[int]) -> Iterator[Match]:
    """Yield for each text, and each split up to its own, one earlier text of that split that is nearly the same.

    A text of fewer than five words is one gram as a whole; one without words is like no other.

    :param texts: the words of each, all splits one after the other.
    :param starts: the position of the first text of each split, and at last how many texts there are.
    """
    sets = _sets(*_hashed(texts))
    yield from _Join(sets, np.asarray(starts, np.int64)).matches()


def _needed(size: Any) -> Any:
    """Return how many grams of a text another must share: four fifths, rounded up."""
    above, below = THRESHOLD
    return (above * size + below - 1) // below


def _hashed(texts: Iterable[Sequence[str]]) -> tuple[Hashes, Ints]:
    """Return the hashes of all 5-grams, text by text, and how many each text has."""
    numbers: defaultdict[str, int] = defaultdict(count(1).__next__)
    words, lengths = array("Q"), array("q")
    hashes: list[Hashes] = []
    done = 0
    for text in texts:
        words.extend([numbers[word] for word in text])
        missing = SIZE - len(text) if 0 < len(text) < SIZE else 0
        words.extend([0] * missing)
        lengths.append(len(text) + missing)
        if len(words) >= _BLOCK:
            hashes.append(_grams(words, lengths[done:]))
            words, done = array("Q"), len(lengths)
    hashes.append(_grams(words, lengths[done:]))
    counts = np.maximum(np.array(lengths, np.int64) - (SIZE - 1), 0)
    return np.concatenate(hashes), counts


def _grams(words: array[int], lengths: array[int]) -> Hashes:
    """Return the hashes of the grams of some texts; none reaches over the end of one."""
    ids = np.array(words, np.uint64)
    if len(ids) < SIZE:
        return np.zeros(0, np.uint64)
    found = np.zeros(len(ids) - SIZE + 1, np.uint64)
    for offset, multiplier in enumerate(_MULTIPLIERS):
        found += ids[offset : offset + len(found)] * multiplier
    whole = np.ones(len(ids), bool)
    ends = np.cumsum([length for length in lengths if length])
    for back in range(1, SIZE):
        whole[ends - back] = False
    return found[whole[: len(found)]]


def _sets(hashes: Hashes, counts: Ints) -> _Sets:
    number = len(counts)
    texts = np.repeat(np.arange(number, dtype=np.int64), counts)
    repeated = _repeated(hashes)
    grams, shared = _positions(repeated, hashes)
    alone = np.bincount(texts[~shared], minlength=number)
    pairs = np.unique(texts[shared] << 32 | grams[shared])
    texts, grams = pairs >> 32, pairs & 0xFFFFFFFF
    frequency = np.bincount(grams, minlength=len(repeated))
    own = frequency[grams] == 1  # the text repeats itself
    alone += np.bincount(texts[own], minlength=number)
    rank = np.empty(len(repeated), np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(repeated))
    ordered = np.sort(texts[~own] << 32 | rank[grams[~own]])
    held = np.bincount(ordered >> 32, minlength=number)
    borders = np.concatenate(([0], np.cumsum(held)))
    return _Sets(alone + held, borders, ordered & 0xFFFFFFFF)


def _repeated(hashes: Hashes) -> Hashes:
    """Return the hashes that occur more than once, ascending."""
    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _positions(known: Hashes, hashes: Hashes) -> tuple[Ints, NDArray[np.bool_]]:
    """Return where each hash stands in ``known``, and whether it does."""
    if not len(known):
        return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), bool)
    where = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return where, known[where] == hashes


class _Join:
    """Looks up each text among the earlier ones.

    Texts with the very same grams are one class: of each class and split only the first text is compared with others.

    :param starts: where each split starts, and where the last one ends.
    """

    def __init__(self, sets: _Sets, starts: Ints) -> None:
        self._sets, self._starts = sets, starts
        self._alive = [int(text) for text in sets.alive()]
        self._splits = np.searchsorted(starts, self._alive, side="right") - 1
        self._first: dict[tuple[bytes | int, int], int] = {}
        self._classes = [self._class(text) for text in self._alive]
        for text, split, class_ in zip(self._alive, self._splits, self._classes, strict=True):
            self._first.setdefault((class_, int(split)), text)
        self._index()
        self._marked = np.zeros(int(sets.ranks.max(initial=0)) + 1, bool)

    def _class(self, text: int) -> bytes | int:
        """Return what texts with the same grams have in common; the text itself where it has grams of its own."""
        grams = self._sets.of(text)
        return grams.tobytes() if len(grams) == self._sets.sizes[text] else text

    def _index(self) -> None:
        """List for each gram the texts that have it in their prefix, in the order of the texts."""
        texts = sorted(self._first.values())
        prefixes = [self._sets.prefix(text) for text in texts]
        lengths = [len(prefix) for prefix in prefixes]
        grams = np.concatenate([np.zeros(0, np.int64), *prefixes])
        order = np.argsort(grams, kind="stable")
        self._grams = grams[order]
        self._having = np.repeat(np.array(texts, np.int64), lengths)[order]

    def matches(self) -> Iterator[Match]:
        found: dict[tuple[bytes | int, int, int], tuple[int, float] | None] = {}
        for text, own, class_ in zip(self._alive, map(int, self._splits), self._classes, strict=True):
            for split in range(own + 1):
                first = self._first.get((class_, split), text)
                if first < text:
                    yield Match(text, first, split, 1.0)
                    continue
                key = (class_, own, split)
                if key not in found:
                    found[key] = self._look_up(text, split)
                if (match := found[key]) is not None:
                    yield Match(text, match[0], split, match[1])

    def _look_up(self, text: int, split: int) -> tuple[int, float] | None:
        """Return the first text of ``split`` before ``text`` that is found to be similar, and how much it is."""
        grams = self._sets.of(text)
        self._marked[grams] = True
        try:
            return next(self._similar(text, int(self._starts[split]), min(text, int(self._starts[split + 1]))), None)
        finally:
            self._marked[grams] = False

    def _similar(self, text: int, low: int, high: int) -> Iterator[tuple[int, float]]:
        size, tried = int(self._sets.sizes[text]), set()
        for gram in self._sets.prefix(text):
            begin, end = np.searchsorted(self._grams, (gram, gram + 1))
            having = self._having[begin:end]
            for other in having[np.searchsorted(having, low) : np.searchsorted(having, high)].tolist():
                if other in tried:
                    continue
                tried.add(other)
                theirs = int(self._sets.sizes[other])
                if min(size, theirs) < _needed(max(size, theirs)):
                    continue
                common = int(np.count_nonzero(self._marked[self._sets.of(other)]))
                either = size + theirs - common
                if THRESHOLD[1] * common >= THRESHOLD[0] * either:
                    yield other, common / either

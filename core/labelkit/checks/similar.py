"""Find near duplicates exactly: a set-similarity join over hashed word 5-grams.

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
class SimilarPair:
    """A text and an earlier one of ``split`` that is nearly the same, both by position.

    :param similarity: the Jaccard similarity of their 5-grams.
    """

    text: int
    earlier: int
    split: int
    similarity: float


class GramSets(NamedTuple):
    """The grams of each text that other texts share, as ranks by frequency: the rarest is 0.

    :param sizes: the number of different grams of each text, unshared ones included; of shape (texts,).
    :param offsets: the grams of text ``i`` are ``ranks[offsets[i]:offsets[i + 1]]``, ascending.
    """

    sizes: Ints
    offsets: Ints
    ranks: Ints

    @classmethod
    def build(cls, hashes: Hashes, counts: Ints) -> GramSets:
        """Rank the grams that :func:`hash_grams` returns."""
        number = len(counts)
        ordered = np.sort(hashes)
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(repeated):
            return cls(counts, np.zeros(number + 1, np.int64), np.zeros(0, np.int64))
        texts = np.repeat(np.arange(number, dtype=np.int64), counts)
        grams = np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)
        is_repeated = repeated[grams] == hashes
        unshared = np.bincount(texts[~is_repeated], minlength=number)
        pairs = np.unique(texts[is_repeated] << 32 | grams[is_repeated])
        texts, grams = pairs >> 32, pairs & 0xFFFFFFFF
        frequency = np.bincount(grams, minlength=len(repeated))
        in_one_text = frequency[grams] == 1  # the text repeats itself
        unshared += np.bincount(texts[in_one_text], minlength=number)
        rank = np.empty(len(repeated), np.int64)
        rank[np.argsort(frequency, kind="stable")] = np.arange(len(repeated))
        ranks = np.sort(texts[~in_one_text] << 32 | rank[grams[~in_one_text]])
        shared = np.bincount(ranks >> 32, minlength=number)
        return cls(unshared + shared, np.concatenate(([0], np.cumsum(shared))), ranks & 0xFFFFFFFF)

    def of(self, text: int) -> Ints:
        """Return the shared grams of a text."""
        return self.ranks[self.offsets[text] : self.offsets[text + 1]]

    def prefix(self, text: int) -> Ints:
        """Return the rarest shared grams of a text, of which every similar text has at least one."""
        grams = self.of(text)
        return grams[: max(0, len(grams) - min_shared(int(self.sizes[text])) + 1)]

    def candidates(self) -> Ints:
        """Return the texts that share enough grams with others to be similar to one of them."""
        shared = np.diff(self.offsets)
        return np.flatnonzero((shared >= min_shared(self.sizes)) & (shared > 0))


def similar_pairs(texts: Iterable[Sequence[str]], starts: Sequence[int]) -> Iterator[SimilarPair]:
    """Yield for each text, and each split up to its own, one earlier text of that split that is nearly the same.

    A text of fewer than five words is one gram as a whole; a text without words has no similar ones.

    :param texts: the words of each text, all splits one after the other.
    :param starts: the position of the first text of each split, and at last the number of texts.
    """
    sets = GramSets.build(*hash_grams(texts))
    yield from SimilarityJoin(sets, np.asarray(starts, np.int64)).pairs()


def min_shared(size: Any) -> Any:
    """Return how many of its ``size`` grams a text shares with every similar one: four fifths, rounded up."""
    numerator, denominator = THRESHOLD
    return (numerator * size + denominator - 1) // denominator


def hash_grams(texts: Iterable[Sequence[str]]) -> tuple[Hashes, Ints]:
    """Return the hashes of the 5-grams of all texts, one text after the other, and the number of each text's grams."""
    numbers: defaultdict[str, int] = defaultdict(count(1).__next__)
    words, lengths = array("Q"), array("q")
    hashes: list[Hashes] = []
    done = 0
    for text in texts:
        words.extend([numbers[word] for word in text])
        padding = SIZE - len(text) if 0 < len(text) < SIZE else 0
        words.extend([0] * padding)
        lengths.append(len(text) + padding)
        if len(words) >= _BLOCK:
            hashes.append(_hash_block(words, lengths[done:]))
            words, done = array("Q"), len(lengths)
    hashes.append(_hash_block(words, lengths[done:]))
    return np.concatenate(hashes), np.maximum(np.array(lengths, np.int64) - (SIZE - 1), 0)


def _hash_block(words: array[int], lengths: array[int]) -> Hashes:
    """Return the hashes of the grams of some texts; no gram crosses the end of a text."""
    ids = np.array(words, np.uint64)
    if len(ids) < SIZE:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(len(ids) - SIZE + 1, np.uint64)
    for offset, multiplier in enumerate(_MULTIPLIERS):
        hashes += ids[offset : offset + len(hashes)] * multiplier
    within_text = np.ones(len(ids), bool)
    ends = np.cumsum([length for length in lengths if length])
    for back in range(1, SIZE):
        within_text[ends - back] = False
    return hashes[within_text[: len(hashes)]]


class SimilarityJoin:
    """Looks up each text among the earlier ones.

    Texts with exactly the same grams form a class: of each class and split only the first text is compared with others.

    :param starts: the position of the first text of each split, and at last the number of texts.
    """

    def __init__(self, sets: GramSets, starts: Ints) -> None:
        self._sets, self._starts = sets, starts
        self._texts: list[int] = sets.candidates().tolist()
        self._splits: list[int] = (np.searchsorted(starts, self._texts, side="right") - 1).tolist()
        self._classes: list[bytes | int] = []
        self._first: dict[tuple[bytes | int, int], int] = {}
        for text, split in zip(self._texts, self._splits, strict=True):
            grams = sets.of(text)
            # a text with unshared grams is the only one of its class
            class_ = grams.tobytes() if len(grams) == sets.sizes[text] else text
            self._classes.append(class_)
            self._first.setdefault((class_, split), text)
        # for each gram the texts with the gram in their prefix, in the order of the texts
        texts = sorted(self._first.values())
        prefixes = [sets.prefix(text) for text in texts]
        grams = np.concatenate([np.zeros(0, np.int64), *prefixes])
        order = np.argsort(grams, kind="stable")
        self._prefix_grams = grams[order]
        self._prefix_texts = np.repeat(np.array(texts, np.int64), [len(prefix) for prefix in prefixes])[order]
        self._marked = np.zeros(int(sets.ranks.max(initial=0)) + 1, bool)

    def pairs(self) -> Iterator[SimilarPair]:
        """Yield for each text and split the first similar text that is found."""
        found: dict[tuple[bytes | int, int, int], tuple[int, float] | None] = {}
        for text, own, class_ in zip(self._texts, self._splits, self._classes, strict=True):
            for split in range(own + 1):
                first = self._first.get((class_, split), text)
                if first < text:
                    yield SimilarPair(text, first, split, 1.0)
                    continue
                key = (class_, own, split)
                if key not in found:
                    grams = self._sets.of(text)
                    self._marked[grams] = True
                    found[key] = self._find_similar(text, split)
                    self._marked[grams] = False
                if (match := found[key]) is not None:
                    yield SimilarPair(text, match[0], split, match[1])

    def _find_similar(self, text: int, split: int) -> tuple[int, float] | None:
        """Return an earlier text of ``split`` that is similar to ``text``, whose grams are marked, and how similar."""
        low, high = int(self._starts[split]), min(text, int(self._starts[split + 1]))
        size, seen = int(self._sets.sizes[text]), set()
        for gram in self._sets.prefix(text):
            begin, end = np.searchsorted(self._prefix_grams, (gram, gram + 1))
            others = self._prefix_texts[begin:end]
            for other in others[np.searchsorted(others, low) : np.searchsorted(others, high)].tolist():
                other_size = int(self._sets.sizes[other])
                if other in seen or min(size, other_size) < min_shared(max(size, other_size)):
                    continue
                seen.add(other)
                common = int(np.count_nonzero(self._marked[self._sets.of(other)]))
                union = size + other_size - common
                if THRESHOLD[1] * common >= THRESHOLD[0] * union:
                    return other, common / union
        return None

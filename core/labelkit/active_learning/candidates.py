"""The texts of a pool that may be suggested: the best so far, in bounded memory, none of them twice."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from labelkit.checks.similar import similar_pairs
from labelkit.records import Example, Labelled
from labelkit.records.contents import shown_content

_WORDS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be suggested.

    :param key: see :func:`labelkit.data.fingerprints.content_key`.
    :param score: larger for those to annotate first.
    :param record: its prediction; None where the strategy needs none.
    """

    example: Example
    key: bytes
    score: float
    record: Labelled | None = None

    @property
    def words(self) -> list[str]:
        """Its words in lower case."""
        return comparable_words(self.example)


def comparable_words(example: Example) -> list[str]:
    """Return the words of an example in lower case, split in the same way whether it has words or a text."""
    return _WORDS.findall(shown_content(example).casefold())


def random_order(key: bytes, seed: int) -> float:
    """Return a number in [0, 1) for a text, the same wherever it stands in the pool."""
    digest = hashlib.blake2b(key, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(slots=True)
class BestCandidates:
    """The candidates with the highest scores, each content once.

    :param size: how many are kept.
    :param seed: of the order of equal scores.
    """

    size: int
    seed: int
    _heap: list[tuple[float, float, int, Candidate]] = field(default_factory=list)
    _keys: set[bytes] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    def add(self, candidate: Candidate) -> bool:
        """Add a candidate, or drop it where there are enough better ones; False if its content is there already.

        A text whose content was dropped before may be counted as a new one, and is dropped again.
        """
        if candidate.key in self._keys:
            return False
        order = random_order(candidate.key, self.seed)
        entry = (candidate.score, order, -next(self._numbers), candidate)
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, entry)
            self._keys.add(candidate.key)
        elif entry > self._heap[0]:
            self._keys.discard(heapq.heapreplace(self._heap, entry)[-1].key)
            self._keys.add(candidate.key)
        return True

    def ranked(self) -> list[Candidate]:
        """Return the candidates, the best first."""
        return [entry[-1] for entry in sorted(self._heap, reverse=True)]


def without_near_duplicates(candidates: Sequence[Candidate], known: Iterable[Sequence[Example]]) -> list[Candidate]:
    """Return the candidates that are nearly the same as no better one, and as no annotated text.

    :param candidates: the best first.
    :param known: splits of annotated texts.
    """
    annotated = list(known)
    total = sum(map(len, annotated))
    texts = (comparable_words(example) for example in chain(chain.from_iterable(annotated), _examples(candidates)))
    pairs = similar_pairs(texts, (0, total, total + len(candidates)))
    near = {pair.text - total for pair in pairs if pair.text >= total}
    return [candidate for position, candidate in enumerate(candidates) if position not in near]


def _examples(candidates: Iterable[Candidate]) -> Iterator[Example]:
    return (candidate.example for candidate in candidates)


def spread(candidates: Sequence[Candidate], groups: Sequence[int], number: int) -> list[Candidate]:
    """Return ``number`` candidates: the best of each group, then the second best of each, and so on.

    :param candidates: the best first.
    :param groups: the group of each candidate.
    """
    taken: dict[int, int] = {}
    rounds: list[tuple[int, int]] = []
    for position, group in enumerate(groups):
        rounds.append((taken.get(group, 0), position))
        taken[group] = taken.get(group, 0) + 1
    return [candidates[position] for _, position in sorted(rounds)[:number]]

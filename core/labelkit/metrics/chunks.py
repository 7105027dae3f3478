"""Read spans off tags exactly as seqeval does, for all sentences of a split at once.

seqeval decides between two neighbouring tags where a span starts, continues and ends. Its own functions are called once
for each pair of prefixes; the answers are tables, in which the tags of a whole split are looked up together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Labels, Scheme

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
Mode = Literal["default", "strict"]

#: every prefix that seqeval reads; O is the padding between sentences, too
PREFIXES = "OBIES" + "LU"
#: the type of a tag without one, as seqeval calls it
UNTYPED = "_"
#: seqeval's default mode does not know L and U
_BILOU_TO_BIOES = {"L": "E", "U": "S"}


@dataclass(frozen=True, slots=True)
class SpanArrays:
    """The spans of all sentences, in order: four int64 arrays of shape (spans,).

    :param first: the first word, counted over all sentences; ``stop``: the word after the last one.
    :param type: the id of the type.
    """

    sentence: Ids
    first: Ids
    stop: Ids
    type: Ids

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class TagArrays:
    """The tags of all words, one sentence after the other.

    :param ids: ids of a :class:`TagVocabulary`, of shape (words,).
    :param lengths: words of each sentence, of shape (sentences,).
    """

    ids: Ids
    lengths: Ids


class TagVocabulary:
    """Ids of tags, shared by gold and predicted tags."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def encode(self, sentences: Sequence[Labels]) -> TagArrays:
        """Return the tags of ``sentences`` as ids."""
        ids = self._ids
        rows = [[ids.setdefault(tag, len(ids)) for tag in sentence] for sentence in sentences]
        lengths = np.array([len(row) for row in rows], np.int64)
        return TagArrays(np.array([id_ for row in rows for id_ in row], np.int64), lengths)

    @property
    def names(self) -> list[str]:
        """The tags, by id."""
        return list(self._ids)

    def prefixes(self, mode: Mode) -> Ids:
        """Return the position in :data:`PREFIXES` of each tag's prefix; default mode reads L and U as E and S."""
        letters = (name[0] for name in self.names)
        read = (_BILOU_TO_BIOES.get(letter, letter) if mode == "default" else letter for letter in letters)
        return np.array([PREFIXES.index(letter) for letter in read], np.int64)

    def types(self) -> tuple[list[str], Ids]:
        """Return the sorted types, and the id of each tag's type; -1 for O."""
        found = [None if name == "O" else name[1:].split("-", 1)[-1] or UNTYPED for name in self.names]
        types = sorted({type_ for type_ in found if type_ is not None})
        return types, np.array([-1 if type_ is None else types.index(type_) for type_ in found], np.int64)


@dataclass(frozen=True, slots=True)
class ChunkRules:
    """Rules between two tags: bool arrays of shape (previous prefix, prefix, whether the types are the same).

    :param start: a span may start at the tag; ``end``: one may end before it.
    :param inside: a span continues; None in default mode, where each start begins a span.
    """

    start: Bools
    end: Bools
    inside: Bools | None = None

    def boundaries(self, pairs: tuple[Ids, Ids, Ids]) -> tuple[Ids, Ids]:
        """Return where spans start and stop, as positions in ``pairs`` of neighbouring tags."""
        starts, ends = np.flatnonzero(self.start[pairs]), self.end[pairs]
        if self.inside is None:
            stops = np.flatnonzero(ends)
            return starts[np.searchsorted(starts, stops) - 1], stops
        # a run of tags ends where nothing continues; its first start counts, and only if a span may end there
        breaks = np.flatnonzero(~self.inside[pairs])
        runs, chosen = np.unique(np.searchsorted(breaks, starts, side="right"), return_index=True)
        firsts, stops = starts[chosen], breaks[runs]
        closed = ends[stops]
        return firsts[closed], stops[closed]


@lru_cache(maxsize=8)
def transition_rules(mode: Mode, scheme: Scheme) -> ChunkRules:
    """Return seqeval's rules: those of its default mode, or of its strict mode with a scheme."""
    if mode == "default":
        from seqeval.metrics.sequence_labeling import end_of_chunk, start_of_chunk

        def default(rule: Callable[..., bool]) -> Bools:
            return _tabulate(lambda before, prefix, same: rule(before, prefix, "x", "x" if same else "y"), "OBIES")

        return ChunkRules(default(start_of_chunk), default(end_of_chunk))

    from seqeval import scheme as schemes

    token: Any = getattr(schemes, "IOBES" if scheme == "BIOES" else scheme)
    prefixes = {"IOB1": "OBI", "IOB2": "OBI", "BIOES": "OBIES", "BILOU": "OBILU"}[scheme]

    def strict(rule: str) -> Bools:
        def decide(before: str, prefix: str, same: bool) -> bool:
            previous, tag = (
                letter if letter == "O" else f"{letter}-{type_}"
                for letter, type_ in ((before, "x"), (prefix, "x" if same else "y"))
            )
            return bool(getattr(token(tag), rule)(token(previous)))

        return _tabulate(decide, prefixes)

    return ChunkRules(strict("is_start"), strict("is_end"), strict("is_inside"))


def _tabulate(decide: Callable[[str, str, bool], bool], prefixes: str) -> Bools:
    table = np.zeros((len(PREFIXES), len(PREFIXES), 2), np.bool_)
    for before in prefixes:
        for prefix in prefixes:
            cell = PREFIXES.index(before), PREFIXES.index(prefix)
            table[cell] = [decide(before, prefix, same) for same in (False, True)]
    return table


def find_spans(tags: TagArrays, prefixes: Ids, types: Ids, rules: ChunkRules) -> SpanArrays:
    """Return the spans of all sentences.

    :param prefixes: tag id → position in :data:`PREFIXES`; ``types``: tag id → id of its type, -1 for O.
    """
    # seqeval pads with an O before the first sentence and after each one
    ends = np.cumsum(tags.lengths + 1)
    prefix, type_ = np.zeros((2, int(ends[-1]) + 1 if len(ends) else 1), np.int64)
    type_ -= 1
    words = np.ones(len(prefix), np.bool_)
    words[0] = words[ends] = False
    prefix[words], type_[words] = prefixes[tags.ids], types[tags.ids]
    firsts, stops = rules.boundaries((prefix[:-1], prefix[1:], (type_[:-1] == type_[1:]).astype(np.int64)))
    sentence = np.searchsorted(ends, firsts + 1)
    return SpanArrays(sentence, firsts - sentence, stops - sentence, type_[firsts + 1])

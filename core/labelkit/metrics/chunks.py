"""Spans read off tags exactly as seqeval reads them, for many sentences at once.

seqeval decides between two neighbouring tags where a span starts, goes on and ends. Its own rules are asked once for
each pair of prefixes; the answers are tables, and the tags of a whole split are looked up in them together.
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

#: every prefix that seqeval reads or that is made one of these; the first stands between sentences
PREFIXES = "OBIES" + "LU"
#: the type of a tag that names none, as seqeval calls it
UNTYPED = "_"
#: what seqeval's default mode, which does not know them, is told in place of L and U
_AS_BIOES = {"L": "E", "U": "S"}


@dataclass(frozen=True, slots=True)
class TransitionRules:
    """What happens between two tags: bool arrays of shape (prefix before, prefix, whether the types are the same).

    :param start: a span may start at the tag; ``end``: one may end before it.
    :param inside: a span goes on; None where all that starts, and nothing else, counts (default mode).
    """

    start: Bools
    end: Bools
    inside: Bools | None = None


@dataclass(frozen=True, slots=True)
class SpanArrays:
    """The spans of all sentences, in order: four int64 arrays of shape (spans,).

    :param first: the first word, counted over all sentences; ``stop``: the word after the last one.
    :param type: the number of the type.
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

    :param ids: numbers of ``names``, of shape (words,).
    :param lengths: words of each sentence, of shape (sentences,).
    """

    ids: Ids
    lengths: Ids


class TagVocabulary:
    """Tags by number, shared by everything that is to be compared."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def read(self, sentences: Sequence[Labels]) -> TagArrays:
        """Return the tags of ``sentences`` by number."""
        numbers = self._numbers
        rows = [[numbers.setdefault(tag, len(numbers)) for tag in sentence] for sentence in sentences]
        lengths = np.array([len(row) for row in rows], np.int64)
        return TagArrays(np.array([number for row in rows for number in row], np.int64), lengths)

    @property
    def names(self) -> list[str]:
        """The tags, by their numbers."""
        return list(self._numbers)

    def prefixes(self, mode: Mode) -> Ids:
        """Return the position in :data:`PREFIXES` of each tag's prefix; default mode reads L and U as E and S."""
        letters = (name[0] for name in self.names)
        read = (_AS_BIOES.get(letter, letter) if mode == "default" else letter for letter in letters)
        return np.array([PREFIXES.index(letter) for letter in read], np.int64)

    def types(self) -> tuple[list[str], Ids]:
        """Return the types in order, and the number of each tag's type; -1 for O."""
        found = [None if name == "O" else name[1:].split("-", 1)[-1] or UNTYPED for name in self.names]
        types = sorted({type_ for type_ in found if type_ is not None})
        return types, np.array([-1 if type_ is None else types.index(type_) for type_ in found], np.int64)


def transition_rules(mode: Mode, scheme: Scheme) -> TransitionRules:
    """Return seqeval's rules: those of its default mode, or of its strict mode with a scheme."""
    return _strict_rules(scheme) if mode == "strict" else _default_rules()


def find_spans(tags: TagArrays, prefixes: Ids, types: Ids, rules: TransitionRules) -> SpanArrays:
    """Return the spans of all sentences.

    :param prefixes: tag → position in :data:`PREFIXES`; ``types``: tag → number of its type, -1 for O.
    """
    # an O before the first sentence and after each one, as seqeval puts it there
    ends = np.cumsum(tags.lengths + 1)
    prefix, type_ = np.zeros((2, int(ends[-1]) + 1 if len(ends) else 1), np.int64)
    type_ -= 1
    words = np.ones(len(prefix), np.bool_)
    words[0] = words[ends] = False
    prefix[words], type_[words] = prefixes[tags.ids], types[tags.ids]
    pairs = prefix[:-1], prefix[1:], (type_[:-1] == type_[1:]).astype(np.int64)
    firsts, stops = _between(rules, pairs)
    sentence = np.searchsorted(ends, firsts + 1)
    return SpanArrays(sentence, firsts - sentence, stops - sentence, type_[firsts + 1])


def _between(rules: TransitionRules, pairs: tuple[Ids, Ids, Ids]) -> tuple[Ids, Ids]:
    """Return where spans start and stop, counted in ``pairs`` of neighbours."""
    starts, ends = rules.start[pairs], rules.end[pairs]
    if rules.inside is None:
        begun = np.flatnonzero(starts)
        stops = np.flatnonzero(ends)
        return begun[np.searchsorted(begun, stops) - 1], stops
    # a stretch reaches until a tag that goes on with nothing; its first start counts, up to the end of it
    borders = np.flatnonzero(~rules.inside[pairs])
    begun = np.flatnonzero(starts)
    stretch, chosen = np.unique(np.searchsorted(borders, begun, side="right"), return_index=True)
    firsts, stops = begun[chosen], borders[stretch]
    closed = ends[stops]
    return firsts[closed], stops[closed]


def _table(decide: Callable[[str, str, bool], bool], known: str) -> Bools:
    table = np.zeros((len(PREFIXES), len(PREFIXES), 2), np.bool_)
    for row, before in enumerate(PREFIXES):
        for column, prefix in enumerate(PREFIXES):
            if before in known and prefix in known:
                table[row, column] = [decide(before, prefix, same) for same in (False, True)]
    return table


@lru_cache(maxsize=1)
def _default_rules() -> TransitionRules:
    from seqeval.metrics.sequence_labeling import end_of_chunk, start_of_chunk

    def asked(rule: Callable[..., bool]) -> Bools:
        return _table(lambda before, prefix, same: rule(before, prefix, "x", "x" if same else "y"), "OBIES")

    return TransitionRules(asked(start_of_chunk), asked(end_of_chunk))


@lru_cache(maxsize=4)
def _strict_rules(scheme: Scheme) -> TransitionRules:
    from seqeval import scheme as schemes

    token: Any = getattr(schemes, "IOBES" if scheme == "BIOES" else scheme)
    known = {"IOB1": "OBI", "IOB2": "OBI", "BIOES": "OBIES", "BILOU": "OBILU"}[scheme]

    def asked(rule: str) -> Bools:
        def decide(before: str, prefix: str, same: bool) -> bool:
            tags = [letter if letter == "O" else f"{letter}-{name}" for letter, name in ((before, "x"), (prefix, "y"))]
            if same:
                tags[1] = tags[1].replace("y", "x")
            return bool(getattr(token(tags[1]), rule)(token(tags[0])))

        return _table(decide, known)

    return TransitionRules(asked("is_start"), asked("is_end"), asked("is_inside"))

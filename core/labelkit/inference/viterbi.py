"""Exact Viterbi decoding under a tagging scheme, for many sentences at once.

The likeliest labels violate a scheme in a few places only. So every word begins as a segment of its own, decoded alone;
where two neighbouring segments make an invalid transition they are merged and decoded again. Segments decoded alone
never score less than within the best valid sequence of the sentence, since no transition constrains them: once all
transitions are valid, the labels are that best sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labelkit.inference.score_blocks import block_words, blocks
from labelkit.labels.schemes import may_follow
from labelkit.records import Schema, Scores

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

#: replaces NaN and infinite scores; sums of it stay finite
EXTREME = 1e30


@dataclass(frozen=True, slots=True)
class TransitionRules:
    """Valid transitions of a scheme, by label id.

    In every scheme each label may follow the same ``common`` labels, except the ``inside`` labels: these continue a
    span and may only follow their two ``openers``.

    A table of all pairs of labels is not kept: of 10,000 labels it would have 100 million.

    :param first: labels that may begin a sentence, bool of shape (labels,).
    :param last: labels that may end a sentence, bool of shape (labels,).
    :param common: label ids, ascending.
    :param inside: label ids, of shape (inside,).
    :param openers: label ids, ascending in each row, of shape (inside, 2).
    :param position: the position of a label in ``inside``, or -1, of shape (labels,).
    """

    first: Bools
    last: Bools
    common: Ids
    inside: Ids
    openers: Ids
    position: Ids

    def allowed(self, before: Ids, after: Ids) -> Bools:
        """Return whether each label may follow the one before it, bool of shape (words,)."""
        is_common = np.zeros(len(self.position), np.bool_)
        is_common[self.common] = True
        allowed: Bools = is_common[before]
        words = np.flatnonzero(self.position[after] >= 0)
        openers = self.openers[self.position[after[words]]]
        allowed[words] = (openers == before[words, None]).any(axis=1)
        return allowed


@lru_cache(maxsize=8)
def rules_of(schema: Schema) -> TransitionRules:
    """Return the transition rules of a schema that has a scheme."""
    scheme, types = schema.scheme, len(schema.types)
    assert scheme is not None
    # labels are O, then those of each type: the rules of one type are those of all
    prefixes = (len(schema.label_names) - 1) // max(types, 1)
    names = schema.label_names[: 1 + prefixes]
    follow = np.array([[may_follow(before, name, scheme) for name in names] for before in names])
    same = (follow == follow[:, :1]).all(axis=0)  # O continues no span
    inside = _of_all_types(np.flatnonzero(~same)[:, None], types, prefixes)[:, 0]
    openers = np.nonzero(follow[:, ~same].T)[1].reshape(-1, 2)
    position = np.full(len(schema.label_names), -1)
    position[inside] = np.arange(len(inside))

    def for_all(of_one: list[bool] | Bools) -> Bools:
        return np.concatenate((of_one[:1], np.tile(of_one[1:], types))).astype(np.bool_)

    return TransitionRules(
        first=for_all([may_follow(None, name, scheme) for name in names]),
        last=for_all([may_follow(name, None, scheme) for name in names]),
        common=np.flatnonzero(for_all(follow[:, 0])),
        inside=inside,
        openers=_of_all_types(openers, types, prefixes),
        position=position,
    )


def _of_all_types(ids: Ids, types: int, prefixes: int) -> Ids:
    """Return label ids of the first type, of shape (n, m), as those of each type, of shape (types * n, m)."""
    found: Ids = (ids[None] + prefixes * np.arange(types)[:, None, None]).reshape(-1, ids.shape[1])
    return found


def viterbi(scores: Scores) -> Ids:
    """Return the likeliest valid label sequence of each sentence, as label ids of shape (words,).

    Of equal scores the lower id wins. Without a scheme every sequence is valid.
    """
    values: Floats = scores.values
    if scores.schema.scheme is None or not len(values):
        plain: Ids = values.argmax(axis=1)
        return plain
    if not all(np.isfinite(values[block]).all() for block in blocks(values)):
        values = np.nan_to_num(values, nan=-EXTREME, neginf=-EXTREME, posinf=EXTREME)
    return SegmentDecoder(values, scores.lengths, rules_of(scores.schema)).decode()


class SegmentDecoder:
    """Decodes all words, one sentence after the other, and merges segments until every transition is valid."""

    def __init__(self, values: Floats, lengths: Ids, rules: TransitionRules) -> None:
        self._values, self._rules = values, rules
        lengths = lengths[lengths > 0]
        self._stops = np.cumsum(lengths)
        self._starts = self._stops - lengths
        self._begins, self._ends = np.zeros((2, len(values)), np.bool_)
        self._begins[self._starts] = True
        self._ends[self._stops - 1] = True
        self._ids: Ids = values.argmax(axis=1)
        self._block = block_words(values.shape[1])

    def decode(self) -> Ids:
        """Return the label ids."""
        rules, ids = self._rules, self._ids
        wrong = np.flatnonzero((self._begins & ~rules.first[ids]) | (self._ends & ~rules.last[ids]))
        for some in np.array_split(wrong, len(wrong) // self._block + 1):
            ids[some] = self._scores(some).argmax(axis=1)
        cuts, reach = np.ones(len(ids), np.bool_), 0
        while True:
            invalid = np.flatnonzero(~(rules.allowed(ids[:-1], ids[1:]) | self._begins[1:])) + 1
            if not len(invalid):
                return ids
            cuts &= ~self.neighbourhood(invalid, reach)
            starts = np.flatnonzero(cuts)
            hit = np.unique(np.searchsorted(starts, invalid, side="right") - 1)
            lengths = np.diff(np.append(starts, len(ids)))[hit]
            self.decode_segments(starts[hit], lengths)
            reach = 2 * reach + 1  # segments at least double, so that a few rounds are enough

    def neighbourhood(self, words: Ids, reach: int) -> Bools:
        """Mark ``words`` and the words of their sentence up to ``reach`` away, except its first word."""
        sentence = np.searchsorted(self._starts, words, side="right") - 1
        change = np.zeros(len(self._ids) + 1, np.int64)
        np.add.at(change, np.maximum(words - reach, self._starts[sentence]), 1)
        np.add.at(change, np.minimum(words + reach + 1, self._stops[sentence]), -1)
        near: Bools = (np.cumsum(change[:-1]) > 0) & ~self._begins
        return near

    def _scores(self, words: Ids) -> NDArray[np.float64]:
        """Return the scores of some words, -inf for labels that are invalid at the border of a sentence."""
        values = self._values[words].astype(np.float64)
        for border, allowed in ((self._begins, self._rules.first), (self._ends, self._rules.last)):
            if not allowed.all() and (there := np.flatnonzero(border[words])).size:
                values[np.ix_(there, np.flatnonzero(~allowed))] = -np.inf
        return values

    def decode_segments(self, starts: Ids, lengths: Ids) -> None:
        """Decode each segment again, those of similar length together."""
        order = np.argsort(-lengths, kind="stable")
        starts, lengths = starts[order], lengths[order]
        block = np.cumsum(lengths) // self._block
        for some in np.split(np.arange(len(starts)), np.flatnonzero(np.diff(block)) + 1):
            self._decode_block(starts[some], lengths[some])

    def _decode_block(self, starts: Ids, lengths: Ids) -> None:
        """Run Viterbi over segments that are ordered from the longest to the shortest."""
        rules = self._rules
        # at each step, the number of segments that are longer than it
        active = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left").tolist()
        total = self._scores(starts)
        steps: list[tuple[Ids, Bools]] = []
        for step, count in enumerate(active[1:], 1):
            before = total[:count]
            shared = before[:, rules.common]
            best = shared.argmax(axis=1)
            left, right = before[:, rules.openers[:, 0]], before[:, rules.openers[:, 1]]
            later = right > left
            now = self._scores(starts[:count] + step)
            continued = now[:, rules.inside] + np.where(later, right, left)
            now += shared[np.arange(count), best][:, None]
            now[:, rules.inside] = continued
            total[:count] = now
            steps.append((rules.common[best], later))
        labels: Ids = total.argmax(axis=1)
        for step in range(len(steps), 0, -1):  # backtrack
            best, later = steps[step - 1]
            count = active[step]
            here = labels[:count]
            self._ids[starts[:count] + step] = here
            place = rules.position[here]
            opener = rules.openers[place, later[np.arange(count), place].astype(np.int64)]
            labels[:count] = np.where(place < 0, best, opener)
        self._ids[starts] = labels

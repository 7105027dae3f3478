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

from labelkit.labels.schemes import may_follow
from labelkit.records import Schema, Scores

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

#: words decoded at once: bounds memory
BLOCK = 1 << 16
#: replaces NaN and infinite scores; sums of it stay finite
EXTREME = 1e30


@dataclass(frozen=True, slots=True)
class TransitionRules:
    """Valid transitions of a scheme, by label id.

    In every scheme each label may follow the same ``common`` labels, except the ``inside`` labels: these continue a
    span and may only follow their two ``openers``.

    :param first: labels that may begin a sentence, bool of shape (labels,).
    :param last: labels that may end a sentence, bool of shape (labels,).
    :param follow: whether a label (column) may follow another (row), bool of shape (labels, labels).
    :param common: label ids, ascending.
    :param inside: label ids, of shape (inside,).
    :param openers: label ids, ascending in each row, of shape (inside, 2).
    :param position: the position of a label in ``inside``, or -1, of shape (labels,).
    """

    first: Bools
    last: Bools
    follow: Bools
    common: Ids
    inside: Ids
    openers: Ids
    position: Ids


@lru_cache(maxsize=8)
def rules_of(schema: Schema) -> TransitionRules:
    """Return the transition rules of a schema that has a scheme."""
    names, scheme = schema.label_names, schema.scheme
    assert scheme is not None
    follow = np.array([[may_follow(before, name, scheme) for name in names] for before in names])
    same = (follow == follow[:, :1]).all(axis=0)  # label 0 is O, which continues no span
    inside = np.flatnonzero(~same)
    position = np.full(len(names), -1)
    position[inside] = np.arange(len(inside))
    return TransitionRules(
        first=np.array([may_follow(None, name, scheme) for name in names]),
        last=np.array([may_follow(name, None, scheme) for name in names]),
        follow=follow,
        common=np.flatnonzero(follow[:, 0]),
        inside=inside,
        openers=np.nonzero(follow[:, inside].T)[1].reshape(-1, 2),
        position=position,
    )


def viterbi(scores: Scores) -> Ids:
    """Return the likeliest valid label sequence of each sentence, as label ids of shape (words,).

    Of equal scores the lower id wins. Without a scheme every sequence is valid.
    """
    values: Floats = scores.values
    if scores.schema.scheme is None or not len(values):
        plain: Ids = values.argmax(axis=1)
        return plain
    if not np.isfinite(values).all():
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

    def decode(self) -> Ids:
        """Return the label ids."""
        rules, ids = self._rules, self._ids
        wrong = np.flatnonzero((self._begins & ~rules.first[ids]) | (self._ends & ~rules.last[ids]))
        ids[wrong] = self._scores(wrong).argmax(axis=1)
        cuts, reach = np.ones(len(ids), np.bool_), 0
        while True:
            invalid = np.flatnonzero(~(rules.follow[ids[:-1], ids[1:]] | self._begins[1:])) + 1
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
        block = np.cumsum(lengths) // BLOCK
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

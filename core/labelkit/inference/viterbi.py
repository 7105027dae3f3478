"""The best labels that a tagging scheme allows, exactly, for many sentences at once.

The likeliest labels break a scheme in a few places only. So every word begins as a piece of its own, whose best labels
are found alone; where the labels of two neighbouring pieces may not stand side by side, both become one piece, and its
best labels are found anew. Taken alone, pieces never score less than the best allowed labels of the whole sentence, as
nothing ties them together: once their labels fit each other, there are no better ones.
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

#: words whose steps are held in memory at once
BLOCK = 1 << 16
#: stands for a score that is no number, or infinite; any number of them can be added up
EXTREME = 1e30


@dataclass(frozen=True, slots=True)
class Rules:
    """What a scheme allows, by label id.

    In each of the schemes all labels may follow the same ``common`` ones, but for the ``inside`` labels: each of these
    continues a span, and may only follow the two labels of ``openers``, in ascending order.

    :param first: labels that may begin a sentence, bool of shape (labels,); ``last``: those that may end one.
    :param follow: whether a label (column) may follow another (row), bool of shape (labels, labels).
    :param common: ascending ids.
    :param inside: ids, of shape (inside,); ``openers`` of shape (inside, 2).
    :param position: the position of a label in ``inside``, or -1; of shape (labels,).
    """

    first: Bools
    last: Bools
    follow: Bools
    common: Ids
    inside: Ids
    openers: Ids
    position: Ids


@lru_cache(maxsize=8)
def rules_of(schema: Schema) -> Rules:
    """Return the rules of a schema that has a scheme."""
    names, scheme = schema.label_names, schema.scheme
    assert scheme is not None
    follow = np.array([[may_follow(before, name, scheme) for name in names] for before in names])
    same = (follow == follow[:, :1]).all(axis=0)  # label 0 is O, which continues nothing
    inside = np.flatnonzero(~same)
    position = np.full(len(names), -1)
    position[inside] = np.arange(len(inside))
    return Rules(
        first=np.array([may_follow(None, name, scheme) for name in names]),
        last=np.array([may_follow(name, None, scheme) for name in names]),
        follow=follow,
        common=np.flatnonzero(follow[:, 0]),
        inside=inside,
        openers=np.nonzero(follow[:, inside].T)[1].reshape(-1, 2),
        position=position,
    )


def viterbi(scores: Scores) -> Ids:
    """Give each sentence its likeliest labels among those that the scheme allows; of equal ones those of lower id.

    Labels without a scheme follow each other freely, and each word gets its likeliest one.
    """
    values: Floats = scores.values
    if scores.schema.scheme is None or not len(values):
        plain: Ids = values.argmax(axis=1)
        return plain
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=-EXTREME, neginf=-EXTREME, posinf=EXTREME)
    return _Decoding(values, scores.lengths, rules_of(scores.schema)).run()


class _Decoding:
    """The labels of all words, one sentence after the other, on their way to the best allowed ones."""

    def __init__(self, values: Floats, lengths: Ids, rules: Rules) -> None:
        self._values, self._rules = values, rules
        lengths = lengths[lengths > 0]
        self._stops = np.cumsum(lengths)
        self._starts = self._stops - lengths
        self._begins, self._ends = np.zeros((2, len(values)), np.bool_)
        self._begins[self._starts] = True
        self._ends[self._stops - 1] = True
        self._ids: Ids = values.argmax(axis=1)

    def run(self) -> Ids:
        """Return the labels."""
        rules, ids = self._rules, self._ids
        wrong = np.flatnonzero((self._begins & ~rules.first[ids]) | (self._ends & ~rules.last[ids]))
        ids[wrong] = self._at(wrong).argmax(axis=1)
        cuts, reach = np.ones(len(ids), np.bool_), 0
        while len(clashes := self._clashes()):
            cuts &= ~self._around(clashes, reach)
            starts = np.flatnonzero(cuts)
            hit = np.unique(np.searchsorted(starts, clashes, side="right") - 1)
            lengths = np.diff(np.append(starts, len(ids)))[hit]
            self._label(starts[hit], lengths)
            reach = 2 * reach + 1  # so that pieces at least double, and a few rounds do
        return ids

    def _clashes(self) -> Ids:
        """Return the words whose label may not follow the one before."""
        fits = self._rules.follow[self._ids[:-1], self._ids[1:]] | self._begins[1:]
        return np.flatnonzero(~fits) + 1

    def _around(self, words: Ids, reach: int) -> Bools:
        """Mark ``words`` and those of their sentence up to ``reach`` words away, but not its beginning."""
        sentence = np.searchsorted(self._starts, words, side="right") - 1
        change = np.zeros(len(self._ids) + 1, np.int64)
        np.add.at(change, np.maximum(words - reach, self._starts[sentence]), 1)
        np.add.at(change, np.minimum(words + reach + 1, self._stops[sentence]), -1)
        near: Bools = (np.cumsum(change[:-1]) > 0) & ~self._begins
        return near

    def _at(self, words: Ids) -> NDArray[np.float64]:
        """Return the scores of some words, without those of labels that the border of a sentence forbids."""
        values = self._values[words].astype(np.float64)
        for border, allowed in ((self._begins, self._rules.first), (self._ends, self._rules.last)):
            if not allowed.all() and (there := np.flatnonzero(border[words])).size:
                values[np.ix_(there, np.flatnonzero(~allowed))] = -np.inf
        return values

    def _label(self, starts: Ids, lengths: Ids) -> None:
        """Find the best labels of each piece anew; pieces of similar length go together."""
        order = np.argsort(-lengths, kind="stable")
        starts, lengths = starts[order], lengths[order]
        block = np.cumsum(lengths) // BLOCK
        for some in np.split(np.arange(len(starts)), np.flatnonzero(np.diff(block)) + 1):
            self._label_block(starts[some], lengths[some])

    def _label_block(self, starts: Ids, lengths: Ids) -> None:
        """Do it for pieces that are given from the longest to the shortest one."""
        rules = self._rules
        active = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left").tolist()  # pieces longer than that
        total = self._at(starts)
        steps: list[tuple[Ids, Bools]] = []
        for step, count in enumerate(active[1:], 1):
            before = total[:count]
            shared = before[:, rules.common]
            best = shared.argmax(axis=1)
            left, right = before[:, rules.openers[:, 0]], before[:, rules.openers[:, 1]]
            later = right > left
            now = self._at(starts[:count] + step)
            continued = now[:, rules.inside] + np.where(later, right, left)
            now += shared[np.arange(count), best][:, None]
            now[:, rules.inside] = continued
            total[:count] = now
            steps.append((rules.common[best], later))
        labels: Ids = total.argmax(axis=1)
        for step in range(len(steps), 0, -1):
            best, later = steps[step - 1]
            count = active[step]
            here = labels[:count]
            self._ids[starts[:count] + step] = here
            place = rules.position[here]
            opener = rules.openers[place, later[np.arange(count), place].astype(np.int64)]
            labels[:count] = np.where(place < 0, best, opener)
        self._ids[starts] = labels

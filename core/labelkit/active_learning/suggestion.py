"""Suggest what to annotate next: read a pool once, keep the best candidates, spread them over clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from labelkit.active_learning.candidates import (
    BestCandidates,
    Candidate,
    random_order,
    spread,
    without_near_duplicates,
)
from labelkit.active_learning.clusters import clusters, text_vectors
from labelkit.active_learning.uncertainty import BLIND, Strategy, uncertainty
from labelkit.data.fingerprints import content_key
from labelkit.errors import DataError
from labelkit.inference.calibration import apply_temperature
from labelkit.label.records import FailedRecord
from labelkit.label.stream import chunks
from labelkit.labels.numbers import refuse_numbers
from labelkit.records import Example, Labelled

if TYPE_CHECKING:
    from labelkit.active_learning.known import KnownTexts
    from labelkit.label.labeller import Labeller

#: candidates for each suggestion: of so many that are alike one is taken, and the most uncertain ones are among them
_CANDIDATES = 3
#: the same where nothing but their content tells candidates apart
_DIVERSE_CANDIDATES = 20
#: near duplicates that are dropped may be so many times as many as what is left
_SPARE = 2
Pool = Iterable[Example | FailedRecord]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuggestOptions:
    """How many texts are suggested, and how they are chosen."""

    number: int = 100
    strategy: Strategy = "least-confidence"
    seed: int = 0


@dataclass(kw_only=True, slots=True)
class Suggestions:
    """What to annotate next.

    :param records: pre-labelled, the ones to annotate first at the beginning.
    :param read: records of the pool.
    :param known: of these, annotated already, by content.
    :param repeated: of these, the same as another one of the pool that may be suggested.
    :param blank: of these, without words.
    :param failed: of these, those that could not be read or labelled; the first ones.
    :param near: candidates that were left out, as nearly the same as an annotated text or a better candidate.
    """

    records: list[Labelled] = field(default_factory=list)
    read: int = 0
    known: int = 0
    repeated: int = 0
    blank: int = 0
    failures: int = 0
    near: int = 0
    failed: list[FailedRecord] = field(default_factory=list)


def suggest(
    labeller: Labeller,
    pool: Pool,
    options: SuggestOptions,
    known: KnownTexts,
    on_chunk: Callable[[int], object] = lambda records: None,
) -> Suggestions:
    """Return the texts of a pool to annotate next, with the predictions of a labeller.

    The pool is read once. Memory is bounded by the number of suggestions and the size of the annotated data.

    :param on_chunk: called with the number of records after each chunk.
    :raises DataError: the pool has no text that may be suggested.
    :raises LabelkitError: the labeller predicts numbers, whose uncertainty is unknown; or inference fails.
    """
    if options.strategy not in BLIND:
        refuse_numbers(labeller.info.schema, f"--strategy {options.strategy}")
    factor = _DIVERSE_CANDIDATES if options.strategy == "diverse" else _CANDIDATES
    best = BestCandidates(options.number * factor * _SPARE, options.seed)
    found = Suggestions()
    keys = {content_key(example) for split in known.splits for example in split}
    for chunk in chunks(_counted(pool, found), labels=len(labeller.labels)):
        examples = list(_new_examples(chunk, keys, found))
        for candidate in _candidates(labeller, examples, options):
            found.repeated += not best.add(candidate)
        on_chunk(len(chunk))
    ranked = best.ranked()
    different = without_near_duplicates(ranked, known.splits)
    found.near = len(ranked) - len(different)
    if not different:
        raise DataError(_nothing_left(found), hint="give a pool with other texts")
    chosen = _choose(different[: options.number * factor], options)
    found.records = list(_labelled(labeller, chosen))
    return found


def _counted(pool: Pool, found: Suggestions) -> Iterator[Example | FailedRecord]:
    for item in pool:
        found.read += 1
        if isinstance(item, FailedRecord):
            found.failures += 1
            found.failed = [*found.failed, item][:1]
        yield item


def _new_examples(
    chunk: Iterable[Example | FailedRecord], keys: set[bytes], found: Suggestions
) -> Iterator[tuple[Example, bytes]]:
    """Yield the examples that are not annotated yet, each with its key."""
    for item in chunk:
        if isinstance(item, FailedRecord):
            continue
        key = content_key(item)
        if key == _BLANK:
            found.blank += 1
        elif key in keys:
            found.known += 1
        else:
            yield item, key


_BLANK = content_key(Example(id="", text=""))


def _candidates(
    labeller: Labeller, examples: Sequence[tuple[Example, bytes]], options: SuggestOptions
) -> Iterator[Candidate]:
    """Yield a candidate for each example, with its prediction where the strategy needs one."""
    if not examples:
        return
    if options.strategy in BLIND:
        yield from (Candidate(example, key, random_order(key, options.seed)) for example, key in examples)
        return
    info = labeller.info
    batch = labeller.prepare([example for example, _ in examples])
    scored = labeller.compute(batch)
    values = apply_temperature(scored.scores.values, info.temperature)
    scores = uncertainty(values, scored.scores.lengths, options.strategy, sets=info.schema.multilabel)
    rows = zip(examples, scores.tolist(), labeller.finish(batch, scored), strict=True)
    yield from (Candidate(example, key, score, record) for (example, key), score, record in rows)


def _choose(candidates: Sequence[Candidate], options: SuggestOptions) -> list[Candidate]:
    """Return the candidates to suggest, the best first."""
    if options.strategy == "random" or len(candidates) <= options.number:
        return list(candidates[: options.number])
    groups = clusters(text_vectors(one.words for one in candidates), options.number, options.seed)
    return spread(candidates, groups.tolist(), options.number)


def _labelled(labeller: Labeller, chosen: Sequence[Candidate]) -> Iterator[Labelled]:
    """Yield the record of each candidate, which is labelled now where it was not needed before."""
    waiting = iter(chosen)
    while part := list(islice(waiting, 2048)):
        if part[0].record is None:
            yield from labeller.finish(labeller.prepare([one.example for one in part]))
        else:
            yield from (one.record for one in part if one.record is not None)


def _nothing_left(found: Suggestions) -> str:
    """Return why there is nothing to suggest."""
    if found.failures == found.read > 0:
        return found.failed[0].message
    parts = [
        f"{number:,} {what}"
        for number, what in (
            (found.known, "annotated already"), (found.near, "nearly the same as annotated ones"),
            (found.blank, "blank"), (found.failures, "not readable"),
        )
        if number
    ]  # fmt: skip
    return f"the pool has no new text: of {found.read:,} records {', '.join(parts)}" if parts else "the pool is empty"

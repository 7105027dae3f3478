"""Detect leakage: which gold examples a run was trained or selected on, by hashes of their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labelkit.config.joint import JOINED_BY
from labelkit.data.fingerprints import fingerprints, same_examples
from labelkit.errors import LabelkitError
from labelkit.evaluation.recorded_data import check_unchanged, read_run_corpus, recorded_hashes
from labelkit.registry.task_view import details_of_task

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.data.gold import Gold
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

#: the splits that training and model selection use
FITTED_SPLITS = ("train", "validation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Leakage:
    """Overlap of gold examples with the train and validation data of a run, and of the runs its encoder came from.

    :param examples: number of gold examples.
    :param shared: split → number of gold examples that are in it, too.
    :param either: number of gold examples that are in any of these splits.
    :param own_test: the gold data is the run's own test split.
    :param unknown: why the overlap is unknown; else empty.
    :param owner: of the train and validation data, for :attr:`summary`.
    """

    examples: int
    shared: Mapping[str, int] = field(default_factory=dict)
    either: int = 0
    own_test: bool = False
    unknown: str = ""
    owner: str = "the run"

    @property
    def test_score(self) -> bool | None:
        """Whether the scores count as test scores of the run; None if unknown.

        They do without any overlap. A run's own test split counts while less than half of it overlaps: corpora repeat
        some short sentences in all splits.
        """
        if self.unknown:
            return None
        return self.either * 2 < self.examples if self.own_test and self.examples else not self.either

    @property
    def facts(self) -> dict[str, float]:
        """What is recorded with the scores."""
        found = {f"seen_{split}": float(number) for split, number in self.shared.items()}
        return found if self.test_score is None else {**found, "test_score": float(self.test_score)}

    @property
    def summary(self) -> str:
        """One line for users."""
        if self.unknown:
            return f"unknown whether this is a test score: {self.unknown}"
        if not self.either:
            return f"a test score: {self.owner} was trained or selected on none of {self.examples:,} examples"
        parts = " and ".join(f"{number:,} in {split}" for split, number in self.shared.items() if number)
        overlap = f"{self.owner} was trained or selected on {self.either:,} of {self.examples:,} examples: {parts}"
        if self.test_score:
            return f"a test score: {overlap}; it is the run's own test split"
        return f"not a test score: {overlap}"


def detect_leakage(
    gold: Gold, details: RunDetails | None, catalog: Catalog, environment: Environment, home: Home
) -> Leakage:
    """Return the overlap of gold data with the data of a run, and of the recorded runs that its encoder came from.

    :param details: None for a checkpoint that is not in the registry, whose overlap is unknown.
    """
    examples = len(gold.examples)
    if details is None:
        return Leakage(examples=examples, unknown="the run is not in the registry")
    runs = encoder_lineage(details, home)
    try:
        corpora = [read_run_corpus(run, catalog, environment, home) for run in runs]
        for run, corpus in zip(runs, corpora, strict=True):
            check_unchanged(corpus, run, *FITTED_SPLITS)
    except LabelkitError as error:
        # by its content hash, the same split need not be read
        hashes = {split: {each for run in runs for each in recorded_hashes(run, split)} for split in FITTED_SPLITS}
        if same := [split for split in FITTED_SPLITS if gold.content_hash in hashes[split]]:
            return Leakage(examples=examples, shared=dict.fromkeys(same, examples), either=examples)
        return Leakage(examples=examples, unknown=error.message)
    own_only = {one.record.id for one in runs} == {details.record.id}
    return count_overlap(gold, details, corpora, own_only=own_only)


def is_own_test(gold: Gold, details: RunDetails) -> bool:
    """Return whether gold data is the test split of a run, by its content hash; see :func:`identify_own_test`."""
    return gold.content_hash in recorded_hashes(details, "test")


def identify_own_test(
    gold: Gold, details: RunDetails | None, catalog: Catalog, environment: Environment, home: Home
) -> Gold:
    """Return gold data with the content hash of the run's test split if it holds the same examples in another order.

    Whether scores are test scores, and count as a look at test, then does not depend on the order of the examples.
    """
    recorded = [one for one in details.record.splits if one.split == "test"] if details else []
    if details is None or is_own_test(gold, details) or len(gold.examples) not in {one.examples for one in recorded}:
        return gold
    try:
        test = read_run_corpus(details, catalog, environment, home).splits["test"]
    except LabelkitError:
        return gold
    known = test.content_hash == recorded[0].content_hash and same_examples(gold.examples, test.examples)
    return replace(gold, content_hash=test.content_hash) if known else gold


def encoder_lineage(details: RunDetails, home: Home) -> list[RunDetails]:
    """Return a run and the recorded runs that trained its encoder before, the nearest first.

    A run of several tasks is returned as one of each task that has texts of its own, as all trained the encoder.

    :param details: of several tasks those of one, which comes first.
    """
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        whole = map(registry.runs.get, [details.record.id, *registry.lineage.ancestors(details.record.id)])
        parts = [details, *(details_of_task(one, task) for one in whole for task in one.record.task.split(JOINED_BY))]
    found: dict[object, RunDetails] = {}
    for one in parts:
        found.setdefault(_texts_of(one), one)
    return list(found.values())


def _texts_of(details: RunDetails) -> tuple[object, ...]:
    """Return what tells whether two runs, or two tasks of one, read the same texts."""
    splits = [(one.split, one.ref, one.examples, one.words) for one in details.record.splits]
    return (details.record.id, details.record.data, *sorted(splits))


def count_overlap(gold: Gold, details: RunDetails, corpora: Sequence[Corpus], *, own_only: bool = True) -> Leakage:
    """Return how many gold examples are in the train and validation splits of ``corpora``.

    :param corpora: the data of the run, then that of the runs that its encoder came from.
    :param own_only: all of it is data of the run.
    """
    wanted = fingerprints(gold.examples)
    known: dict[str, set[bytes]] = {}
    for split in FITTED_SPLITS:
        for corpus in corpora:
            if split in corpus.splits:
                known.setdefault(split, set()).update(fingerprints(corpus.splits[split].examples))
    return Leakage(
        examples=len(wanted),
        shared={split: sum(one in hashes for one in wanted) for split, hashes in known.items()},
        either=sum(any(one in hashes for hashes in known.values()) for one in wanted),
        own_test=is_own_test(gold, details),
        owner="the run" if own_only else "the run, or one that its encoder came from,",
    )

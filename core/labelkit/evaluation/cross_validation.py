"""Cross-validation of a run's train split: train its plan on all folds but one, and predict that one."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelkit.data.corpus import Corpus, content_hash
from labelkit.data.fingerprints import fingerprints
from labelkit.data.views import select_examples
from labelkit.errors import LabelkitError
from labelkit.evaluation.recorded_data import without_surfaces
from labelkit.records import Example
from labelkit.records.contents import count_words
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.gold import Gold
    from labelkit.inference.engine import WordScores
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import RunDetails
    from labelkit.train.listeners import Listener
    from labelkit.train.preparation import PreparedRun


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossValidation:
    """A cross-validation that is about to be trained.

    :param prepared: the run's plan and data.
    :param folds: positions of the examples of each fold.
    :param seconds: estimate for all trainings, from the duration of the run; None if unknown.
    """

    prepared: PreparedRun
    folds: Sequence[Sequence[int]]
    seconds: float | None

    @property
    def gold(self) -> Gold:
        """The train split as gold data."""
        from labelkit.data.gold import Gold

        split = self.prepared.corpus.splits["train"]
        examples = without_surfaces(split.examples)
        return Gold(split="train", examples=examples, ref=split.ref, content_hash=split.content_hash)

    @property
    def summary(self) -> str:
        """One line for users: the trainings, and how long they take."""
        folds, examples = len(self.folds), len(self.prepared.corpus.splits["train"].examples)
        work = f"{folds} trainings, each on {folds - 1} of {folds} folds of {examples:,} train examples"
        if self.seconds is None:
            return f"{work}; their duration is unknown"
        minutes = self.seconds / 60
        return f"{work}: about {f'{minutes:.0f} minutes' if minutes >= 2 else f'{self.seconds:.0f} seconds'}"


def plan_cross_validation(
    details: RunDetails, folds: int, catalog: Catalog, environment: Environment, home: Home
) -> CrossValidation:
    """Read the data of a run and divide its train split into folds.

    :raises LabelkitError: the data cannot be read, there are fewer examples than folds, or the head has a module.
    """
    from labelkit.train.preparation import prepare
    from labelkit.train.resumption import recorded_request

    request = replace(recorded_request(details), name=None)
    prepared = prepare(request, catalog, environment, home, on_stage=lambda stage, detail: None)
    head = prepared.plan.head
    if head.module is not None:
        raise LabelkitError(
            f"head '{head.name}' learns parameters that its decoder uses, and each fold would have others",
            hint="leave out --train: the validation split is inspected",
        )
    parts = split_folds(prepared.corpus.splits["train"].examples, folds, prepared.plan.train.seed)
    seconds = details.seconds * (len(parts) - 1) if details.seconds is not None else None
    return CrossValidation(prepared=prepared, folds=parts, seconds=seconds)


def split_folds(examples: Sequence[Example], folds: int, seed: int) -> list[list[int]]:
    """Return the sorted positions of the examples of each fold, the folds of about the same size.

    Documents stay together where there are twice as many as folds; else examples with the same words do.

    :raises LabelkitError: there are fewer different examples than folds.
    """
    documents = [example.document for example in examples]
    by_document = None not in documents and len(set(documents)) >= 2 * folds
    keys: Sequence[Hashable] = documents if by_document else fingerprints(examples)
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    if len(groups) < folds:
        raise LabelkitError(f"train has only {len(groups)} different examples, too few for {folds} folds")
    order = list(groups.values())
    random.Random(seed).shuffle(order)  # noqa: S311
    parts: list[list[int]] = [[] for _ in range(folds)]
    for group in order:
        min(parts, key=len).extend(group)
    return [sorted(part) for part in parts]


def cross_val_predict(
    work: CrossValidation,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    say: Callable[[str], object],
) -> WordScores:
    """Train once for each fold, and return the scores of all train examples by the model that did not see them.

    Nothing is recorded: each run has a temporary home in the cache.

    :raises LabelkitError: a training failed.
    """
    from labelkit.inference.calibration import apply_temperature
    from labelkit.inference.engine import WordScores
    from labelkit.label.labeller import Labeller
    from labelkit.train.run import train

    examples, corpus = work.gold.examples, work.prepared.corpus
    rows: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
    home.cache.mkdir(parents=True, exist_ok=True)
    for number, fold in enumerate(work.folds, 1):
        say(f"fold {number} of {len(work.folds)}")
        with tempfile.TemporaryDirectory(prefix="folds-", dir=home.cache) as folder:
            fold_home = Home(root=Path(folder))
            prepared = replace(work.prepared, corpus=hold_out(corpus, fold))
            done = train(prepared, catalog, fold_home, listeners=listeners)
            labeller = Labeller.open(str(done.checkpoint.absolute()), fold_home, catalog, engine="torch")
            found, _ = labeller.scores(select_examples(examples, fold))
            values = apply_temperature(found.values, labeller.info.temperature)
        ends = np.cumsum(found.lengths)[:-1]
        rows.update(zip(fold, zip(np.split(values, ends), np.split(found.covered, ends), strict=True), strict=True))
    ordered = [rows[place] for place in range(len(examples))]
    all_values, covered = (np.concatenate(columns) for columns in zip(*ordered, strict=True))
    return WordScores(all_values, np.array([len(values) for values, _ in ordered], np.int64), covered)


def hold_out(corpus: Corpus, fold: Sequence[int]) -> Corpus:
    """Return a corpus without the examples of ``fold`` in its train split, and without a test split."""
    split, out = corpus.splits["train"], set(fold)
    rest = select_examples(split.examples, [place for place in range(len(split.examples)) if place not in out])
    words = sum(map(count_words, rest))
    digest = content_hash(rest, corpus.layer, corpus.schema.scheme)
    train = replace(split, examples=rest, words=words, content_hash=digest)
    return replace(corpus, splits={"train": train, "validation": corpus.splits["validation"]})

"""What a run's plan makes of its own train data, sentence by sentence unseen: cross-validation."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.data.corpus import Corpus, content_hash
from labelkit.data.views import chosen
from labelkit.errors import LabelkitError
from labelkit.evaluate.leakage import fingerprints
from labelkit.evaluate.recorded_data import without_surfaces
from labelkit.records import Example
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.inference.engine import WordScores
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import RunDetails
    from labelkit.train.listeners import Listener
    from labelkit.train.preparation import PreparedRun

FOLDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossValidation:
    """Trainings that are about to be done.

    :param prepared: the run's plan and data.
    :param parts: the positions of the examples that are held out, fold by fold.
    :param seconds: that all trainings may take, by what the run took; None where nobody knows.
    """

    prepared: PreparedRun
    parts: Sequence[Sequence[int]]
    seconds: float | None

    @property
    def examples(self) -> Sequence[Example]:
        """The train examples."""
        return self.prepared.corpus.splits["train"].examples

    @property
    def told(self) -> str:
        """How long it will take, in words."""
        folds = len(self.parts)
        what = f"{folds} trainings, each on {folds - 1} of {folds} parts of {len(self.examples):,} train examples"
        if self.seconds is None:
            return f"{what}; how long the run took is not known"
        minutes = self.seconds / 60
        return f"{what}: about {f'{minutes:.0f} minutes' if minutes >= 2 else f'{self.seconds:.0f} seconds'}"


def plan_cross_validation(
    details: RunDetails, folds: int, catalog: Catalog, environment: Environment, home: Home
) -> CrossValidation:
    """Read the data of a run and divide its train split into folds.

    :raises LabelkitError: the data cannot be read, or there are fewer examples than folds.
    """
    from labelkit.train.preparation import prepare
    from labelkit.train.resumption import recorded_request

    request = replace(recorded_request(details), name=None)
    prepared = prepare(request, catalog, environment, home, say=lambda stage, detail: None)
    examples = prepared.corpus.splits["train"].examples
    parts = split_folds(examples, folds, prepared.plan["train.seed"])
    seconds = details.seconds * (len(parts) - 1) if details.seconds is not None else None
    return CrossValidation(prepared=prepared, parts=parts, seconds=seconds)


def split_folds(examples: Sequence[Example], folds: int, seed: int) -> list[list[int]]:
    """Return the positions of each fold's examples, in order, the folds about equally large.

    Documents stay whole where there are enough of them; else examples with the same words stay together.

    :raises LabelkitError: there are too few examples.
    """
    documents = [example.document for example in examples]
    many = None not in documents and len(set(documents)) >= 2 * folds
    keys: Sequence[Hashable] = documents if many else fingerprints(examples)
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
    asked: CrossValidation,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    say: Callable[[str], object],
) -> WordScores:
    """Train once for each fold and return the scores of all train examples, each by the model that did not see it.

    Nothing is recorded: the runs live in a home of their own under the cache, which goes away with them.

    :raises LabelkitError: a training failed.
    """
    from labelkit.inference.engine import WordScores

    examples, corpus = without_surfaces(asked.examples), asked.prepared.corpus
    parts: list[tuple[Sequence[int], WordScores]] = []
    home.cache.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(asked.parts, 1):
        say(f"fold {number} of {len(asked.parts)}")
        with tempfile.TemporaryDirectory(prefix="folds-", dir=home.cache) as folder:
            prepared = replace(asked.prepared, corpus=_without(corpus, part))
            parts.append((part, _scores(prepared, chosen(examples, part), catalog, Path(folder), listeners)))
    rows = dict(_rows(parts))
    ordered = [rows[place] for place in range(len(examples))]
    values, covered = (np.concatenate(columns) for columns in zip(*ordered, strict=True))
    return WordScores(values, np.array([len(one) for one, _ in ordered], np.int64), covered)


def _without(corpus: Corpus, part: Sequence[int]) -> Corpus:
    """Return the corpus with the rest of train to learn from; there is nothing to test."""
    split, out = corpus.splits["train"], set(part)
    rest = chosen(split.examples, [place for place in range(len(split.examples)) if place not in out])
    words = sum(len(one.words) if one.words is not None else len((one.text or "").split()) for one in rest)
    train = replace(
        split, examples=rest, words=words, content_hash=content_hash(rest, corpus.layer, corpus.schema.scheme)
    )
    return replace(corpus, splits={"train": train, "validation": corpus.splits["validation"]})


def _scores(
    prepared: PreparedRun, examples: Sequence[Example], catalog: Catalog, folder: Path, listeners: Sequence[Listener]
) -> WordScores:
    from labelkit.inference.calibration import apply_temperature
    from labelkit.label.labeller import Labeller
    from labelkit.train.run import train

    home = Home(root=folder)
    done = train(prepared, catalog, home, listeners=listeners)
    labeller = Labeller.open(str(done.checkpoint.absolute()), home, catalog)
    found, _ = labeller.scores(examples)
    return replace(found, values=apply_temperature(found.values, labeller.info.temperature))


def _rows(parts: Sequence[tuple[Sequence[int], WordScores]]) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """Yield the position of each example with its values and whether they were seen."""
    for part, found in parts:
        borders = np.concatenate(([0], np.cumsum(found.lengths))).tolist()
        for index, place in enumerate(part):
            words = slice(borders[index], borders[index + 1])
            yield place, (found.values[words], found.covered[words])

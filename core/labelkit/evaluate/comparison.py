"""Two recorded runs on the test data that both have: their predictions are made anew, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.evaluate.recorded_data import gold_split, read_run_corpus, recorded_hashes
from labelkit.labels.schemes import spans_of, tags_of
from labelkit.metrics.significance import SHUFFLES, ScoreDifference, paired_randomisation_test
from labelkit.records import Labels, Metric, Predictions, Schema

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.gold import Gold
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

SPLIT = "test"
#: how far a score made anew may be from the recorded one before that is said
CLOSE = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class SignificanceTest:
    """How a run differs from the first one on the same test data.

    :param differences: of the deciding metric, its key figure first, whole splits before types.
    :param shuffles: how often the outputs were swapped.
    :param notes: what makes it less sure, in words.
    """

    first: str
    second: str
    split: str
    content_hash: str
    examples: int
    metric: str
    differences: tuple[ScoreDifference, ...]
    shuffles: int = SHUFFLES
    notes: tuple[str, ...] = ()


def significance(
    runs: Sequence[RunDetails], catalog: Catalog, environment: Environment, home: Home
) -> list[SignificanceTest]:
    """Compare each of the runs with the first one on their test data.

    :raises LabelkitError: they have no test data in common, it cannot be read or has changed, or a checkpoint is gone.
    """
    first = runs[0]
    check(runs)
    gold = gold_split(read_run_corpus(first, catalog, environment, home), first, SPLIT)
    metric = catalog.find("metric", first.record.metric)
    made = [_predictions(run, gold, catalog, home) for run in runs]
    return [_tested(runs[0], run, gold, metric, made[0], other) for run, other in zip(runs[1:], made[1:], strict=True)]


def check(runs: Sequence[RunDetails]) -> None:
    """Check that the runs were tested on the same data, by the same metric.

    :raises LabelkitError: they were not.
    """
    first = runs[0]
    for run in runs:
        if not recorded_hashes(run, SPLIT):
            raise LabelkitError(f"the run '{run.record.id}' has no {SPLIT} split", hint="only tested runs are compared")
        if run.test_seen:
            raise LabelkitError(
                f"the {SPLIT} split of '{run.record.id}' is its {run.test_seen[0]} split", hint="it tests nothing"
            )
        if run.record.task != first.record.task or run.record.metric != first.record.metric:
            raise LabelkitError(f"the task or the metric of '{run.record.id}' and '{first.record.id}' differ")
        if recorded_hashes(run, SPLIT) != recorded_hashes(first, SPLIT):
            raise LabelkitError(
                f"the {SPLIT} data of '{run.record.id}' and '{first.record.id}' differ",
                hint="significance needs the same sentences for both",
            )


def _predictions(run: RunDetails, gold: Gold, catalog: Catalog, home: Home) -> Predictions:
    from labelkit.inference.prediction import LabelSequences, decode_scores
    from labelkit.label.labeller import Labeller

    labeller: Labeller = Labeller.open(run.record.id, home, catalog)
    schema = labeller.info.schema
    found, _ = labeller.scores(gold.examples)
    guess = LabelSequences(decode_scores(found, labeller.decoder, schema), found.lengths, schema)
    references = [example.labels[labeller.info.layer] for example in gold.examples]
    return Predictions(references=references, predictions=guess, schema=schema)


def _tested(
    first: RunDetails, second: RunDetails, gold: Gold, metric: Metric, one: Predictions, other: Predictions
) -> SignificanceTest:
    # the gold labels are in the scheme of the first run
    one, other = _alike(one, replace(other, references=one.references), one.schema)
    key = first.record.metric_key
    found = paired_randomisation_test(metric, one, other)
    found.sort(key=lambda each: (each.type is not None, each.type is None and each.name != key, each.type or ""))
    return SignificanceTest(
        first=first.record.id,
        second=second.record.id,
        split=SPLIT,
        content_hash=gold.content_hash,
        examples=len(gold.examples),
        metric=metric.name,
        differences=tuple(found),
        notes=tuple(_notes(first, second, next((each for each in found if each.name == key), None))),
    )


def _alike(one: Predictions, other: Predictions, gold: Schema) -> tuple[Predictions, Predictions]:
    """Return both with the labels of both in one schema, in IOB2 where their schemes differ."""
    schemas = one.schema, other.schema
    names = tuple(dict.fromkeys(name for schema in schemas for name in schema.types or schema.labels))
    if gold.scheme is None or schemas[0].scheme == schemas[1].scheme:
        joint = replace(gold, types=names) if gold.types else replace(gold, labels=names)
        return replace(one, schema=joint), replace(other, schema=joint)
    joint = replace(gold, types=names, scheme="IOB2")
    references = [_as_iob2(labels, gold) for labels in one.references]
    both = [
        Predictions(
            references=references,
            predictions=[_as_iob2(labels, each.schema) for labels in each.predictions],
            schema=joint,
        )
        for each in (one, other)
    ]
    return both[0], both[1]


def _as_iob2(labels: Labels, schema: Schema) -> Labels:
    assert schema.scheme is not None
    return tags_of(spans_of(labels, schema.scheme), len(labels), "IOB2")


def _notes(first: RunDetails, second: RunDetails, key: ScoreDifference | None) -> list[str]:
    notes = []
    for run, value in ((first, key and key.first), (second, key and key.second)):
        recorded: Any = next(
            (one.value for one in run.scores
             if (one.split, one.name, one.type) == (SPLIT, run.record.metric_key, None)), None
        )  # fmt: skip
        if value is not None and recorded is not None and abs(recorded - value) > CLOSE:
            notes.append(f"{run.record.id}: {value:.4f} made anew, {recorded:.4f} recorded")
    return notes

"""Compare recorded runs on their common test data: label it again with each, and test the differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.evaluation.recorded_data import (
    gold_split,
    read_run_corpus,
    record_test_inspection,
    recorded_context,
    recorded_hashes,
)
from labelkit.evaluation.train_mentions import train_mentions
from labelkit.labels.schemes import spans_of, tags_of
from labelkit.metrics.significance import SHUFFLES, ScoreDifference, paired_randomisation_test
from labelkit.metrics.unknown_labels import known_part
from labelkit.plugins.functions import with_context
from labelkit.plugins.suppliers import find_part
from labelkit.records import Labels, Metric, Predictions, Schema

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.gold import Gold
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

SPLIT = "test"
#: how far a score computed again may differ from the recorded one without a note
CLOSE = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class SignificanceTest:
    """The differences of a run to the first one on the same test data.

    :param differences: of the metric that selects checkpoints; its key first, whole splits before types.
    :param shuffles: number of random swaps.
    :param notes: warnings for users.
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


def compare_runs(
    runs: Sequence[RunDetails], catalog: Catalog, environment: Environment, home: Home, say: Callable[[str], object]
) -> list[SignificanceTest]:
    """Test each of the runs against the first one on their test data, and record that it was inspected.

    :param say: is called with progress and warnings.
    :raises LabelkitError: the runs have different test data, or it cannot be read or has changed, or a checkpoint is
        missing.
    """
    first, *others = runs
    check_comparable(runs)
    say(f"labelling the test data with {len(runs)} labellers")
    gold = gold_split(read_run_corpus(first, catalog, environment, home), first, SPLIT)
    found_metric = find_part(catalog, "metric", first.record.metric, first.record.suppliers)
    metric, key = with_context(found_metric, recorded_context(first, catalog)), first.record.metric_key
    reference, *predictions = [predict(run, gold, catalog, environment, home) for run in runs]
    found = []
    for run, guess in zip(others, predictions, strict=True):
        # the gold labels are in the scheme of the first run
        aligned = align_schemas(reference, replace(guess, references=reference.references), reference.schema)
        differences = paired_randomisation_test(metric, *aligned)
        differences.sort(
            key=lambda one: (
                one.type is not None,
                one.type is None and one.name != key,
                one.type or "",
            )
        )
        found.append(
            SignificanceTest(
                first=first.record.id,
                second=run.record.id,
                split=SPLIT,
                content_hash=gold.content_hash,
                examples=len(gold.examples),
                metric=metric.name,
                differences=tuple(differences),
                notes=(*train_notes(first, run, metric), *reproducibility_notes(first, run, differences)),
            )
        )
    for run in runs:
        if error := record_test_inspection(run, gold, home, "compare"):
            say(f"note: not recorded: {error.message}")
    return found


def check_comparable(runs: Sequence[RunDetails]) -> None:
    """Check that the runs have the same task, metric and test data.

    :raises LabelkitError: they have not, or a run has no test data of its own.
    """
    first = runs[0]
    for run in runs:
        if not recorded_hashes(run, SPLIT):
            raise LabelkitError(
                f"the run '{run.record.id}' has no {SPLIT} split", hint=f"compare runs with a {SPLIT} split"
            )
        if run.test_seen:
            raise LabelkitError(
                f"the {SPLIT} split of '{run.record.id}' is its {run.test_seen[0]} split",
                hint="scores on it are not test scores",
            )
        if run.record.task != first.record.task or run.record.metric != first.record.metric:
            raise LabelkitError(f"the task or the metric of '{run.record.id}' and '{first.record.id}' differ")
        if recorded_hashes(run, SPLIT) != recorded_hashes(first, SPLIT):
            raise LabelkitError(
                f"the {SPLIT} data of '{run.record.id}' and '{first.record.id}' differ",
                hint="a significance test needs the same sentences for both",
            )


def predict(run: RunDetails, gold: Gold, catalog: Catalog, environment: Environment, home: Home) -> Predictions:
    """Return the predictions of a run's checkpoint for gold data."""
    from labelkit.inference.label_ids import LabelSequences
    from labelkit.label.labeller import Labeller

    labeller: Labeller = Labeller.open(run.record.id, home, catalog, engine="torch", task=run.record.task)
    schema = labeller.info.schema
    found, _ = labeller.scores(gold.examples)
    predicted = LabelSequences(labeller.decode(found), found.lengths, schema)
    references = [example.labels[labeller.info.layer] for example in gold.examples]
    both = Predictions(
        references=references,
        predictions=predicted,
        schema=schema,
        examples=gold.examples,
        train_mentions=train_mentions(labeller.folder, schema.kind, run, catalog, environment, home),
    )
    return known_part(both)


def align_schemas(one: Predictions, other: Predictions, gold: Schema) -> tuple[Predictions, Predictions]:
    """Return both predictions in one schema with the labels of both, in IOB2 if their schemes differ.

    :param gold: the schema of the references.
    """
    schemas = one.schema, other.schema
    names = tuple(dict.fromkeys(name for schema in schemas for name in schema.types or schema.labels))
    joint = replace(gold, types=names) if gold.types else replace(gold, labels=names)
    if gold.scheme is None or schemas[0].scheme == schemas[1].scheme:
        return replace(one, schema=joint), replace(other, schema=joint)

    def to_iob2(labels: Labels, schema: Schema) -> Labels:
        assert schema.scheme is not None
        return tags_of(spans_of(labels, schema.scheme), len(labels), "IOB2")

    joint = replace(joint, scheme="IOB2")
    references = [to_iob2(labels, gold) for labels in one.references]
    first, second = (
        replace(
            each,
            references=references,
            predictions=[to_iob2(row, each.schema) for row in each.predictions],
            schema=joint,
            scores=None,
        )
        for each in (one, other)
    )
    return first, second


def train_notes(first: RunDetails, second: RunDetails, metric: Metric) -> list[str]:
    """Return a note where the metric looks at the training data, which differs between the runs."""
    if not metric.uses_train_mentions or recorded_hashes(first, "train") == recorded_hashes(second, "train"):
        return []
    return [f"{metric.name}: mentions that occur in train are those in the train split of {first.record.id}"]


def reproducibility_notes(first: RunDetails, second: RunDetails, differences: Sequence[ScoreDifference]) -> list[str]:
    """Return a note for each run whose recorded test score was not reproduced."""
    notes, name = [], first.record.metric_key
    key = next((one for one in differences if one.name == name), None)
    for run, value in ((first, key.first), (second, key.second)) if key is not None else ():
        row = next((one for one in run.scores if (one.split, one.name, one.type) == (SPLIT, name, None)), None)
        if row is not None and row.value is not None and abs(row.value - value) > CLOSE:
            notes.append(f"{run.record.id}: {value:.4f} when labelled again, {row.value:.4f} recorded")
    return notes

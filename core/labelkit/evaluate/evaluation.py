"""A labeller scored on gold data: the figures, whether they count as a test, and the predictions to keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.gold import Gold
from labelkit.errors import LabelkitError
from labelkit.evaluate.label_mapping import LabelMap
from labelkit.evaluate.leakage import FITTED_SPLITS, Leakage, count_overlap
from labelkit.evaluate.recorded_data import read_run_corpus, recorded_hashes
from labelkit.records import Coverage, Example, Format, Labelled, Labels, Metric, Predictions

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.inference.engine import WordScores
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

#: the own field of a written record that holds its gold labels
GOLD = "gold"


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What became of the gold examples.

    :param found: the scores of all words (or texts).
    """

    figures: dict[str, Any]
    found: WordScores
    coverage: Sequence[Coverage]


def evaluate(labeller: Labeller, gold: Gold, metrics: Sequence[Metric], mapping: LabelMap) -> EvaluationResult:
    """Score a labeller on gold data.

    :param metrics: the deciding one first.
    :raises LabelkitError: a metric or the decoder failed.
    """
    from labelkit.inference.prediction import LabelSequences, ScoredPredictions, decode_scores, gold_ids
    from labelkit.metrics.scoring import score

    own, layer = labeller.info.schema, labeller.info.layer
    found, coverage = labeller.scores(gold.examples)
    ids = decode_scores(found, labeller.decoder, own)
    if mapping.predicted:
        references: list[Labels] = [example.labels[layer] for example in gold.examples]
        given = Predictions(references=references, predictions=LabelSequences(ids, found.lengths, own), schema=own)
        figures = score(metrics, mapping.predictions(given, own), recompute_intervals=True)
    else:
        wanted, _ = gold_ids(gold.examples, layer, own)
        judged = ScoredPredictions(found, wanted, ids, own)
        figures, _ = judged.figures(metrics, labeller.info.temperature, recompute_intervals=True)
    return EvaluationResult(figures, found, coverage)


def seen(gold: Gold, details: RunDetails | None, catalog: Catalog, environment: Environment, home: Home) -> Leakage:
    """Return what the run, and those that its encoder came from, saw of gold data.

    Nothing is known of a run that is not in the registry.
    """
    examples = len(gold.examples)
    if details is None:
        return Leakage(examples=examples, unknown="the registry does not know the run")
    runs = [details, *_teachers(details, home)]
    same = [split for split in FITTED_SPLITS if any(gold.content_hash in recorded_hashes(run, split) for run in runs)]
    try:
        corpora = [_unchanged(run, read_run_corpus(run, catalog, environment, home)) for run in runs]
    except LabelkitError as error:
        if same:  # then all of it was
            return Leakage(examples=examples, shared=dict.fromkeys(same, examples), either=examples)
        return Leakage(examples=examples, unknown=error.message)
    return count_overlap(gold, details, corpora)


def _teachers(details: RunDetails, home: Home) -> list[RunDetails]:
    """Return the recorded runs that a run's encoder came from, the nearest first: what they learned it knows."""
    from labelkit.registry import Registry

    found = [details]
    with Registry.open(home, create=False) as registry:
        while (weights := found[-1].record.model_sha256) and (maker := registry.lineage.run_with_weights(weights)):
            if maker in {run.record.id for run in found}:  # training changed nothing
                break
            found.append(registry.runs.get(maker))
    return found[1:]


def _unchanged(run: RunDetails, corpus: Corpus) -> Corpus:
    """Return the data of a run.

    :raises LabelkitError: it is no longer what training and selection saw.
    """
    for split in FITTED_SPLITS:
        if split in corpus.splits and corpus.splits[split].content_hash not in recorded_hashes(run, split):
            raise LabelkitError(f"the {split} data of run '{run.record.id}' has changed since")
    return corpus


def write_predictions(path: Path, writer: Format, records: Iterable[Labelled], *, force: bool) -> None:
    """Write records to a file that appears whole.

    :raises DataError: the file exists, or the format cannot hold a record.
    :raises StorageError: the disk refuses.
    """
    from labelkit.files.output import new_output

    assert writer.write is not None  # writer_for gives writers only
    with new_output(path, force=force) as output:
        writer.write(records, output)


def predictions(labeller: Labeller, gold: Gold, outcome: EvaluationResult) -> Iterator[Labelled]:
    """Yield the predictions as records, with the gold labels as an own field."""
    layer = labeller.info.layer
    made = labeller.records(gold.examples, outcome.found, outcome.coverage)
    for example, record in zip(gold.examples, made, strict=True):
        yield replace(record, extra=with_gold(example, layer, record.extra))


def with_gold(example: Example, layer: str, extra: Any) -> dict[str, Any]:
    """Return own fields with the gold labels among them; a field of that name gets ``input_`` before it."""
    labels = example.labels[layer]
    kept = {f"input_{name}" if name == GOLD else name: value for name, value in extra.items()}
    return {**kept, GOLD: labels if isinstance(labels, str) else list(labels)}

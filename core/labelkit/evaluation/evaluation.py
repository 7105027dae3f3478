"""Score a labeller on gold data, and write its predictions beside the gold labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.gold import Gold
from labelkit.data.plugin_errors import write_format
from labelkit.errors import LabelkitError
from labelkit.evaluation.label_mapping import LabelMap
from labelkit.evaluation.recorded_data import run_metrics
from labelkit.formats.own_fields import with_same_fields
from labelkit.metrics import CURVES
from labelkit.metrics.unknown_labels import known_part
from labelkit.plugins.functions import with_context
from labelkit.records import Context, Coverage, Example, Format, Labelled, Labels, Metric, Predictions, Schema
from labelkit.records.parts import predicts

if TYPE_CHECKING:
    from labelkit.evaluation.train_mentions import TrainMentions
    from labelkit.inference.engine import WordScores
    from labelkit.inference.prediction import ScoredPredictions
    from labelkit.label.labeller import Labeller
    from labelkit.label.operating_points import OperatingPoint
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import RunDetails

#: the field of a written record that holds its gold labels
GOLD = "gold"
#: scores of all labels, those included that an operating point leaves out
_OF_ALL_LABELS = (CURVES, "ece", "ece_calibrated")


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Scores of a labeller on gold data, and its output.

    :param word_scores: log-probabilities of all words (or texts).
    :param predicted: the labels of each example, in the labeller's schema.
    """

    figures: dict[str, Any]
    word_scores: WordScores
    predicted: Sequence[Labels]
    coverage: Sequence[Coverage]


def evaluate(
    labeller: Labeller,
    gold: Gold,
    metrics: Sequence[Metric],
    mapping: LabelMap | None = None,
    *,
    train_mentions: TrainMentions | None = None,
) -> EvaluationResult:
    """Score a labeller on gold data.

    :param metrics: the one that selects checkpoints first.
    :param mapping: of predicted labels; gold data is read with its gold labels mapped.
    :param train_mentions: see :func:`labelkit.evaluation.train_mentions.train_mentions`.
    :raises LabelkitError: a metric or the decoder failed.
    """
    from labelkit.inference.label_ids import LabelSequences, gold_ids
    from labelkit.inference.prediction import ScoredPredictions
    from labelkit.metrics.scoring import score

    schema, layer = labeller.info.schema, labeller.info.layer
    found, coverage = labeller.scores(gold.examples)
    ids = labeller.decode(found)
    predicted = LabelSequences(ids, found.lengths, schema)
    point = labeller.operating_points.get(labeller.info.task)
    if mapping and mapping.predicted:
        references: list[Labels] = [example.labels[layer] for example in gold.examples]
        given = Predictions(
            references=references,
            predictions=predicted,
            schema=schema,
            examples=gold.examples,
            train_mentions=train_mentions,
        )
        figures = score(metrics, mapping.predictions(known_part(given), schema), recompute_intervals=True)
    else:
        wanted, _ = gold_ids(gold.examples, layer, schema)
        scored = ScoredPredictions(found, wanted, ids, schema, gold.examples, train_mentions)
        if point is not None and has_no_none(schema):
            figures = scores_of_kept(scored, point, labeller.info.temperature)
        else:
            figures = scored.figures(metrics, labeller.info.temperature, recompute_intervals=True).figures
    if point is not None:
        figures = at_point(figures, point)
    return EvaluationResult(figures, found, predicted, coverage)


def has_no_none(schema: Schema) -> bool:
    """Return whether each word or text has one label, so that metrics cannot score those without one."""
    return schema.scheme is None and not schema.multilabel


def check_operating_point(labeller: Labeller, *, mapped: bool, more_metrics: bool) -> None:
    """Raise if scores at the operating point of a labeller cannot be computed with other options.

    :param mapped: labels are mapped.
    :param more_metrics: further metrics are to be computed.
    :raises LabelkitError: labels are plain, so that only precision, recall and F1 of the kept ones are defined.
    """
    if labeller.operating_points and has_no_none(labeller.info.schema) and (mapped or more_metrics):
        raise LabelkitError(
            f"an operating point cannot be combined with {'a map of labels' if mapped else 'another metric'} here: it "
            "leaves words or texts without a label",
            hint="precision, recall and F1 of the labels that are kept are computed without it",
        )


def scores_of_kept(scored: ScoredPredictions, point: OperatingPoint, temperature: float) -> dict[str, Any]:
    """Return precision, recall and F1 of the labels that an operating point keeps."""
    from labelkit.inference.scored_labels import scored_labels, threshold_of_types
    from labelkit.metrics.threshold_curves import scores_at

    schema = scored.schema
    labels = scored_labels(scored.found, scored.gold, scored.ids, schema, temperature)
    return scores_at(labels, threshold_of_types(point.thresholds, schema))


def at_point(figures: Mapping[str, Any], point: OperatingPoint) -> dict[str, Any]:
    """Return the scores at an operating point with its thresholds, without scores of all labels."""
    kept = {name: value for name, value in figures.items() if name not in _OF_ALL_LABELS}
    return {**kept, "operating_point": point.target, "thresholds": dict(point.thresholds)}


def select_metrics(
    info: CheckpointInfo,
    details: RunDetails | None,
    catalog: Catalog,
    more: Sequence[str] = (),
    *,
    ctx: Context | None = None,
) -> list[Metric]:
    """Return the metrics of a run, the one that selected its checkpoint first, and ``more`` metrics.

    :param more: names, and paths of ``evaluate`` modules.
    :param ctx: that of the checkpoint, for functions of plugins.
    :raises LabelkitError: a metric is unknown, or of the wrong kind.
    """
    from labelkit.metrics.evaluate_modules import metric_at

    found = run_metrics(info.task, details, catalog, info.suppliers, ctx, info.head)
    names = [name for name in dict.fromkeys(more) if "/" not in name and not name.endswith(".py")]
    present = {metric.name for metric in found}
    found += [with_context(catalog.find("metric", name), ctx or Context()) for name in names if name not in present]
    if wrong := [metric for metric in found if metric.kind != info.kind]:
        raise LabelkitError(f"metric '{wrong[0].name}' is for kind {wrong[0].kind}, the labeller for kind {info.kind}")
    predicted = predicts(info.schema)
    if wrong := [metric for metric in found if predicts(metric) != predicted]:
        raise LabelkitError(f"metric '{wrong[0].name}' does not fit a labeller that predicts {predicted}")
    return [*found, *(metric_at(Path(name), info.kind) for name in more if name not in names)]


def write_records(
    path: Path, writer: Format, records: Callable[[], Iterable[Labelled]], *, force: bool
) -> tuple[str, ...]:
    """Write records to a file atomically, or to standard output, a device or a pipe.

    :param records: returns the records, anew each time.
    :returns: the own fields of the first record that the format does not hold.
    :raises DataError: the file exists, or the format cannot hold a record.
    :raises StorageError: the file cannot be written, for example because the disk is full.
    """
    from labelkit.console.output import open_output
    from labelkit.label.left_out import fields_left_out

    with open_output(path, writer.name, force=force) as output:
        write_format(writer, with_same_fields(writer, records), output)
    return fields_left_out(writer, first) if (first := next(iter(records()), None)) else ()


def prediction_records(labeller: Labeller, gold: Gold, result: EvaluationResult) -> Iterator[Labelled]:
    """Yield the predictions as records, with the gold labels in the field :data:`GOLD`."""
    made = labeller.records(gold.examples, result.word_scores, result.coverage)
    for example, record in zip(gold.examples, made, strict=True):
        fields = with_gold(example, labeller.info.layer, record.extra)
        yield replace(record, extra=fields | {GOLD: float(fields[GOLD])} if labeller.info.schema.numeric else fields)


def with_gold(example: Example, layer: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return extra fields with the gold labels added; an input field of that name becomes ``input_gold``."""
    labels = example.labels[layer]
    fields = {f"input_{name}" if name == GOLD else name: value for name, value in extra.items()}
    return {**fields, GOLD: labels if isinstance(labels, str) else list(labels)}

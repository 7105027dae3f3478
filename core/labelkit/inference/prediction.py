"""Evaluate a model on a split, with the engine and the decoder that label new text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import Window
from labelkit.inference.calibration import calibration_error, fit_temperature
from labelkit.inference.decoding import decode
from labelkit.inference.engine import Engine, WordScores
from labelkit.inference.label_ids import Ids, LabelSequences, gold_ids
from labelkit.inference.score_blocks import confidences
from labelkit.inference.scored_labels import scored_labels
from labelkit.inference.thresholds import threshold_array, tune_thresholds
from labelkit.metrics import CURVES
from labelkit.metrics.scoring import score
from labelkit.metrics.threshold_curves import SplitCurves
from labelkit.metrics.unknown_labels import known_part
from labelkit.records import Decoder, Example, Mentions, Metric, Predictions, Schema, Scores
from labelkit.records.heads import IGNORE_INDEX

#: of a decision that is wrong with a probability of 1
LARGEST_LOSS = 100.0


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How predictions are decoded and scored.

    :param layer: the layer of the gold labels.
    :param metrics: the one that selects checkpoints first.
    :param temperature: the checkpoint's; None to fit it on the scored examples.
    :param train_mentions: see :attr:`labelkit.records.Predictions.train_mentions`.
    :param thresholds: those of the checkpoint, for texts with any number of labels; None to tune them on the scored
        examples.
    """

    layer: str
    schema: Schema
    decoder: Decoder
    metrics: Sequence[Metric]
    temperature: float | None = None
    train_mentions: Callable[[], Mentions] | None = None
    thresholds: Mapping[str, float] | None = None


class SplitScores(NamedTuple):
    """The scores of a split, and the temperature and the thresholds of labels, given or fitted."""

    figures: dict[str, Any]
    temperature: float
    thresholds: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScoredPredictions:
    """Gold and predicted labels of the same words (or texts).

    :param found: the model's scores.
    :param gold: gold label ids, int64 of shape (words,).
    :param ids: predicted label ids, of the same shape.
    :param examples: the examples that metrics see.
    :param train_mentions: see :attr:`labelkit.records.Predictions.train_mentions`.
    """

    found: WordScores
    gold: Ids
    ids: Ids
    schema: Schema
    examples: Sequence[Example] = ()
    train_mentions: Callable[[], Mentions] | None = None

    def __post_init__(self) -> None:
        if not len(self.gold) == len(self.ids) == len(self.found.values) == self.found.lengths.sum():
            raise ValueError("gold labels, predicted labels and scores differ in number")

    @property
    def predictions(self) -> Predictions:
        """The input of metrics."""
        found = Predictions(
            references=LabelSequences(self.gold, self.found.lengths, self.schema),
            predictions=LabelSequences(self.ids, self.found.lengths, self.schema),
            schema=self.schema,
            scores=self.found.values,
            examples=self.examples,
            train_mentions=self.train_mentions,
        )
        return known_part(found) if (self.gold == IGNORE_INDEX).any() and not self.schema.numeric else found

    def figures(
        self, metrics: Sequence[Metric], temperature: float | None, *, recompute_intervals: bool = False
    ) -> SplitScores:
        """Compute the metrics, and loss and calibration over the words (or texts) that a window covers.

        The latter are the mean ``loss``, the ``temperature``, the expected calibration error without (``ece``) and
        with the temperature (``ece_calibrated``), and the ``precision_recall_curve`` of all words, see
        :class:`labelkit.metrics.threshold_curves.SplitCurves`. A metric's own score of such a name replaces it.

        :param temperature: None to fit it on these words.
        :param recompute_intervals: as for :func:`labelkit.metrics.scoring.score`.
        """
        if self.schema.numeric:
            return self._numeric_figures(metrics, recompute_intervals=recompute_intervals)
        if self.schema.multilabel:
            return self._set_figures(metrics, recompute_intervals=recompute_intervals)
        counted = self.found.covered & (self.gold != IGNORE_INDEX)
        rows = slice(None) if counted.all() else np.flatnonzero(counted)
        values, gold, ids = self.found.values[rows], self.gold[rows], self.ids[rows]
        if temperature is None:
            temperature = fit_temperature(values, gold)
        scored = score(metrics, self.predictions, recompute_intervals=recompute_intervals)
        before, after = (confidences(values, ids, each) for each in (1.0, temperature))
        calibration = {
            "ece": calibration_error(before, ids == gold),
            "ece_calibrated": calibration_error(after, ids == gold),
            "temperature": temperature,
            CURVES: self.curves(temperature).to_json(),
        }
        loss = float(-values[np.arange(len(gold)), gold].mean()) if len(gold) else 0.0
        return SplitScores({"loss": loss, **scored, **calibration} | scored, temperature)

    def _numeric_figures(self, metrics: Sequence[Metric], *, recompute_intervals: bool) -> SplitScores:
        """Compute the metrics, and as loss the mean squared error; numbers have no confidence to calibrate."""
        covered = self.found.covered
        gaps = self.gold[covered] - self.ids[covered]
        scored = score(metrics, self.predictions, recompute_intervals=recompute_intervals)
        return SplitScores({"loss": float((gaps**2).mean()) if len(gaps) else 0.0, **scored}, 1.0)

    def _set_figures(self, metrics: Sequence[Metric], *, recompute_intervals: bool) -> SplitScores:
        """Compute the metrics, and over all labels of all texts the binary cross-entropy and the calibration error.

        Scores are the sigmoid of the model's outputs, as in transformers: there is no temperature.
        """
        covered = self.found.covered
        values, gold = self.found.values[covered].astype(np.float64), self.gold[covered]
        probabilities = np.exp(values)
        with np.errstate(divide="ignore"):
            losses = -np.where(gold, values, np.log1p(-np.minimum(probabilities, 1.0)))
        scored = score(metrics, self.predictions, recompute_intervals=recompute_intervals)
        found = {
            "loss": float(np.minimum(losses, LARGEST_LOSS).mean()) if losses.size else 0.0,
            "ece": calibration_error(probabilities.ravel().astype(np.float32), gold.ravel()),
            CURVES: self.curves(1.0).to_json(),
        }
        return SplitScores(found | scored, 1.0)

    def curves(self, temperature: float) -> SplitCurves:
        """Return precision and recall of the predicted labels above each threshold of their score."""
        return SplitCurves.of(scored_labels(self.found, self.gold, self.ids, self.schema, temperature))


def score_split(
    engine: Engine, windows: Sequence[Window], examples: Sequence[Example], scoring: ScoringOptions
) -> SplitScores:
    """Run the model over a split and score it: see :meth:`ScoredPredictions.figures`."""
    gold, lengths = gold_ids(examples, scoring.layer, scoring.schema)
    return score_examples(score_windows(engine, windows, lengths, scoring.schema), gold, examples, scoring)


def score_examples(found: WordScores, gold: Ids, examples: Sequence[Example], scoring: ScoringOptions) -> SplitScores:
    """Score what the model found in a split: see :meth:`ScoredPredictions.figures`."""
    schema = scoring.schema
    thresholds = scoring.thresholds
    if thresholds is None:
        thresholds = tune_thresholds(found.values, gold, schema) if schema.multilabel else {}
    ids = decode_scores(found, scoring.decoder, schema, thresholds)
    judged = ScoredPredictions(found, gold, ids, schema, examples, scoring.train_mentions)
    return judged.figures(scoring.metrics, scoring.temperature)._replace(thresholds=thresholds)


def score_windows(engine: Engine, windows: Sequence[Window], lengths: NDArray[np.int64], schema: Schema) -> WordScores:
    """Run the model and return the scores of all words, or of all texts.

    :param lengths: number of labels of each example, int64 of shape (examples,).
    """
    text = schema.kind == "text"
    return engine.score_texts(windows, len(lengths)) if text else engine.score(windows, lengths.tolist())


def decode_scores(found: WordScores, decoder: Decoder, schema: Schema, thresholds: Mapping[str, float]) -> Ids:
    """Return what ``decoder`` predicts, see :func:`labelkit.inference.decoding.decode`.

    :param thresholds: of labels, where texts may have several; others ignore them.
    """
    scores = Scores(
        values=found.values,
        lengths=found.lengths,
        schema=schema,
        parameters=found.parameters,
        thresholds=threshold_array(thresholds, schema),
    )
    return decode(decoder, scores)

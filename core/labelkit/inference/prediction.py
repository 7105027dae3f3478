"""Evaluate a model on a split, with the engine and the decoder that label new text."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import Window
from labelkit.inference.calibration import calibration_error, fit_temperature
from labelkit.inference.decoding import decode
from labelkit.inference.engine import Engine, WordScores
from labelkit.inference.score_blocks import confidences
from labelkit.labels.gold_labels import aligned_labels
from labelkit.labels.numbers import number_text
from labelkit.metrics.scoring import score
from labelkit.records import Decoder, Example, Labels, Mentions, Metric, Predictions, Schema, Scores

#: label ids, int64; or numbers, float64, where labels are numbers
Ids = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How predictions are decoded and scored.

    :param layer: the layer of the gold labels.
    :param metrics: the one that selects checkpoints first.
    :param temperature: the checkpoint's; None to fit it on the scored examples.
    :param train_mentions: see :attr:`labelkit.records.Predictions.train_mentions`.
    """

    layer: str
    schema: Schema
    decoder: Decoder
    metrics: Sequence[Metric]
    temperature: float | None = None
    train_mentions: Callable[[], Mentions] | None = None


class SplitScores(NamedTuple):
    """The scores of a split, and the temperature, given or fitted."""

    figures: dict[str, Any]
    temperature: float


class LabelSequences(Sequence[Labels]):
    """Labels of each example, converted from ids on access: strings of a large split take too much memory.

    :param ids: of all examples, one after the other, int64 of shape (words,).
    :param lengths: number of labels of each example, int64 of shape (examples,).
    """

    def __init__(self, ids: Ids, lengths: NDArray[np.int64], schema: Schema) -> None:
        self._ids, self._text, self._numeric = ids, schema.kind == "text", schema.numeric
        self._names = np.array(schema.label_names, dtype=object)
        self._borders = np.concatenate(([0], np.cumsum(lengths)))

    def __len__(self) -> int:
        return len(self._borders) - 1

    @overload
    def __getitem__(self, index: int) -> Labels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Labels]: ...
    def __getitem__(self, index: int | slice) -> Labels | list[Labels]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        if self._numeric:
            return number_text(float(self._ids[position]))
        labels = tuple(self._names[self._ids[self._borders[position] : self._borders[position + 1]]])
        return labels[0] if self._text else labels


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
        return Predictions(
            references=LabelSequences(self.gold, self.found.lengths, self.schema),
            predictions=LabelSequences(self.ids, self.found.lengths, self.schema),
            schema=self.schema,
            scores=self.found.values,
            examples=self.examples,
            train_mentions=self.train_mentions,
        )

    def figures(
        self, metrics: Sequence[Metric], temperature: float | None, *, recompute_intervals: bool = False
    ) -> SplitScores:
        """Compute the metrics, and loss and calibration over the words (or texts) that a window covers.

        The latter are the mean ``loss``, the ``temperature``, and the expected calibration error without (``ece``) and
        with the temperature (``ece_calibrated``). A metric's own score of such a name replaces it.

        :param temperature: None to fit it on these words.
        :param recompute_intervals: as for :func:`labelkit.metrics.scoring.score`.
        """
        if self.schema.numeric:
            return self._numeric_figures(metrics, recompute_intervals=recompute_intervals)
        covered = slice(None) if self.found.covered.all() else np.flatnonzero(self.found.covered)
        values, gold, ids = self.found.values[covered], self.gold[covered], self.ids[covered]
        if temperature is None:
            temperature = fit_temperature(values, gold)
        scored = score(metrics, self.predictions, recompute_intervals=recompute_intervals)
        before, after = (confidences(values, ids, each) for each in (1.0, temperature))
        calibration = {
            "ece": calibration_error(before, ids == gold),
            "ece_calibrated": calibration_error(after, ids == gold),
            "temperature": temperature,
        }
        loss = float(-values[np.arange(len(gold)), gold].mean()) if len(gold) else 0.0
        return SplitScores({"loss": loss, **scored, **calibration} | scored, temperature)

    def _numeric_figures(self, metrics: Sequence[Metric], *, recompute_intervals: bool) -> SplitScores:
        """Compute the metrics, and as loss the mean squared error; numbers have no confidence to calibrate."""
        covered = self.found.covered
        gaps = self.gold[covered] - self.ids[covered]
        scored = score(metrics, self.predictions, recompute_intervals=recompute_intervals)
        return SplitScores({"loss": float((gaps**2).mean()) if len(gaps) else 0.0, **scored}, 1.0)


def score_split(
    engine: Engine, windows: Sequence[Window], examples: Sequence[Example], scoring: ScoringOptions
) -> SplitScores:
    """Run the model over a split and score it: see :meth:`ScoredPredictions.figures`."""
    schema = scoring.schema
    gold, lengths = gold_ids(examples, scoring.layer, schema)
    found = score_windows(engine, windows, lengths, schema)
    ids = decode_scores(found, scoring.decoder, schema)
    judged = ScoredPredictions(found, gold, ids, schema, examples, scoring.train_mentions)
    return judged.figures(scoring.metrics, scoring.temperature)


def score_windows(engine: Engine, windows: Sequence[Window], lengths: NDArray[np.int64], schema: Schema) -> WordScores:
    """Run the model and return the scores of all words, or of all texts.

    :param lengths: number of labels of each example, int64 of shape (examples,).
    """
    text = schema.kind == "text"
    return engine.score_texts(windows, len(lengths)) if text else engine.score(windows, lengths.tolist())


def scores_of(found: WordScores, schema: Schema) -> Scores:
    """Return the argument of a decoder."""
    return Scores(values=found.values, lengths=found.lengths, schema=schema, parameters=found.parameters)


def decode_scores(found: WordScores, decoder: Decoder, schema: Schema) -> Ids:
    """Return the label ids that ``decoder`` predicts, int64 of shape (words,)."""
    return decode(decoder, scores_of(found, schema))


def gold_ids(examples: Iterable[Example], layer: str, schema: Schema) -> tuple[Ids, NDArray[np.int64]]:
    """Return the ids of all gold labels, of shape (words,), and the number of labels of each example.

    :raises DataError: an example has not one label per word, or its text not one label.
    """
    if schema.numeric:
        numbers = [float(*aligned_labels(example, layer, schema.kind)) for example in examples]
        return np.array(numbers, np.float64), np.ones(len(numbers), np.int64)
    number = {label: index for index, label in enumerate(schema.label_names)}
    ids, lengths = array("q"), array("q")
    for example in examples:
        labels = aligned_labels(example, layer, schema.kind)
        ids.extend(number[label] for label in labels)
        lengths.append(len(labels))
    return np.array(ids, np.int64), np.array(lengths, np.int64)

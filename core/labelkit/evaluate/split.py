"""Score a model on a split: the same engine and decoder that label new text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.align import Window
from labelkit.evaluate.score import score
from labelkit.label.decode import decode, sentences
from labelkit.label.engine import Engine, WordScores
from labelkit.records import Decoder, Example, Labels, Metric, Predictions, Schema, Scores


@dataclass(frozen=True, slots=True)
class Scoring:
    """What turns an engine's scores into figures.

    :param layer: the gold labels of the examples.
    :param metrics: the deciding one first.
    """

    layer: str
    schema: Schema
    decoder: Decoder
    metrics: Sequence[Metric]


def score_split(
    engine: Engine, windows: Sequence[Window], examples: Sequence[Example], scoring: Scoring
) -> dict[str, Any]:
    """Return the figures of the metrics over all gold words, with the mean ``loss`` of the words seen."""
    schema = scoring.schema
    found = _scores(engine, windows, examples, schema)
    scores = Scores(values=found.values, lengths=found.lengths, schema=schema)
    ids = decode(scoring.decoder, scores)
    gold: list[Labels] = [example.labels[scoring.layer] for example in examples]
    names = schema.label_names
    guesses: list[Labels] = list(sentences(ids, scores)) if schema.kind == "token" else [names[label] for label in ids]
    predictions = Predictions(references=gold, predictions=guesses, schema=schema, scores=found.values)
    return {"loss": word_loss(found, gold, schema), **score(scoring.metrics, predictions)}


def _scores(engine: Engine, windows: Sequence[Window], examples: Sequence[Example], schema: Schema) -> WordScores:
    if schema.kind == "text":
        return engine.score_texts(windows, len(examples))
    return engine.score(windows, [len(example.words or ()) for example in examples])


def word_loss(found: WordScores, gold: Sequence[Labels], schema: Schema) -> float:
    """Return the mean negative log-likelihood of the gold labels of the words (or texts) that the encoder saw."""
    ids = {label: index for index, label in enumerate(schema.label_names)}
    flat = (label for row in gold for label in ([row] if isinstance(row, str) else row))
    wanted: NDArray[np.int64] = np.array([ids[label] for label in flat], np.int64)
    rows = np.flatnonzero(found.covered)
    return float(-found.values[rows, wanted[rows]].mean()) if len(rows) else 0.0

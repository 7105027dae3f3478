"""Score a model on a split: the same engine and decoder that label new text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.align import Window
from labelkit.evaluate.score import score
from labelkit.label.decode import decode, sentences
from labelkit.label.engine import Engine, WordScores
from labelkit.plan import Plan
from labelkit.records import Example, Predictions, Schema, Scores


def score_split(
    engine: Engine,
    windows: Sequence[Window],
    examples: Sequence[Example],
    layer: str,
    schema: Schema,
    plan: Plan,
) -> dict[str, Any]:
    """Return the figures of the plan's metrics over all gold words, with the mean ``loss`` of the words seen."""
    found = engine.score(windows, [len(example.words or ()) for example in examples])
    scores = Scores(values=found.values, lengths=found.lengths, schema=schema)
    guesses = list(sentences(decode(plan.decoder, scores), scores))
    gold = [tuple(example.labels[layer]) for example in examples]
    predictions = Predictions(references=gold, predictions=guesses, schema=schema, scores=found.values)
    figures = score(plan.metrics, predictions)
    return {"loss": word_loss(found, gold, schema), **figures}


def word_loss(found: WordScores, gold: Sequence[Sequence[str]], schema: Schema) -> float:
    """Return the mean negative log-likelihood of the gold labels of the words that the encoder saw."""
    ids = {label: index for index, label in enumerate(schema.label_names)}
    wanted: NDArray[np.int64] = np.array([ids[label] for labels in gold for label in labels], np.int64)
    rows = np.flatnonzero(found.covered)
    return float(-found.values[rows, wanted[rows]].mean()) if len(rows) else 0.0

"""Make a labelkit metric of any ``evaluate.EvaluationModule``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelkit.records import Kind, Predictions


def from_module(module: Callable[[], Any], kind: Kind) -> Callable[[Predictions], Mapping[str, Any]]:
    """Return a ``compute`` that asks the module which ``module()`` makes, once, on first use.

    A module over sequences of labels is given sentences; one over single labels is given label ids, for all words in
    a row (kind ``token``) or for all texts.
    """
    made: list[Any] = []

    def compute(predictions: Predictions) -> Mapping[str, Any]:
        if not made:
            made.append(module())
        references, guesses = _arguments(made[0], kind, predictions)
        return dict(made[0].compute(references=references, predictions=guesses))

    return compute


def _arguments(module: Any, kind: Kind, predictions: Predictions) -> tuple[list[Any], list[Any]]:
    references, guesses = list(predictions.references), list(predictions.predictions)
    if kind == "token" and _wants_sequences(module):
        return [list(tags) for tags in references], [list(tags) for tags in guesses]
    ids = {label: index for index, label in enumerate(predictions.schema.label_names)}
    if kind == "token":
        return _flat(references, ids), _flat(guesses, ids)
    return [ids[str(label)] for label in references], [ids[str(label)] for label in guesses]


def _flat(sequences: list[Any], ids: Mapping[str, int]) -> list[int]:
    return [ids[tag] for tags in sequences for tag in tags]


def _wants_sequences(module: Any) -> bool:
    features = module.features[0] if isinstance(module.features, list) else module.features
    return not hasattr(features["references"], "dtype") or hasattr(features["references"], "feature")

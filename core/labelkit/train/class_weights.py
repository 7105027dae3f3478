"""The weights of labels in the loss, from the setting ``train.class_weights``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from labelkit.errors import LabelkitError, nearest
from labelkit.labels.gold_labels import aligned_labels
from labelkit.labels.schemes import split_tag
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Schema

#: how many weights a note shows
_SHOWN = 12


def resolve_class_weights(
    setting: Literal["none", "balanced"] | Mapping[str, float], examples: Iterable[Example], layer: str, schema: Schema
) -> tuple[float, ...] | None:
    """Return the weight of each label in the order of their ids; None where all weigh the same.

    :param examples: of the training split.
    :raises LabelkitError: the setting names a label that there is not.
    """
    if setting == "none":
        return None
    if setting == "balanced":
        return balanced_weights(examples, layer, schema)
    assert not isinstance(setting, str)
    return named_weights(setting, schema)


def balanced_weights(examples: Iterable[Example], layer: str, schema: Schema) -> tuple[float, ...]:
    """Return weights that are inversely proportional to the frequency of labels, as in scikit-learn.

    The mean weight of a word (or text) is 1. Labels that do not occur weigh 1.
    """
    counts = Counter(label for example in examples for label in aligned_labels(example, layer, schema.kind))
    del counts[UNKNOWN]
    total, present = sum(counts.values()), len(counts)
    return tuple(total / (present * counts[label]) if counts[label] else 1.0 for label in schema.label_names)


def named_weights(weights: Mapping[str, float], schema: Schema) -> tuple[float, ...]:
    """Return the weights of a mapping of labels, or of span types, to weights; other labels weigh 1.

    :raises LabelkitError: it names a label that there is not.
    """
    known = dict.fromkeys((*schema.label_names, *schema.types))
    if unknown := [name for name in weights if name not in known]:
        raise LabelkitError(f"train.class_weights: unknown label '{unknown[0]}'", hint=nearest(unknown[0], known))

    def weight(label: str) -> float:
        type_ = split_tag(label)[1] if schema.scheme else label
        return weights.get(label, weights.get(type_, 1.0))

    return tuple(map(weight, schema.label_names))


def describe_weights(weights: tuple[float, ...], schema: Schema) -> str:
    """Return weights as one line for a note."""
    pairs = [f"{label} {weight:.3g}" for label, weight in zip(schema.label_names, weights, strict=True)]
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return f"class weights: {', '.join(pairs[:_SHOWN])}{more}"

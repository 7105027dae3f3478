"""The metric ``overlap``: a span is right when it shares a word with one of its type on the other side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelkit import Predictions
from labelkit_review.spans import Span, spans_of


def compute(given: Predictions) -> Mapping[str, float]:
    """Return precision, recall and F1, each 0 where it is undefined."""
    pairs = [(spans_of(gold), spans_of(guess)) for gold, guess in zip(given.references, given.predictions, strict=True)]
    precision = _share([(span, gold) for gold, guess in pairs for span in guess])
    recall = _share([(span, guess) for gold, guess in pairs for span in gold])
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def _share(spans: Sequence[tuple[Span, Sequence[Span]]]) -> float:
    """Return how many of the spans are met on the other side of their sentence."""
    return sum(any(_meet(span, other) for other in others) for span, others in spans) / len(spans) if spans else 0.0


def _meet(one: Span, other: Span) -> bool:
    return one.type == other.type and one.start < other.stop and other.start < one.stop

"""What a metric promises: a finite figure, best when all is right, that does not depend on the order of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

from labelkit.records import Kind, Labels, Metric, Predictions, Schema
from labelkit.testing.base import Question, calling_offline, require, require_none
from labelkit.testing.kinds import KIND

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rows = tuple[Labels, ...]

SCHEMAS: dict[Kind, Schema] = {
    "token": Schema.bio("contract", "PER", "LOC"),
    "text": Schema(name="contract", kind="text", labels=("NEGATIVE", "POSITIVE")),
}
GOLD: dict[Kind, Rows] = {
    "token": (
        ("B-PER", "I-PER", "O", "O", "B-LOC"),
        ("O", "B-LOC", "O"),
        ("B-PER", "O", "B-LOC", "I-LOC"),
        ("O", "O"),
    ),
    "text": ("POSITIVE", "NEGATIVE", "POSITIVE", "POSITIVE", "NEGATIVE"),
}
#: the first and the third sentence (or text) are wrong
PARTLY_WRONG: dict[Kind, Rows] = {
    "token": (
        ("O", "B-PER", "O", "O", "O"),
        ("O", "B-LOC", "O"),
        ("B-LOC", "O", "B-LOC", "I-LOC"),
        ("O", "O"),
    ),
    "text": ("NEGATIVE", "NEGATIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"),
}
ALL_WRONG: dict[Kind, Rows] = {
    "token": (
        ("O", "O", "B-PER", "B-PER", "O"),
        ("B-PER", "O", "B-PER"),
        ("O", "B-PER", "O", "O"),
        ("B-PER", "I-PER"),
    ),
    "text": ("NEGATIVE", "POSITIVE", "NEGATIVE", "NEGATIVE", "POSITIVE"),
}
#: what it is → (references, predictions)
DEGENERATE: dict[Kind, dict[str, tuple[Rows, Rows]]] = {
    "token": {
        "no sentence at all": ((), ()),
        "one sentence without words": (((),), ((),)),
        "nothing to find, nothing found": ((("O", "O"),), (("O", "O"),)),
        "nothing to find, something found": ((("O", "O"),), (("B-PER", "O"),)),
        "something to find, nothing found": ((("B-PER", "O"),), (("O", "O"),)),
        "a predicted transition that the scheme forbids": ((("O", "B-PER"),), (("I-LOC", "I-PER"),)),
    },
    "text": {
        "no text at all": ((), ()),
        "one text, right": (("POSITIVE",), ("POSITIVE",)),
        "one text, wrong": (("POSITIVE",), ("NEGATIVE",)),
        "one class in the gold labels": (("POSITIVE", "POSITIVE"), ("POSITIVE", "NEGATIVE")),
        "one class predicted": (("POSITIVE", "NEGATIVE"), ("POSITIVE", "POSITIVE")),
    },
}


def _key(metric: Metric) -> None:
    figures = _figures(metric, GOLD[metric.kind], PARTLY_WRONG[metric.kind])
    require(
        metric.key in figures,
        f"compute() of metric '{metric.name}' gives {', '.join(map(str, figures)) or 'nothing'}, not its key "
        f"'{metric.key}'",
        "return it, or correct key=",
    )
    require(
        _is_number(figures[metric.key]),
        f"'{metric.key}' of metric '{metric.name}' is {figures[metric.key]!r}",
        "return a number",
    )


def _perfect(metric: Metric) -> None:
    gold, partly, wrong = (_value(metric, cases[metric.kind]) for cases in (GOLD, PARTLY_WRONG, ALL_WRONG))
    sign = 1 if metric.higher_is_better else -1
    better = "higher" if metric.higher_is_better else "lower"
    require(
        sign * gold >= sign * partly and sign * gold > sign * wrong,
        f"'{metric.key}' of metric '{metric.name}' is {gold:g} when all is right, {partly:g} when a part is wrong and "
        f"{wrong:g} when all is wrong, although {better} is better",
        "correct compute() or higher_is_better=",
    )


def _finite(metric: Metric) -> None:
    for what, (references, predictions) in DEGENERATE[metric.kind].items():
        figures = _figures(metric, references, predictions, what)
        bad = [name for name, value in _flat(figures) if _is_number(value) and not math.isfinite(value)]
        require(
            not bad,
            f"metric '{metric.name}' gives no finite {', '.join(bad)} for {what}",
            "return 0.0 for what is undefined",
        )


def _order(metric: Metric) -> None:
    gold, guess = GOLD[metric.kind], PARTLY_WRONG[metric.kind]
    before = dict(_flat(_figures(metric, gold, guess)))
    for reorder in (_reversed, _rotated):
        after = dict(_flat(_figures(metric, reorder(gold), reorder(guess))))
        require_none(
            (
                f"'{name}' of metric '{metric.name}' is {value!r} in one order of the data and {after.get(name)!r} in "
                "another"
                for name, value in before.items()
                if not _same(value, after.get(name))
            ),
            "sum up before dividing, and keep no state between calls",
        )


def _counts(metric: Metric) -> None:
    """The figures out of summed counts are those of compute(); what is undefined may be NaN there and 0 here."""
    cases = {"plain data": (GOLD[metric.kind], PARTLY_WRONG[metric.kind]), **DEGENERATE[metric.kind]}
    for what, (references, predictions) in cases.items():
        figures = dict(_flat(_figures(metric, references, predictions, what)))
        summed = dict(_flat(_summed(metric, references, predictions, what)))
        require(
            metric.key in summed,
            f"figures() of counts() of metric '{metric.name}' gives no '{metric.key}' for {what}",
            "return what compute() returns",
        )
        require_none(
            (
                f"'{name}' of metric '{metric.name}' is {figures[name]!r} for {what}, but {value!r} out of counts()"
                for name, value in summed.items()
                if name in figures and not _same(figures[name], 0.0 if math.isnan(value) else value)
            ),
            "let counts() and compute() agree",
        )


def _reversed(rows: Rows) -> Rows:
    return rows[::-1]


def _rotated(rows: Rows) -> Rows:
    return (*rows[1:], rows[0])


# -- asking a metric --------------------------------------------------------------------------------------------------


def _value(metric: Metric, predictions: Rows) -> float:
    """Return the figure that decides."""
    return float(_figures(metric, GOLD[metric.kind], predictions)[metric.key])


def _figures(metric: Metric, references: Rows, predictions: Rows, what: str = "plain data") -> Mapping[str, Any]:
    call = f"compute() of metric '{metric.name}', given {what},"
    given = _given(metric, references, predictions)
    assert given.scores is not None
    with calling_offline(call, "handle it: give a figure, 0.0 where it is undefined"):
        figures = metric.compute(given)
    require(
        bool((given.scores == _scores(predictions, given.schema)).all()),
        f"{call} changes the scores",
        "work on a copy: other metrics are given the same",
    )
    require(
        isinstance(figures, Mapping),
        f"{call} returns {type(figures).__name__}",
        "return a dict of names and figures",
    )
    return figures


def _summed(metric: Metric, references: Rows, predictions: Rows, what: str) -> Mapping[str, Any]:
    """Return the figures of summed counts."""
    import numpy as np

    assert metric.counts is not None  # else the question does not apply
    call = f"counts() of metric '{metric.name}', given {what},"
    with calling_offline(call, "return a labelkit.Counts, with no rows where there are no examples"):
        counts = metric.counts(_given(metric, references, predictions))
        rows, sums = len(counts.rows), np.asarray(counts.rows).sum(axis=0)
        figures = counts.figures(sums)
    odd = [value for _, value in _flat(figures) if not _is_number(value)] if isinstance(figures, Mapping) else [figures]
    require(
        not odd,
        f"{call} gives figures() with {odd[:1]!r:.60}",
        "return a dict of names and numbers, or arrays of the shape that the sums have but for their last axis",
    )
    require(
        rows == len(references),
        f"{call} has {rows} rows for {len(references)} examples",
        "give one row for each example, in their order",
    )
    return figures


def _given(metric: Metric, references: Rows, predictions: Rows) -> Predictions:
    schema = SCHEMAS[metric.kind]
    return Predictions(
        references=references, predictions=predictions, schema=schema, scores=_scores(predictions, schema)
    )


def _scores(rows: Rows, schema: Schema) -> NDArray[np.float32]:
    """Return log-probabilities under which ``rows`` are the likeliest labels."""
    import numpy as np

    names = schema.label_names
    labels = [label for row in rows for label in ((row,) if isinstance(row, str) else row)]
    values = np.full((len(labels), len(names)), math.log(0.1 / (len(names) - 1)), np.float32)
    values[np.arange(len(labels)), [names.index(label) for label in labels]] = math.log(0.9)
    return values


def _flat(figures: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value.tolist() if hasattr(value, "tolist") else value


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return sorted(map(repr, one)) == sorted(map(repr, other or ()))
    return bool(one == other)


def _without_counts(metric: Metric) -> str:
    return "" if metric.counts is not None else "it gives no counts"


QUESTIONS = (
    KIND,
    Question(name="key", asks="the figure that ranks checkpoints is there and is a number", ask=_key, needs=("kind",)),
    Question(
        name="perfect",
        asks="it is best when predictions equal references, and worse when all are wrong",
        ask=_perfect,
        needs=("key",),
    ),
    Question(
        name="finite",
        asks="no NaN, infinity or error on empty and degenerate input",
        ask=_finite,
        needs=("key",),
    ),
    Question(name="order", asks="the order of sentences or texts does not matter", ask=_order, needs=("key",)),
    Question(
        name="counts",
        asks="summed counts give the same figures",
        ask=_counts,
        needs=("key", "finite"),
        unless=_without_counts,
    ),
)

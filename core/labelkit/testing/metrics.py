"""What a metric promises: a finite figure, best when all is right, that does not depend on the order of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

from labelkit.records import Kind, Labels, Metric, Predictions, Schema
from labelkit.testing.base import Broken, plainly, require, require_none

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


def questions(metric: Metric) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the questions about ``metric`` by name."""
    yield "key", partial(_key, metric)
    yield "perfect", partial(_perfect, metric)
    yield "finite", partial(_finite, metric)
    yield "order", partial(_order, metric)


def _key(metric: Metric) -> None:
    figures = _figures(metric, GOLD[metric.kind], PARTLY_WRONG[metric.kind])
    require(
        metric.key in figures,
        f"compute() of metric '{metric.name}' gives {', '.join(map(str, figures)) or 'nothing'}, not its key "
        f"'{metric.key}': return it, or correct key=",
    )
    require(
        _is_number(figures[metric.key]),
        f"'{metric.key}' of metric '{metric.name}' is {figures[metric.key]!r}: return a number",
    )


def _perfect(metric: Metric) -> None:
    gold, partly, wrong = (_value(metric, cases[metric.kind]) for cases in (GOLD, PARTLY_WRONG, ALL_WRONG))
    if gold is None or partly is None or wrong is None:
        return  # the question about the key says so
    sign = 1 if metric.higher_is_better else -1
    better = "higher" if metric.higher_is_better else "lower"
    require(
        sign * gold >= sign * partly and sign * gold > sign * wrong,
        f"'{metric.key}' of metric '{metric.name}' is {gold:g} when all is right, {partly:g} when a part is wrong and "
        f"{wrong:g} when all is wrong, although {better} is better: correct compute() or higher_is_better=",
    )


def _finite(metric: Metric) -> None:
    for what, (references, predictions) in DEGENERATE[metric.kind].items():
        figures = _figures(metric, references, predictions, what)
        bad = [name for name, value in _flat(figures) if _is_number(value) and not math.isfinite(value)]
        require(
            not bad,
            f"metric '{metric.name}' gives no finite {', '.join(bad)} for {what}: return 0.0 for what is undefined",
        )


def _order(metric: Metric) -> None:
    gold, guess = GOLD[metric.kind], PARTLY_WRONG[metric.kind]
    before = dict(_flat(_figures(metric, gold, guess)))
    for reorder in (_reversed, _rotated):
        after = dict(_flat(_figures(metric, reorder(gold), reorder(guess))))
        require_none(
            f"'{name}' of metric '{metric.name}' is {value!r} in one order of the data and {after.get(name)!r} in "
            "another: sum up before dividing, and keep no state between calls"
            for name, value in before.items()
            if not _same(value, after.get(name))
        )


def _reversed(rows: Rows) -> Rows:
    return rows[::-1]


def _rotated(rows: Rows) -> Rows:
    return (*rows[1:], rows[0])


# -- asking a metric --------------------------------------------------------------------------------------------------


def _value(metric: Metric, predictions: Rows) -> float | None:
    """Return the figure that decides, where there is one."""
    value = _figures(metric, GOLD[metric.kind], predictions).get(metric.key)
    return float(value) if isinstance(value, Real) and _is_number(value) else None


def _figures(metric: Metric, references: Rows, predictions: Rows, what: str = "plain data") -> Mapping[str, Any]:
    schema = SCHEMAS[metric.kind]
    given = Predictions(
        references=references, predictions=predictions, schema=schema, scores=_scores(predictions, schema)
    )
    try:
        figures = metric.compute(given)
    except Exception as error:
        raise Broken(f"compute() of metric '{metric.name}' fails on {what} with {plainly(error)}: handle it") from error
    require(
        isinstance(figures, Mapping),
        f"compute() of metric '{metric.name}' returns {type(figures).__name__}: return a dict of names and figures",
    )
    return figures


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
            yield f"{prefix}{name}", value


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return sorted(map(repr, one)) == sorted(map(repr, other or ()))
    return bool(one == other)

"""Contract checks of metrics: a finite figure, best when all is right, whatever the order of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Literal, TypeGuard

from labelkit.records import Example, Labels, Metric, Predictions, Schema
from labelkit.testing.framework import KIND, CheckSet, offline_call, require, require_none

Rows = tuple[Labels, ...]


def sentences(*lines: str) -> Rows:
    """Return a row of labels for each line."""
    return tuple(tuple(line.split()) for line in lines)


#: what a metric scores: labels of words, labels of texts, numbers, or sets of labels
Case = Literal["token", "text", "number", "set"]
SCHEMAS: dict[Case, Schema] = {
    "token": Schema.bio("contract", "PER", "LOC"),
    "text": Schema(name="contract", kind="text", labels=("NEGATIVE", "POSITIVE")),
    "number": Schema(name="contract", kind="text", numeric=True),
    "set": Schema(name="contract", kind="text", labels=("ART", "LAW"), multilabel=True),
}
GOLD: dict[Case, Rows] = {
    "token": sentences("B-PER I-PER O O B-LOC", "O B-LOC O", "B-PER O B-LOC I-LOC", "O O"),
    "text": ("POSITIVE", "NEGATIVE", "POSITIVE", "POSITIVE", "NEGATIVE"),
    "number": ("1", "2.5", "4", "5", "-3"),
    "set": sentences("ART LAW", "LAW", "ART", "", "LAW"),
}
#: the first and the third sentence (or text) are wrong
PARTLY_WRONG: dict[Case, Rows] = {
    "token": sentences("O B-PER O O O", "O B-LOC O", "B-LOC O B-LOC I-LOC", "O O"),
    "text": ("NEGATIVE", "NEGATIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"),
    "number": ("5", "2.5", "2", "5", "-3"),
    "set": sentences("LAW", "LAW", "ART LAW", "", "LAW"),
}
ALL_WRONG: dict[Case, Rows] = {
    "token": sentences("O O B-PER B-PER O", "B-PER O B-PER", "O B-PER O O", "B-PER I-PER"),
    "text": ("NEGATIVE", "POSITIVE", "NEGATIVE", "NEGATIVE", "POSITIVE"),
    "number": ("2", "0.5", "-4", "-5", "3.5"),
    "set": sentences("", "ART", "LAW", "ART LAW", "ART"),
}
#: description → (references, predictions)
DEGENERATE: dict[Case, dict[str, tuple[Rows, Rows]]] = {
    "token": {
        "no sentence at all": ((), ()),
        "one sentence without words": (sentences(""), sentences("")),
        "nothing to find, nothing found": (sentences("O O"), sentences("O O")),
        "nothing to find, something found": (sentences("O O"), sentences("B-PER O")),
        "something to find, nothing found": (sentences("B-PER O"), sentences("O O")),
        "a predicted transition that the scheme forbids": (sentences("O B-PER"), sentences("I-LOC I-PER")),
    },
    "text": {
        "no text at all": ((), ()),
        "one text, right": (("POSITIVE",), ("POSITIVE",)),
        "one text, wrong": (("POSITIVE",), ("NEGATIVE",)),
        "one class in the gold labels": (("POSITIVE", "POSITIVE"), ("POSITIVE", "NEGATIVE")),
        "one class predicted": (("POSITIVE", "NEGATIVE"), ("POSITIVE", "POSITIVE")),
    },
    "number": {
        "no text at all": ((), ()),
        "one text, right": (("2",), ("2",)),
        "one text, wrong": (("2",), ("3.5",)),
        "one number in the gold labels": (("2", "2"), ("2", "3")),
        "one number predicted": (("2", "3"), ("3", "3")),
    },
    "set": {
        "no text at all": ((), ()),
        "no label anywhere": (sentences("", ""), sentences("", "")),
        "no gold label": (sentences("", ""), sentences("ART", "")),
        "no predicted label": (sentences("ART", "ART LAW"), sentences("", "")),
        "all labels everywhere": (sentences("ART LAW"), sentences("ART LAW")),
    },
}
#: what train has of the mentions of these examples
TRAIN_MENTIONS = frozenset({("word0",), ("word0", "word1"), ("word4",)})

CHECKS = CheckSet(KIND)


@CHECKS.check("key", needs=("kind",))
def check_key(metric: Metric) -> None:
    """The figure that ranks checkpoints is there and is a number."""
    figures = compute(metric, GOLD[case_of(metric)], PARTLY_WRONG[case_of(metric)])
    names = ", ".join(map(str, figures)) or "nothing"
    require(
        metric.key in figures,
        f"compute() of metric '{metric.name}' gives {names}, not its key '{metric.key}'",
        "return it, or correct key=",
    )
    figure = figures[metric.key]
    require(is_number(figure), f"'{metric.key}' of metric '{metric.name}' is {figure!r}", "return a number")


@CHECKS.check("perfect", needs=("key",))
def check_perfect_predictions(metric: Metric) -> None:
    """It is best when predictions equal references, and worse when all are wrong."""
    references = GOLD[case_of(metric)]
    gold, partly, wrong = (
        float(compute(metric, references, predictions[case_of(metric)])[metric.key])
        for predictions in (GOLD, PARTLY_WRONG, ALL_WRONG)
    )
    sign, better = (1, "higher") if metric.higher_is_better else (-1, "lower")
    require(
        sign * gold >= sign * partly and sign * gold > sign * wrong,
        f"'{metric.key}' of metric '{metric.name}' is {gold:g} when all is right, {partly:g} when a part is wrong and "
        f"{wrong:g} when all is wrong, although {better} is better",
        "correct compute() or higher_is_better=",
    )


@CHECKS.check("finite", needs=("key",))
def check_finite(metric: Metric) -> None:
    """No NaN, infinity or error on empty and degenerate input."""
    for what, (references, predictions) in DEGENERATE[case_of(metric)].items():
        figures = compute(metric, references, predictions, what)
        bad = [name for name, value in flatten(figures) if is_number(value) and not math.isfinite(value)]
        require(
            not bad,
            f"metric '{metric.name}' gives no finite {', '.join(bad)} for {what}",
            "return 0.0 for what is undefined",
        )


@CHECKS.check("order", needs=("key",))
def check_order(metric: Metric) -> None:
    """The order of sentences or texts does not matter."""
    import numpy as np

    from labelkit.metrics.intervals import resample

    given = predictions_of(metric, GOLD[case_of(metric)], PARTLY_WRONG[case_of(metric)])
    before = dict(flatten(compute_given(metric, given)))
    order = np.arange(len(given.references))
    for reordered in (order[::-1], np.roll(order, -1)):
        after = dict(flatten(compute_given(metric, resample(given, reordered))))
        require_none(
            (
                f"'{name}' of metric '{metric.name}' is {value!r} in one order of the data and {after.get(name)!r} in "
                "another"
                for name, value in before.items()
                if not is_close(value, after.get(name))
            ),
            "sum up before dividing, and keep no state between calls",
        )


@CHECKS.check("mentions", needs=("key",))
def check_train_mentions(metric: Metric) -> None:
    """A metric that reads the mentions of train says so, else checkpoints would not keep them."""
    if metric.kind != "token" or metric.uses_train_mentions:
        return
    asked: list[bool] = []

    def mentions() -> frozenset[tuple[str, ...]]:
        asked.append(True)
        return TRAIN_MENTIONS

    given = predictions_of(metric, GOLD[case_of(metric)], PARTLY_WRONG[case_of(metric)])
    compute_given(metric, replace(given, train_mentions=mentions))
    require(
        not asked,
        f"compute() of metric '{metric.name}' reads predictions.train_mentions, which the metric does not declare",
        "set uses_train_mentions=True: checkpoints then keep them, for scoring where the training data is missing",
    )


@CHECKS.check(
    "counts",
    needs=("key", "finite"),
    skip_reason=lambda metric: "" if metric.counts is not None else "it gives no counts",
)
def check_counts(metric: Metric) -> None:
    """Summed counts give the same figures."""
    cases = {"plain data": (GOLD[case_of(metric)], PARTLY_WRONG[case_of(metric)]), **DEGENERATE[case_of(metric)]}
    for what, (references, predictions) in cases.items():
        figures = dict(flatten(compute(metric, references, predictions, what)))
        summed = dict(flatten(figures_of_counts(metric, references, predictions, what)))
        require(
            metric.key in summed,
            f"figures() of counts() of metric '{metric.name}' gives no '{metric.key}' for {what}",
            "return what compute() returns",
        )
        require_none(
            (
                f"'{name}' of metric '{metric.name}' is {figures[name]!r} for {what}, but {value!r} out of counts()"
                for name, value in summed.items()
                if name in figures and not is_close(figures[name], 0.0 if math.isnan(value) else value)
            ),
            "let counts() and compute() agree",
        )


def case_of(metric: Metric) -> Case:
    """Return what a metric scores."""
    return "number" if metric.numeric else "set" if metric.multilabel else metric.kind


# -- calling a metric -------------------------------------------------------------------------------------------------


def compute(metric: Metric, references: Rows, predictions: Rows, what: str = "plain data") -> Mapping[str, Any]:
    """Return the figures of a metric for these labels; see :func:`compute_given`."""
    return compute_given(metric, predictions_of(metric, references, predictions), what)


def compute_given(metric: Metric, given: Predictions, what: str = "plain data") -> Mapping[str, Any]:
    """Return the figures of a metric, which may not change the scores that it is given."""
    call = f"compute() of metric '{metric.name}', given {what},"
    assert given.scores is not None
    before = given.scores.copy()
    with offline_call(call, "handle it: give a figure, 0.0 where it is undefined"):
        figures = metric.compute(given)
    require(
        bool((given.scores == before).all()),
        f"{call} changes the scores",
        "work on a copy: other metrics are given the same",
    )
    require(
        isinstance(figures, Mapping), f"{call} returns {type(figures).__name__}", "return a dict of names and figures"
    )
    return figures


def figures_of_counts(metric: Metric, references: Rows, predictions: Rows, what: str) -> Mapping[str, Any]:
    """Return the figures of a metric's summed counts."""
    import numpy as np

    assert metric.counts is not None  # else the check does not apply
    call = f"counts() of metric '{metric.name}', given {what},"
    with offline_call(call, "return a labelkit.Counts, with no rows where there are no examples"):
        counts = metric.counts(predictions_of(metric, references, predictions))
        rows, sums = len(counts.rows), np.asarray(counts.rows).sum(axis=0)
        figures = counts.figures(sums)
    odd = (
        [value for _, value in flatten(figures) if not is_number(value)] if isinstance(figures, Mapping) else [figures]
    )
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


def predictions_of(metric: Metric, references: Rows, predictions: Rows) -> Predictions:
    """Return what a metric is given: examples of made-up words (or texts), two to a document, and mentions of train.

    The log-probabilities are such that ``predictions`` are the likeliest labels.
    """
    import numpy as np

    schema = SCHEMAS[case_of(metric)]
    names = schema.label_names
    labels = [label for row in predictions for label in ((row,) if isinstance(row, str) else row)]
    if metric.numeric:
        scores = np.array([[float(label)] for label in labels], np.float32).reshape(len(labels), 1)
    elif metric.multilabel:
        scores = np.log([[0.9 if name in row else 0.1 for name in names] for row in predictions] or np.zeros((0, 2)))
        scores = scores.astype(np.float32)
    else:
        scores = np.full((len(labels), len(names)), math.log(0.1 / (len(names) - 1)), np.float32)
        scores[np.arange(len(labels)), [names.index(label) for label in labels]] = math.log(0.9)
    examples = [example_of(metric, number, row) for number, row in enumerate(references)]
    return Predictions(
        references=references,
        predictions=predictions,
        schema=schema,
        scores=scores,
        examples=examples,
        train_mentions=(lambda: TRAIN_MENTIONS) if metric.kind == "token" else None,
    )


def example_of(metric: Metric, number: int, labels: Labels) -> Example:
    """Return an example with the gold ``labels``."""
    words = tuple(f"word{index}" for index in range(len(labels))) if metric.kind == "token" else None
    text = None if words is not None else f"text {number}"
    document, fields = f"document {number // 2}", {"number": number}
    return Example(id=str(number), words=words, text=text, labels={"contract": labels}, document=document, extra=fields)


def flatten(figures: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield name and value of every figure; those of a mapping within have names such as ``per_type.PER.f1``."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value.tolist() if hasattr(value, "tolist") else value


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a figure is a real number."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_close(one: Any, other: Any) -> bool:
    """Return whether two figures are the same but for rounding; sequences are compared without their order."""
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return sorted(map(repr, one)) == sorted(map(repr, other or ()))
    return bool(one == other)

"""The scores of a run as tables: whole splits, types and confusion, with 95% confidence intervals. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.evaluation.comparison import CLOSE
from labelkit.metrics.entities import NONE
from labelkit.metrics.intervals import NAME, interval_of
from labelkit.records import Schema
from labelkit.registry import RunDetails, nested
from labelkit.registry.metric_rows import PER_TYPE
from labelkit.report import formatting
from labelkit.report.contents import ReportContents

#: scores that are shown first, after the one that selects checkpoints
FIRST = ("precision", "recall", "f1", "accuracy")
CONFUSION, SUPPORT = "confusion", "support"
#: the entry that names the average over types
AVERAGE = "average"
#: a larger confusion matrix is shown by its most frequent pairs
MATRIX, PAIRS = 30, 30
#: entries that older runs lack
_NESTED = (NAME, CONFUSION)


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """A score with its interval, as text."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Whisker:
    """A score and its interval on an axis from 0 to 100."""

    low: float
    high: float
    at: float


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The scores of a type, or of all types.

    :param colour: the number of the type; None for all types.
    """

    name: str
    colour: int | None
    cells: Sequence[ScoreCell]
    support: str
    whisker: Whisker | None


@dataclass(frozen=True, slots=True)
class OverallScore:
    """A score of a whole split.

    :param key: it selects checkpoints.
    """

    name: str
    cell: ScoreCell
    key: bool


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Gold labels against predicted labels.

    :param columns: predicted labels; ``rows`` of gold labels: name, cells (count, share of the row, whether correct),
        and total.
    :param pairs: gold label, predicted label and count of the most confused labels, in place of a large matrix.
    :param spans: of spans with the same boundaries, where O means no span.
    """

    columns: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[tuple[int, float, bool]], int]] = ()
    pairs: Sequence[tuple[str, str, int]] = ()
    spans: bool = False


@dataclass(frozen=True, slots=True)
class SplitScoreTable:
    """All scores of a split.

    :param warning: why they are not test scores, for such a test split; else empty.
    :param unit: "type" or "label", whose scores are in ``rows``; ``columns``: the names of these scores.
    :param drawn: the column that is drawn, too; empty for none.
    :param options: entries that are words: scheme, mode …
    :param intervals: whether there are any, and ``interval_source`` where they come from, or why there are none.
    """

    split: str
    warning: str
    whole: Sequence[OverallScore]
    unit: str
    columns: Sequence[str]
    rows: Sequence[TypeRow]
    drawn: str
    options: str
    intervals: bool
    interval_source: str
    confusion: ConfusionTable | None
    no_confusion: str

    @property
    def key(self) -> OverallScore | None:
        """The score that selects checkpoints."""
        return next((one for one in self.whole if one.key), None)


def score_tables(contents: ReportContents) -> list[SplitScoreTable]:
    """Return the scores of the selected checkpoint on each split."""
    recorded = nested(contents.details.scores)
    return [
        split_table(split, figures, contents)
        for split in sorted(recorded, key=split_order)
        for figures in recorded[split].values()
    ]


def split_table(split: str, recorded: Mapping[str, Any], contents: ReportContents) -> SplitScoreTable:
    """Return the scores of a split.

    :param recorded: the scores that the run recorded.
    """
    figures, source, missing = complete(split, recorded, contents)
    schema, key = contents.schema, contents.details.record.metric_key
    types: Mapping[str, Mapping[str, Any]] = figures.get(PER_TYPE) or {}
    columns = sorted({name for row in types.values() for name in row} - {SUPPORT}, key=rank_in(*FIRST))
    drawn = next((name for name in (key, "f1", *columns) if name in columns), "")
    colours = label_colours(schema, types)
    rows = [type_row(name, row, figures, columns, drawn, colours[name]) for name, row in sorted(types.items())]
    if rows:
        rows.append(type_row(str(figures.get(AVERAGE, "all")), figures, figures, columns, drawn, None))
    numbers = {name for name, value in figures.items() if isinstance(value, int | float)} - {SUPPORT}
    confusion = confusion_table(figures.get(CONFUSION), schema)
    unit = "texts" if schema and schema.kind == "text" else "sentences"
    options = (
        f"{name} {value}"
        for name, value in figures.items()
        if isinstance(value, str) and not (rows and name == AVERAGE)
    )
    return SplitScoreTable(
        split=split,
        warning=not_a_test(contents.details, split),
        whole=[
            OverallScore(formatting.score_name(name), score_cell(figures, figures, name), name == key)
            for name in sorted(numbers, key=rank_in(key, *FIRST))
        ],
        unit="label" if schema and schema.scheme is None else "type",
        columns=columns,
        rows=rows,
        drawn=drawn if any(row.whisker for row in rows) else "",
        options=", ".join(options),
        intervals=NAME in figures,
        interval_source=f"95% CI: bootstrap over {unit}, {source}." if NAME in figures else f"No 95% CI: {missing}.",
        confusion=confusion,
        no_confusion="" if confusion else missing,
    )


def complete(split: str, recorded: Mapping[str, Any], contents: ReportContents) -> tuple[Mapping[str, Any], str, str]:
    """Return scores with intervals and confusion, also from a later evaluation of the same checkpoint.

    :return: the scores, the source of the intervals, and why there are none, or no confusion.
    """

    def is_nested(value: object) -> bool:
        return isinstance(value, Mapping) and all(isinstance(one, Mapping | list | tuple) for one in value.values())

    source = "recorded with the scores"
    figures = {name: value for name, value in recorded.items() if name not in _NESTED or is_nested(value)}
    if set(_NESTED) <= set(figures):
        return figures, source, ""
    key = contents.details.record.metric_key
    for other_source, others in later_scores(split, contents):
        more = {name: others[name] for name in _NESTED if name not in figures and is_nested(others.get(name))}
        values = [scores.get(key) for scores in (figures, others)]
        one, other = (value if isinstance(value, int | float) else float("nan") for value in values)
        if more and abs(one - other) <= CLOSE:
            return {**figures, **more}, source if NAME in figures else other_source, ""
    missing = "the metric has none"
    if split in contents.unpredicted:
        missing = "none recorded, and there are no predictions to compute them from (see Errors)"
    elif split in contents.predictions and contents.predictions[split].note:
        missing = "none recorded, and the new predictions have another score (see Errors)"
    return figures, source, missing


def later_scores(split: str, contents: ReportContents) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield source and scores of later evaluations of a split, the newest first, then of its predictions."""
    run = contents.details
    hashes = {one.content_hash for one in run.record.splits if one.split == split}
    for one in reversed(run.evaluations):
        if one.source == "evaluate" and one.content_hash in hashes and one.figures:
            yield f"recorded by labelkit evaluate on {formatting.timestamp(one.created)}", one.metrics
    if split in contents.predictions:
        yield f"of predictions {contents.predictions[split].source}", contents.predictions[split].figures


def not_a_test(run: RunDetails, split: str) -> str:
    """Return why the scores of a test split are not test scores; empty if they are."""
    return f"it is the {run.test_seen[0]} split" if split == "test" and run.test_seen else ""


def split_order(split: str) -> int:
    """Return the rank of a split: train, validation, test, others."""
    order = ("train", "validation", "test")
    return order.index(split) if split in order else len(order)


def rank_in(*first: str) -> Callable[[str], tuple[int, str]]:
    """Return a sort key of names: those in ``first`` in this order, then the others by name."""
    return lambda name: (first.index(name) if name in first else len(first), name)


def type_row(
    name: str,
    row: Mapping[str, Any],
    figures: Mapping[str, Any],
    columns: Sequence[str],
    drawn: str,
    colour: int | None,
) -> TypeRow:
    """Return the scores of a type, or of all types if it has no colour.

    :param figures: the scores of the split, with their intervals.
    :param drawn: the score that is drawn, if it and its interval are between 0 and 1.
    """
    type_ = None if colour is None else name
    value, pair = row.get(drawn), interval_of(figures, drawn, type_)
    whisker = None
    if isinstance(value, int | float) and pair and all(0 <= one <= 1 for one in (value, *pair)):
        whisker = Whisker(100 * pair[0], 100 * pair[1], 100 * value)
    return TypeRow(
        name=name,
        colour=colour,
        cells=[score_cell(row, figures, column, type_) for column in columns],
        support=formatting.figure(row.get(SUPPORT), SUPPORT),
        whisker=whisker,
    )


def score_cell(row: Mapping[str, Any], figures: Mapping[str, Any], name: str, type_: str | None = None) -> ScoreCell:
    """Return a score with its interval, as text."""
    return ScoreCell(formatting.figure(row.get(name), name), formatting.interval(interval_of(figures, name, type_)))


def label_colours(schema: Schema | None, names: Iterable[str] = ()) -> dict[str, int]:
    """Return a colour number for each label of the schema, and of ``names``."""
    known = (schema.types or schema.labels) if schema else ()
    return {name: number for number, name in enumerate(dict.fromkeys((*known, *sorted(names))))}


def confusion_table(rows: Mapping[str, Mapping[str, float]] | None, schema: Schema | None) -> ConfusionTable | None:
    """Return a confusion matrix, or the most confused pairs of a large one; None if there is none."""
    if not rows or not all(isinstance(row, Mapping) for row in rows.values()):
        return None
    names = sorted(
        {*rows, *(name for row in rows.values() for name in row)},
        key=rank_in(*label_colours(schema), NONE, f"({NONE})"),
    )
    spans = schema is not None and schema.scheme is not None
    if len(names) > MATRIX:
        pairs = [(gold, guess, int(n)) for gold, row in rows.items() for guess, n in row.items() if gold != guess]
        return ConfusionTable(pairs=sorted(pairs, key=lambda pair: -pair[2])[:PAIRS], spans=spans)
    table = []
    for gold in names:
        counts = [rows.get(gold, {}).get(guess, 0) for guess in names]
        total = sum(counts)
        cells = [(int(n), n / total if total else 0.0, gold == guess) for guess, n in zip(names, counts, strict=True)]
        table.append((gold, cells, int(total)))
    return ConfusionTable(columns=names, rows=table, spans=spans)

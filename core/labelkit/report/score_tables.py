"""The scores of a run as tables: whole splits, types, confusion; each figure with its 95% interval. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.evaluate.comparison import CLOSE
from labelkit.metrics.entities import NONE
from labelkit.metrics.intervals import NAME, interval_of
from labelkit.records import Schema
from labelkit.registry import nested
from labelkit.registry.entities import RunDetails
from labelkit.registry.metric_rows import PER_TYPE
from labelkit.report import formatting as words
from labelkit.report.contents import ReportContents

#: figures that say most, in the order in which they are shown after the deciding one
FIRST = ("precision", "recall", "f1", "accuracy")
CONFUSION, SUPPORT = "confusion", "support"
#: which mean over the types the figures of all of them are
AVERAGE = "average"
#: a matrix is shown of so many labels, else the pairs that are confused most
MATRIX, PAIRS = 30, 30
#: figures that older runs lack
_NESTED = (NAME, CONFUSION)
_RECORDED = "recorded with the scores"
ORDER = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """A figure with its interval, in words."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Whisker:
    """Where a figure and its interval stand between 0 and 1; in hundredths."""

    low: float
    high: float
    at: float


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The figures of a type, or of all.

    :param colour: the number of the type; None for all of them.
    """

    name: str
    colour: int | None
    cells: Sequence[ScoreCell]
    support: str
    whisker: Whisker | None


@dataclass(frozen=True, slots=True)
class OverallScore:
    """A figure of a whole split.

    :param key: it chose the checkpoint.
    """

    name: str
    cell: ScoreCell
    key: bool


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Gold labels against predicted ones.

    :param columns: predicted labels; ``rows`` of gold ones: name, cells of number, share of the row and whether right.
    :param pairs: gold label, predicted one, number: those confused most, where a matrix would be too large.
    :param spans: of spans with the same borders, where O means none.
    """

    columns: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[tuple[int, float, bool]], int]] = ()
    pairs: Sequence[tuple[str, str, int]] = ()
    spans: bool = False


@dataclass(frozen=True, slots=True)
class SplitScoreTable:
    """All scores of a split.

    :param warning: why they are no test scores, of a test split that is none; else empty.
    :param unit: what has figures of its own: a type, or a label; ``columns``: these figures.
    :param drawn: the one of them that is drawn.
    :param how: figures that are words: scheme, mode …
    :param intervals: whether there are any, and ``sure`` where they come from, or why there are none.
    """

    split: str
    warning: str
    whole: Sequence[OverallScore]
    unit: str
    columns: Sequence[str]
    rows: Sequence[TypeRow]
    drawn: str
    how: str
    intervals: bool
    sure: str
    confusion: ConfusionTable | None
    no_confusion: str

    @property
    def key(self) -> OverallScore | None:
        """The deciding figure."""
        return next((one for one in self.whole if one.key), None)


@dataclass(frozen=True, slots=True)
class _Found:
    """Figures of a split, and what is not recorded of them but known.

    :param sure: where intervals come from, in words; empty where there are none.
    :param missing: why there are no intervals, or no confusion.
    """

    figures: Mapping[str, Any]
    sure: str
    missing: str = ""


def scores(material: ReportContents) -> list[SplitScoreTable]:
    """Return the scores of the chosen checkpoint on each split."""
    run = material.details
    recorded = nested(run.scores)
    return [
        _split(split, _completed(material, split, figures), material)
        for split in sorted(recorded, key=lambda name: ORDER.get(name, len(ORDER)))
        for figures in recorded[split].values()
    ]


def _completed(material: ReportContents, split: str, figures: Mapping[str, Any]) -> _Found:
    """Add intervals and confusion where only a later scoring of the same checkpoint on the same examples has them."""
    figures = {name: value for name, value in figures.items() if name not in _NESTED or _is_nested(value)}
    if set(_NESTED) <= set(figures):
        return _Found(figures, _RECORDED)
    for source, others in _others(material, split):
        more = {name: others[name] for name in _NESTED if name not in figures and _is_nested(others.get(name))}
        if more and _agree(figures, others, material.details.record.metric_key):
            return _Found({**figures, **more}, _RECORDED if NAME in figures else source)
    return _Found(figures, _RECORDED if NAME in figures else "", _why_missing(material, split))


def _why_missing(material: ReportContents, split: str) -> str:
    """Return why there are no intervals, or no confusion, of a split."""
    if split in material.unjudged:
        return "none recorded, and there are no labels to compute them from (see Errors)"
    if split in material.judged and material.judged[split].note:
        return "none recorded, and the labels made anew have another score (see Errors)"
    return "the metric has none"


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, Mapping | list | tuple) for one in value.values())


def _others(material: ReportContents, split: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield other scores of a split, the newest recorded ones first, and where they come from."""
    run = material.details
    hashes = {one.content_hash for one in run.record.splits if one.split == split}
    for one in reversed(run.evaluations):
        if one.source == "evaluate" and one.content_hash in hashes and one.figures:
            yield f"recorded by labelkit evaluate on {words.when(one.created)}", one.metrics
    if split in material.judged:
        yield f"of labels {material.judged[split].source}", material.judged[split].figures


def _agree(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    values = one.get(key), other.get(key)
    return all(isinstance(value, int | float) for value in values) and abs(values[0] - values[1]) <= CLOSE  # type: ignore[operator]


def no_test(run: RunDetails, split: str) -> str:
    """Say why the scores of a test split are no test scores; empty where they are."""
    return f"it is the {run.test_seen[0]} split once more" if split == "test" and run.test_seen else ""


def _split(split: str, found: _Found, material: ReportContents) -> SplitScoreTable:
    figures, schema, key = found.figures, material.schema, material.details.record.metric_key
    types: Mapping[str, Mapping[str, Any]] = figures.get(PER_TYPE) or {}
    numbers = [name for name, value in figures.items() if isinstance(value, int | float)]
    columns = _ordered({name for row in types.values() for name in row} - {SUPPORT}, "")
    drawn = next((name for name in (key, "f1", *columns) if name in columns), "")
    colours = colours_of(schema, types)
    rows = [_row(name, row, figures, columns, drawn, colours[name]) for name, row in sorted(types.items())]
    if rows:
        rows.append(_row(str(figures.get(AVERAGE, "all")), figures, figures, columns, drawn, None, whole=True))
    told = {AVERAGE} if rows else set()
    confusion = confused(figures.get(CONFUSION), schema)
    of_what = "texts" if schema and schema.kind == "text" else "sentences"
    missing = f"No 95% intervals: {found.missing}."
    return SplitScoreTable(
        split=split,
        warning=no_test(material.details, split),
        whole=[
            OverallScore(name, _cell(figures, figures, name), name == key)
            for name in _ordered(set(numbers) - {SUPPORT}, key)
        ],
        unit="label" if schema and schema.scheme is None else "type",
        columns=columns,
        rows=rows,
        drawn=drawn if any(row.whisker for row in rows) else "",
        how=", ".join(
            f"{name} {value}" for name, value in figures.items() if isinstance(value, str) and name not in told
        ),
        intervals=NAME in figures,
        sure=f"95% intervals: bootstrap over {of_what}, {found.sure}." if NAME in figures else missing,
        confusion=confusion,
        no_confusion="" if confusion else found.missing,
    )


def _ordered(names: Iterable[str], key: str) -> list[str]:
    order = (key, *FIRST)
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _row(
    name: str,
    row: Mapping[str, Any],
    figures: Mapping[str, Any],
    columns: Sequence[str],
    drawn: str,
    colour: int | None,
    *,
    whole: bool = False,
) -> TypeRow:
    type_ = None if whole else name
    return TypeRow(
        name=name,
        colour=colour,
        cells=[_cell(row, figures, column, type_) for column in columns],
        support=words.figure(row.get(SUPPORT), SUPPORT),
        whisker=_whisker(row.get(drawn), interval_of(figures, drawn, type_)),
    )


def _cell(row: Mapping[str, Any], figures: Mapping[str, Any], name: str, type_: str | None = None) -> ScoreCell:
    return ScoreCell(words.figure(row.get(name), name), words.interval(interval_of(figures, name, type_)))


def _whisker(value: object, pair: Sequence[float] | None) -> Whisker | None:
    if not isinstance(value, int | float) or not pair or not all(0 <= one <= 1 for one in (value, *pair)):
        return None
    return Whisker(100 * pair[0], 100 * pair[1], 100 * value)


def colours_of(schema: Schema | None, names: Iterable[str] = ()) -> dict[str, int]:
    """Return a number for each label, which is its colour."""
    known = (schema.types or schema.labels) if schema else ()
    return {name: number for number, name in enumerate(dict.fromkeys((*known, *sorted(names))))}


def confused(rows: Mapping[str, Mapping[str, float]] | None, schema: Schema | None) -> ConfusionTable | None:
    """Return a confusion as a matrix, or as the pairs confused most where there are many labels; None where none is."""
    if not rows or not all(isinstance(row, Mapping) for row in rows.values()):
        return None
    order = [*colours_of(schema), NONE, f"({NONE})"]
    names = sorted(
        {*rows, *(name for row in rows.values() for name in row)},
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    spans = schema is not None and schema.scheme is not None
    if len(names) > MATRIX:
        pairs = [(gold, guess, int(n)) for gold, row in rows.items() for guess, n in row.items() if gold != guess]
        return ConfusionTable(pairs=sorted(pairs, key=lambda pair: -pair[2])[:PAIRS], spans=spans)
    return ConfusionTable(
        columns=names, rows=[_confused_row(name, rows.get(name, {}), names) for name in names], spans=spans
    )


def _confused_row(
    name: str, row: Mapping[str, float], names: Sequence[str]
) -> tuple[str, Sequence[tuple[int, float, bool]], int]:
    total = sum(row.values())
    cells = [(int(row.get(other, 0)), row.get(other, 0) / total if total else 0.0, other == name) for other in names]
    return name, cells, int(total)

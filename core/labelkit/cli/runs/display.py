"""How lists, rankings and comparisons of runs look in a terminal. Text of users is shown literally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

from labelkit.cli.runs.fitted_table import Column, table
from labelkit.console.text import literal

if TYPE_CHECKING:
    from labelkit.evaluation.comparison import SignificanceTest
    from labelkit.metrics.significance import ScoreDifference
    from labelkit.registry.comparison import ComparedScore, Comparison
    from labelkit.registry.entities import RunSummary
    from labelkit.registry.group_entities import Group, Spread
    from labelkit.registry.ranking import Ranking
    from labelkit.registry.sql_query import ResultTable

#: scores of label types that a table shows
_TYPED_ROWS = 80
Typed = TypeVar("Typed", "ComparedScore", "ScoreDifference")
_HASH = 12
SYNTHETIC = " (synthetic)"
#: figures that are counts even where they are 0 or 1
COUNTS = frozenset({"support", "repaired", "improper", "seen_train", "seen_validation", "accepted"})


def title(console: Console, text: str) -> None:
    """Print a heading."""
    console.print(Text(literal(text, lines=False), style="bold"), soft_wrap=True)


def line(console: Console, text: str, style: str = "") -> None:
    """Print one line, however long it is."""
    console.print(Text(literal(text, lines=False), style=style), soft_wrap=True)


def figure(value: object, *, sign: bool = False) -> str:
    """Format a value for display: numbers rounded, times local, booleans yes or no."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:+.4f}" if sign else number(value)
    return str(value)


def counts(name: str, values: Iterable[object]) -> bool:
    """Return whether the values of the figure ``name`` are counts; 0 and 1 alone may well be scores.

    >>> counts("repaired", [0.0]), counts("gaps", [0.0, 3.0]), counts("f1", [0.0, 1.0]), counts("loss", [0.5, 3.0])
    (True, True, False, False)
    """
    numbers = [value for value in values if isinstance(value, float)]
    whole = all(value.is_integer() for value in numbers)
    return whole and (name in COUNTS or any(abs(value) > 1 for value in numbers))


def number(value: float) -> str:
    """Format a number with four decimals, or with four significant digits where those would be zeros or too long."""
    if value.is_integer() and 1 < abs(value) < 1e15:  # a count; 0 and 1 may well be scores
        return f"{value:.0f}"
    return f"{value:.4f}" if value in (0, 1) or 0.001 <= abs(value) < 1e6 else f"{value:.4g}"


def mebibytes(count: Any) -> str:
    """Format a number of bytes in MiB; None, which was not measured, is a dash."""
    return "–" if count is None else f"{count / 2**20:,.1f} MiB"


def duration(seconds: float | None) -> str:
    """Return a duration in seconds, or in larger units where they say more."""
    if seconds is None:
        return "–"
    if seconds < 600:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


# -- list -------------------------------------------------------------------------------------------------------------


def runs(console: Console, found: Sequence[RunSummary], asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Print a table of runs and return the titles of columns that did not fit.

    :param asked: columns to show instead of the default ones.
    """
    if asked:
        columns = [Column("run")]
        for name in asked:
            values = [one.columns[name] for one in found if one.columns[name] is not None]
            numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
            columns.append(Column(name, right=numeric, least=8))
        return table(console, columns, [(one.id, *(_cell(one.columns[name]) for name in asked)) for one in found])
    shown = [(column, value) for column, value in _LIST if _needed(column, found)]
    return table(console, [column for column, _ in shown], [[value(one) for _, value in shown] for one in found])


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else figure(value)


def data(one: RunSummary) -> str:
    """Return the data reference of a run, marked where its text is synthetic."""
    return one.data + (SYNTHETIC if one.synthetic else "")


def labels(one: RunSummary) -> str:
    """Return aliases, without their task, and tags."""
    return ", ".join((*(f"@{alias.partition('@')[2]}" for alias in one.aliases), *one.tags))


_LIST: tuple[tuple[Column, Any], ...] = (
    (Column("run"), lambda one: one.id),
    (Column("name", least=8, leave=5), lambda one: one.name),
    (Column("group", least=8, leave=8), lambda one: one.group),
    (Column("status"), lambda one: one.shown),
    (Column("started", leave=6), lambda one: f"{one.started.astimezone():%Y-%m-%d %H:%M}"),
    (Column("data", least=10, leave=7, keep=SYNTHETIC), data),
    (Column("model", least=8, leave=3), lambda one: one.model),
    (Column("metric", leave=2), lambda one: one.metric_key),
    (Column("validation", right=True), lambda one: figure(one.validation)),
    (Column("test", right=True), lambda one: figure(one.test)),
    (Column("seconds", right=True, leave=1), lambda one: "–" if one.seconds is None else f"{one.seconds:.0f}"),
    (Column("tags", least=8, leave=4), labels),
)


def _needed(column: Column, found: Sequence[RunSummary]) -> bool:
    """Return whether any run has a value in this column."""
    if column.title == "name":
        return any(one.name for one in found)
    if column.title == "group":
        return any(one.group for one in found)
    return column.title != "tags" or any(one.tags or one.aliases for one in found)


# -- best -------------------------------------------------------------------------------------------------------------


def ranking(console: Console, found: Ranking) -> None:
    """Print a group of runs, the best first, with the reference that means the best."""
    kind = SYNTHETIC if found.synthetic else ""
    better = "highest" if found.higher_is_better else "lowest"
    what = (
        f"{better} {found.metric_key} of {found.metric}, validation {found.content_hash[:_HASH]}, runs: {found.count}"
    )
    title(console, f"{found.reference}  on {found.data}{kind}: {what}")
    shown: list[tuple[Column, Any]] = [
        (Column("run"), lambda one: one.id),
        (Column("name", least=8, leave=2), lambda one: one.name),
        (Column("validation", right=True), lambda one: figure(one.validation)),
        (Column("test", right=True, leave=1), lambda one: figure(one.test)),
        (Column("model", least=8, leave=3), lambda one: one.model),
        (Column("started", leave=4), lambda one: figure(one.started)[:16]),
    ]
    shown = [(column, value) for column, value in shown if _needed(column, found.runs)]
    rows = [(place, *(value(one) for _, value in shown)) for place, one in enumerate(found.runs, 1)]
    table(console, [Column("", right=True), *(column for column, _ in shown)], rows)


# -- compare ----------------------------------------------------------------------------------------------------------


def comparison(console: Console, found: Comparison, *, everything: bool, per_type: bool) -> None:
    """Print runs side by side: differing settings, data and versions, and the scores.

    :param everything: also settings, data and versions that agree.
    :param per_type: also the scores of each label type.
    """
    columns = [Column(letter(index), least=10) for index in range(len(found.runs))]
    first = (
        ("run", found.runs),
        ("status", found.statuses),
        ("seconds", ["–" if one is None else f"{one:.1f}" for one in found.seconds]),
    )
    table(console, [Column(""), *columns], [(name, *values) for name, values in first])
    for note in found.notes:
        line(console, f"note: {note}", "yellow")
    groups = (("run", found.facts), ("setting", found.settings), ("version of", found.versions))
    for name, values in groups:
        rows = [
            (
                one.name,
                *(mebibytes(value) if one.name == "peak_memory" and value else figure(value) for value in one.values),
            )
            for one in values
            if one.differs or everything
        ]
        _section(console, name, columns, rows)
    splits = [
        (one.split, *(f"{hash_[:_HASH]} {count:,}" if hash_ and count is not None else "–" for hash_, count in pairs))
        for one in found.splits
        if one.differs or everything
        for pairs in [list(zip(one.content_hashes, one.examples, strict=True))]
    ]
    _section(console, "data (hash, examples)", columns, splits)
    shown, hidden = _capped(found.scores, per_type=per_type)
    right = [Column(column.title, right=True, least=10) for column in columns]
    several = len({one.task for one in found.scores}) > 1
    _section(console, "score", right, [_score(one, several=several) for one in shown])
    _say_hidden(console, hidden)


def letter(index: int) -> str:
    """Return the letter of a run in a comparison: A, B, …"""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def significance(console: Console, tested: SignificanceTest, second: str, *, per_type: bool) -> None:
    """Print the difference of a run to the first one, with 95% CI and p-value.

    :param second: the letter of the run; the first one is A.
    :param per_type: also those of each label type.
    """
    first = letter(0)
    runs = f"{second} ({tested.second}) against {first} ({tested.first})"
    title(console, f"{runs} on {tested.split} ({tested.examples:,} examples)")
    shown, hidden = _capped(tested.differences, per_type=per_type)
    names = ("figure", first, second, "difference", "95% CI of the difference", "p-value")
    rows = [
        (
            f"{one.type}.{one.name}" if one.type else one.name,
            *(figure(one.first), figure(one.second), figure(one.difference, sign=True)),
            f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}",
            f"{one.p_value:.4f}",
        )
        for one in shown
    ]
    table(console, [Column(name, right=name != "figure", least=10) for name in names], rows)
    _say_hidden(console, hidden)
    for note in tested.notes:
        line(console, f"note: {note}", "yellow")


def _capped(scores: Sequence[Typed], *, per_type: bool) -> tuple[list[Typed], int]:
    """Return the scores to print, those of label types up to a limit, and the number of those left out."""
    typed = [one for one in scores if one.type is not None]
    kept = set(map(id, typed[:_TYPED_ROWS])) if per_type else set()
    shown = [one for one in scores if one.type is None or id(one) in kept]
    return shown, len(typed) - len(kept) if per_type else 0


def _say_hidden(console: Console, hidden: int) -> None:
    if hidden:
        line(console, f"and {hidden:,} more scores of label types: --json has all")


def _section(console: Console, name: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        console.print()
        table(console, [Column(name, least=20), *columns], rows)


def _score(one: ComparedScore, *, several: bool) -> tuple[str, ...]:
    name = ".".join(filter(None, (one.task if several else None, one.split, one.type, one.name)))
    marks = (" *" if one.key else "") + ("" if one.comparable else " (not comparable)")
    whole = counts(one.name, one.values)
    values = [int(value) if whole and isinstance(value, float) else value for value in one.values]
    cells = [figure(values[0])]
    for value, difference in zip(values[1:], one.differences[1:], strict=True):
        close = difference is not None and one.comparable
        change = "=" if not difference else f"{difference:+.0f}" if whole else f"{difference:+.4f}"
        cells.append(f"{figure(value)} ({change})" if close else figure(value))
    return (name + marks, *cells)


def groups(console: Console, found: Sequence[Group], notes: Iterable[str]) -> None:
    """Print the scores of groups side by side: mean ± standard deviation, and the difference to the first mean."""
    columns = [Column(one.id, right=True, least=10) for one in found]
    table(console, [Column(""), *columns], [("runs", *(len(one.runs) for one in found))])
    for note in notes:
        line(console, f"note: {note}", "yellow")
    means = [_means(one) for one in found]
    rows = [
        (name, *_mean_cells([one.get(name) for one in means])) for name in dict.fromkeys(n for m in means for n in m)
    ]
    _section(console, "score", columns, rows)


def _means(found: Group) -> dict[str, Spread]:
    """Return the figures of whole splits, the one that chooses the checkpoint first."""
    named = [(f"{split}.{name}{' *' * (name == found.metric_key)}", one) for split, name, one in found.split_metrics]
    return dict(sorted(named, key=lambda item: (not item[0].endswith("*"), split_order(item[0].partition(".")[0]))))


def _mean_cells(row: Sequence[Spread | None]) -> Iterable[str]:
    for one in row:
        if one is None:
            yield "–"
            continue
        deviation = "" if one.std is None else f" ± {one.std:.4f}"
        first = row[0]
        change = f" ({one.mean - first.mean:+.4f})" if first and one is not first else ""
        yield f"{one.mean:.4f}{deviation}{change}"


# -- query ------------------------------------------------------------------------------------------------------------


def result(console: Console, found: ResultTable, most: int) -> None:
    """Print the first rows of a table."""
    shown = found.rows[:most]
    right = [
        all(row[index] is None or (isinstance(row[index], int | float)) for row in shown)
        for index in range(len(found.columns))
    ]
    columns = [Column(literal(name), right=side, least=8) for name, side in zip(found.columns, right, strict=True)]
    table(
        console, columns, [[figure(value) if isinstance(value, datetime) else value for value in row] for row in shown]
    )


def split_order(name: str) -> tuple[int, str]:
    """Return the sort key of a split: train, validation, test, others by name."""
    return ({"train": 0, "validation": 1, "test": 2}.get(name, 3), name)


def scores_of(nested_scores: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    """Yield split, task and figures, validation before test."""
    for split in sorted(nested_scores, key=split_order):
        for task, figures in nested_scores[split].items():
            yield split, task, figures

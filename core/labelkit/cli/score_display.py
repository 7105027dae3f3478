"""Print the result of a run and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from labelkit.console.tables import cell, figure, table
from labelkit.metrics import CURVES
from labelkit.registry.metric_rows import most_frequent_types
from labelkit.report.formatting import score_name

if TYPE_CHECKING:
    from labelkit.registry import Group, Spread
    from labelkit.train.run import RunResult

#: the precisions for which thresholds are shown
PRECISIONS = (0.9, 0.95, 0.99)
SYNTHETIC = "on a synthetic corpus: these scores say nothing about real text"
TRIPLE = ("precision", "recall", "f1")
#: the key that names the average of the three over the types, e.g. ``micro``
AVERAGE = "average"


def print_result(console: Console, done: RunResult) -> None:
    """Print the scores of a run, its checkpoint, and the command that labels with it."""
    for split, tasks in done.metrics.items():
        for task, figures in tasks.items():
            print_scores(console, f"{split} ({task})", figures)
    if done.group:
        print_group(console, done.group)
    if done.synthetic:
        console.print(Text(SYNTHETIC, style="yellow"))
    # not wrapped: paths and commands are copied from the terminal
    console.print(cell(f"{done.seconds:.0f} s, checkpoint {done.checkpoint}"), soft_wrap=True)
    console.print(cell(f'label something:  labelkit label {done.name or done.run} --text "…"'), soft_wrap=True)


def print_group(console: Console, found: Group) -> None:
    """Print the mean, standard deviation and range of the scores of a group's runs, the selecting metric first."""
    seeds = ", ".join(map(str, found.seeds))
    several = "1 run, seed" if len(found.runs) == 1 else f"{len(found.runs)} runs, seeds"
    missing = f", not finished: {', '.join(found.others)}" if found.others else ""
    splits = list(found.metrics)

    def order(row: tuple[str, str, Spread]) -> tuple[int, bool, str]:
        split, name, _ = row
        return splits.index(split), name != found.metric_key, name

    rows = [
        (
            f"{split}.{name}{' *' * (name == found.metric_key)}",
            # counts are whole numbers
            *(
                f"{value:.0f}" if value is not None and value > 1 and value.is_integer() else figure(value)
                for value in (one.mean, one.std, one.min, one.max)
            ),
        )
        for split, name, one in sorted(found.split_metrics, key=order)
    ]
    title = f"group {found.id}: {several} {seeds}{missing}"
    table(console, ("score", ">mean", ">std", ">min", ">max"), rows, title=title)
    for run in found.runs:
        console.print(cell(f"  {run}"))
    console.print()


def print_scores(console: Console, title: str, figures: Mapping[str, Any]) -> None:
    """Print overall and per-type scores of a split."""
    console.print(Text(title, style="bold"))
    per_type, left_out = most_frequent_types(figures.get("per_type") or {})
    columns = (*TRIPLE, "support")
    rows = [
        (type_, *(figure(row.get(name)) for name in columns), interval(figures, "f1", type_))
        for type_, row in per_type.items()
        if any(name in row for name in columns)
    ]
    # the prefixes of precision, recall and F1 that come together: none, macro_, span_
    prefixes = [name.removesuffix("precision") for name in figures if name.endswith("precision") and "." not in name]
    wholes = [
        prefix
        for prefix in prefixes
        if (prefix or "support" in figures) and all(f"{prefix}{name}" in figures for name in TRIPLE)
    ]
    rows += [overall_row(figures, prefix) for prefix in wholes]
    if rows:
        interval_column = ("F1 95% CI",) if any(row[-1] for row in rows) else ()
        headings = ("type", ">precision", ">recall", ">F1", ">support", *interval_column)
        table(console, headings, [row[: len(headings)] for row in rows])
    print_other_types(
        console, {type_: row for type_, row in per_type.items() if not any(name in row for name in columns)}
    )
    if left_out:
        console.print(cell(f"and {left_out:,} rarer types: --json has all"))
    shown = {"per_type", *(f"{prefix}{name}" for prefix in wholes for name in TRIPLE)}
    shown |= {f"{prefix}support" for prefix in wholes} | ({AVERAGE} if "" in wholes else set())
    rest = [
        f"{score_name(name)} {figure(value)} {interval(figures, name)}".rstrip()
        for name, value in figures.items()
        if name not in shown and not isinstance(value, Mapping)
    ]
    console.print(cell(", ".join(rest)))
    if pairs := confused(figures):
        console.print(cell(f"most confused: {', '.join(pairs)}"))
    console.print()


def print_curves(console: Console, figures: Mapping[str, Any]) -> None:
    """Print points of the precision-recall curve: for each type the thresholds that reach some precisions."""
    if CURVES not in figures:
        return
    from labelkit.metrics.threshold_curves import SplitCurves

    curves = SplitCurves.from_json(figures[CURVES])
    types, left_out = most_frequent_types(
        {type_: {"support": one.support} for type_, one in curves.per_type.items()}, 10
    )
    rows = []
    for name, curve in [("micro", curves.micro), *((type_, curves.per_type[type_]) for type_ in types)]:
        for target in PRECISIONS:
            if point := curve.reaching("precision", target):
                values = (point.threshold, point.precision, point.recall, point.f1)
                rows.append((name, f"{target:g}", *map(figure, values)))
    if rows:
        headings = ("type", ">precision at least", ">threshold", ">precision", ">recall", ">F1")
        table(console, headings, rows, title="labels above a threshold of their score")
    if left_out:
        console.print(cell(f"and {left_out:,} rarer types: --json has all"))
    console.print()


def print_other_types(console: Console, per_type: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the scores of types that have neither precision, recall and F1 nor a support, by whatever names."""
    names = list(dict.fromkeys(name for row in per_type.values() for name in row))
    if names:
        rows = [(type_, *(figure(row.get(name)) for name in names)) for type_, row in per_type.items()]
        table(console, ("type", *(f">{score_name(name)}" for name in names)), rows)


def overall_row(figures: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    """Return the row of scores over all types: name of the average, precision, recall, F1, support, 95% CI.

    :param prefix: of the names of the scores: ``macro_``, ``span_`` for boundary scores, or empty.
    """
    name = {"": str(figures.get(AVERAGE, "all")), "span_": "boundary"}.get(prefix, prefix.rstrip("_"))
    values = (figure(figures[f"{prefix}{part}"]) for part in TRIPLE)
    support = figure(figures[f"{prefix}support"]) if f"{prefix}support" in figures else ""
    return name, *values, support, interval(figures, f"{prefix}f1")


def interval(figures: Mapping[str, Any], name: str, type_: str | None = None) -> str:
    """Return the 95% CI of a score as text; empty if there is none."""
    known = figures.get("intervals") or {}
    row = known.get("per_type", {}).get(type_, {}) if type_ is not None else known
    return f"[{row[name][0]:.4f}, {row[name][1]:.4f}]" if name in row else ""


def confused(figures: Mapping[str, Any], most: int = 5) -> list[str]:
    """Return the most frequent confusions of labels, gold as predicted: ``LOC as ORG 12``."""
    rows = figures.get("confusion") or {}
    # a missed or spurious span is not a confusion of labels
    pairs = [
        (gold, predicted, number)
        for gold, row in rows.items()
        for predicted, number in row.items()
        if gold != predicted and "O" not in (gold, predicted)
    ]
    pairs.sort(key=lambda pair: -pair[2])
    return [f"{gold} as {predicted} {number:g}" for gold, predicted, number in pairs[:most]]

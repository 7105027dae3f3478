"""How the result of a run and its scores look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from labelkit.console.tables import cell, figure, table
from labelkit.report.formatting import score_name

if TYPE_CHECKING:
    from labelkit.registry import Group, Spread
    from labelkit.train.run import RunResult

SYNTHETIC = "on a synthetic corpus: these scores say nothing about real text"
TRIPLE = ("precision", "recall", "f1")
#: the figure that says over which average of the types the three are
AVERAGE = "average"


def print_result(console: Console, done: RunResult) -> None:
    """Print what a run achieved and what to do with it."""
    for split, tasks in done.metrics.items():
        for figures in tasks.values():
            print_scores(console, f"{split} ({done.task})", figures)
    if done.group:
        print_group(console, done.group)
    if done.synthetic:
        console.print(Text(SYNTHETIC, style="yellow"))
    # one line each, however narrow the terminal: these are for copying
    console.print(cell(f"{done.seconds:.0f} s, checkpoint {done.checkpoint}"), soft_wrap=True)
    console.print(cell(f'label something:  labelkit label {done.name or done.run} --text "…"'), soft_wrap=True)


def print_group(console: Console, found: Group) -> None:
    """Print what the runs of a group scored: mean, spread and range of each figure of whole splits."""
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
            *map(_value, (one.mean, one.std, one.min, one.max)),
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
    per_type = figures.get("per_type") or {}
    rows = [
        (type_, *(figure(row.get(name)) for name in (*TRIPLE, "support")), interval(figures, "f1", type_))
        for type_, row in per_type.items()
    ]
    wholes = [prefix for prefix in _prefixes(figures) if prefix or "support" in figures]
    rows += [_whole(figures, prefix) for prefix in wholes]
    if rows:
        sure = ("F1 95% CI",) if any(row[-1] for row in rows) else ()
        columns = ("type", ">precision", ">recall", ">F1", ">support", *sure)
        table(console, columns, [row[: len(columns)] for row in rows])
    shown = {"per_type", *(f"{prefix}{name}" for prefix in wholes for name in TRIPLE)}
    shown |= {"support", AVERAGE} if "" in wholes else set()
    rest = [
        f"{score_name(name)} {figure(value)} {interval(figures, name)}".rstrip()
        for name, value in figures.items()
        if name not in shown and not isinstance(value, Mapping)
    ]
    console.print(cell(", ".join(rest)))
    if pairs := confused(figures):
        console.print(cell(f"most confused: {', '.join(pairs)}"))
    console.print()


def _prefixes(figures: Mapping[str, Any]) -> list[str]:
    """Return what stands before each precision, recall and F1 that come together: nothing, ``macro_``, ``span_``."""
    found = [name.removesuffix("precision") for name in figures if name.endswith("precision") and "." not in name]
    return [prefix for prefix in found if all(f"{prefix}{name}" in figures for name in TRIPLE)]


def _whole(figures: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    """Return the row of figures over all types, by the name of their average where they have one."""
    name = {"": str(figures.get(AVERAGE, "all")), "span_": "boundary"}.get(prefix, prefix.rstrip("_"))
    values = (figure(figures[f"{prefix}{part}"]) for part in TRIPLE)
    support = "" if prefix else figure(figures["support"])
    return name, *values, support, interval(figures, f"{prefix}f1")


def interval(figures: Mapping[str, Any], name: str, type_: str | None = None) -> str:
    """Return the 95% CI of a score as text; empty if there is none."""
    known = figures.get("intervals") or {}
    row = known.get("per_type", {}).get(type_, {}) if type_ is not None else known
    return f"[{row[name][0]:.4f}, {row[name][1]:.4f}]" if name in row else ""


def confused(figures: Mapping[str, Any], most: int = 5) -> list[str]:
    """Return the labels that are taken for another most often, as ``LOC as ORG 12``."""
    rows = figures.get("confusion") or {}
    # no label at all, on either side, is no confusion of labels
    pairs = [
        (gold, guess, number)
        for gold, row in rows.items()
        for guess, number in row.items()
        if gold != guess and "O" not in (gold, guess)
    ]
    pairs.sort(key=lambda pair: -pair[2])
    return [f"{gold} as {guess} {number:g}" for gold, guess, number in pairs[:most]]


def _value(value: float | None) -> str:
    return f"{value:.0f}" if value is not None and value > 1 and value.is_integer() else figure(value)

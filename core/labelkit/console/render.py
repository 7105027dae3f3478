"""How results look in a terminal: tables and coloured spans. Text of users is shown literally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labelkit.console.text import literal, shorten
from labelkit.labels.schemes import spans_of

if TYPE_CHECKING:
    from labelkit.config.plan import Plan
    from labelkit.data.corpus import Corpus
    from labelkit.data.summary import Lengths, SplitSummary
    from labelkit.plugins.catalog import PluginInfo
    from labelkit.records import Example, Labelled
    from labelkit.registry import Group
    from labelkit.train.preparation import PreparedRun
    from labelkit.train.run import RunResult

COLOURS = (
    "cyan",
    "magenta",
    "green",
    "yellow",
    "blue",
    "red",
    "bright_cyan",
    "bright_magenta",
    "bright_green",
)
#: so many places an id takes at most beside its example
ID_WIDTH = 24
SYNTHETIC = "on a synthetic corpus: these scores say nothing about real text"


def cell(value: object) -> Text:
    """Return any value as one line of literal text."""
    return Text(literal("" if value is None else str(value), lines=False), overflow="fold")


def table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table; columns whose name begins with ``>`` are set to the right."""
    if title is not None:  # not the table's own title: that would be wrapped to the table's width
        console.print(Text(literal(title, lines=False), style="bold"))
    grid = Table(box=None, pad_edge=False)
    for name in columns:
        grid.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        grid.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    console.print(grid)


def figure(value: object) -> str:
    """Return a figure as people read it."""
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


# -- run --------------------------------------------------------------------------------------------------------------


def plan(console: Console, checked: Plan, prepared: PreparedRun) -> None:
    """Print a plan, where each value came from, and what was found."""
    name = f"task {checked.task.name}, recipe {checked.recipe}"
    rows = [(key, _plain(item.value), item.origin) for key, item in checked.settings.items()]
    table(console, ("setting", "value", "from"), rows, title=name)
    console.print()
    splits = prepared.corpus.splits.values()
    counts = [
        (s.name, f"{len(s.examples):,}", f"{s.words:,}", s.ref + (" (carved)" if s.carved else "")) for s in splits
    ]
    table(console, ("split", ">examples", ">words", "from"), counts)
    console.print()
    console.print(cell(f"labels  {' '.join(prepared.corpus.schema.label_names)}"))
    console.print(
        cell(f"encoder {prepared.encoder.folder} ({prepared.encoder.revision}, {prepared.encoder.sha256[:12]})")
    )


def plan_document(checked: Plan, prepared: PreparedRun) -> dict[str, Any]:
    """Return what :func:`plan` prints, ready for JSON."""
    corpus, encoder = prepared.corpus, prepared.encoder
    return {
        "task": checked.task.name,
        "recipe": checked.recipe,
        "plan": checked.as_dict(),
        "splits": {
            name: {
                "examples": len(s.examples),
                "words": s.words,
                "from": s.ref,
                "carved": s.carved,
                "hash": s.content_hash,
            }
            for name, s in corpus.splits.items()
        },
        "labels": list(corpus.schema.label_names),
        "encoder": {"folder": str(encoder.folder), "revision": encoder.revision, "sha256": encoder.sha256},
    }


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def result(console: Console, done: RunResult) -> None:
    """Print what a run achieved and what to do with it."""
    for split, tasks in done.metrics.items():
        for figures in tasks.values():
            scores(console, f"{split} ({done.task})", figures)
    if done.group:
        group(console, done.group)
    if done.synthetic:
        console.print(Text(SYNTHETIC, style="yellow"))
    # one line each, however narrow the terminal: these are for copying
    console.print(cell(f"{done.seconds:.0f} s, checkpoint {done.checkpoint}"), soft_wrap=True)
    console.print(cell(f'label something:  labelkit label {done.name or done.run} --text "…"'), soft_wrap=True)


def group(console: Console, found: Group) -> None:
    """Print what the runs of a group scored: mean, spread and range of each figure of whole splits."""
    seeds = ", ".join(map(str, found.seeds))
    several = "1 run, seed" if len(found.runs) == 1 else f"{len(found.runs)} runs, seeds"
    missing = f", not finished: {', '.join(found.others)}" if found.others else ""
    rows = [
        (f"{split}.{name}{' *' * (name == found.metric_key)}", *map(_spread, (one.mean, one.std, one.min, one.max)))
        for split, tasks in found.metrics.items()
        for figures in tasks.values()
        for name, one in sorted(figures.items(), key=lambda item: (item[0] != found.metric_key, item[0]))
        if name != "per_type"
    ]
    title = f"group {found.id}: {several} {seeds}{missing}"
    table(console, ("score", ">mean", ">deviation", ">least", ">greatest"), rows, title=title)
    for run in found.runs:
        console.print(cell(f"  {run}"))
    console.print()


def _spread(value: float | None) -> str:
    return f"{value:.0f}" if value is not None and value > 1 and value.is_integer() else figure(value)


TRIPLE = ("precision", "recall", "f1")
#: the figure that says which mean over the types the three are
AVERAGE = "average"


def scores(console: Console, title: str, figures: Mapping[str, Any]) -> None:
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
        sure = ("95% of F1",) if any(row[-1] for row in rows) else ()
        columns = ("type", ">precision", ">recall", ">F1", ">support", *sure)
        table(console, columns, [row[: len(columns)] for row in rows])
    shown = {"per_type", *(f"{prefix}{name}" for prefix in wholes for name in TRIPLE)}
    shown |= {"support", AVERAGE} if "" in wholes else set()
    rest = [
        f"{name} {figure(value)} {interval(figures, name)}".rstrip()
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
    name = {"": str(figures.get(AVERAGE, "all")), "span_": "borders only"}.get(prefix, prefix.rstrip("_"))
    values = (figure(figures[f"{prefix}{part}"]) for part in TRIPLE)
    support = "" if prefix else figure(figures["support"])
    return name, *values, support, interval(figures, f"{prefix}f1")


def interval(figures: Mapping[str, Any], name: str, type_: str | None = None) -> str:
    """Return the 95% interval that stands beside a figure, as people read it; empty where there is none."""
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


# -- label ------------------------------------------------------------------------------------------------------------


def colours(labels: Iterable[str]) -> dict[str, str]:
    """Return a colour for each label, the same one each time for the same set of labels."""
    return dict(zip(sorted(set(labels)), cycle(COLOURS), strict=False))


def console_into(stream: TextIO, *, colour: bool) -> Console:
    """Return a console that draws into ``stream``."""
    return Console(
        file=stream,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
        width=160,
        legacy_windows=False,
    )


def labelled(console: Console, record: Labelled, palette: Mapping[str, str], *, texts: bool = False) -> None:
    """Print a text with its spans in colour, each followed by its label; or the scores of a whole text.

    :param palette: label → colour.
    :param texts: show a text over its scores.
    """
    if record.scores is not None:
        if texts:
            console.print(Text(literal(record.text)), soft_wrap=True)
        rows = sorted(record.scores.items(), key=lambda item: -item[1])
        table(
            console,
            ("label", ">score"),
            [(Text(name, style=palette.get(name, "")), f"{score:.4f}") for name, score in rows],
        )
        return
    shown, end = Text(), 0
    for span in record.spans or ():
        shown.append(literal(record.text[end : span.start]))
        colour = palette.get(span.label, "white")
        shown.append(f"[{literal(span.text)}]", style=f"bold {colour}")
        shown.append(f"{literal(span.label, lines=False)}", style=f"italic {colour}")
        end = span.end
    shown.append(literal(record.text[end:]))
    console.print(shown, soft_wrap=True)
    if record.coverage.fallback:
        note = f"{record.coverage.fallback} of {record.coverage.words} words mean nothing to the encoder"
        console.print(Text(f"{note} and got the fallback label", style="yellow"))


# -- data -------------------------------------------------------------------------------------------------------------


def corpus(
    console: Console, data: Corpus, split: str, examples: Sequence[Example], figures: Sequence[SplitSummary]
) -> None:
    """Print random examples with their labels, and what the splits hold."""
    palette = colours(data.schema.types or data.schema.labels)
    read = f", read as {data.scheme_read}" if data.scheme_read else ""
    kind = "synthetic, " if data.synthetic else ""
    title = f"{data.reference} ({kind}layer {data.layer}{read}): {len(examples)} examples of {split}"
    rows = [(shorten(example.id, ID_WIDTH), example_text(example, data, palette)) for example in examples]
    table(console, (">id", "example"), rows, title=title)
    console.print()
    _counts(console, figures, palette, "texts" if data.kind == "text" else "words")
    rows_ = [
        (
            f.name + (" (carved)" if f.carved else ""),
            f"{f.examples:,}",
            f"{f.words:,}",
            f.documents or "–",
            *_lengths(f.lengths),
        )
        for f in figures
    ]
    columns = (
        "split",
        ">examples",
        ">words",
        ">documents",
        ">shortest",
        ">median",
        ">mean",
        ">95%",
        ">longest",
    )
    table(console, columns, rows_, title="lengths in words")
    for note in data.notes:
        console.print(Text(literal(note), style="yellow"))


def example_text(example: Example, data: Corpus, palette: Mapping[str, str]) -> Text:
    """Return an example with its spans, or its labels, in colour."""
    labels = example.labels[data.layer]
    if isinstance(labels, str) or example.words is None:
        return Text.assemble(
            (f"{labels} ", f"bold {palette.get(str(labels), 'white')}"),
            literal(example.text or "", lines=False),
        )
    shown = Text(overflow="fold")
    scheme = data.schema.scheme
    spans = spans_of(labels, scheme) if scheme else [(i, i + 1, label) for i, label in enumerate(labels)]
    starts = {start: (stop, label) for start, stop, label in spans}
    position = 0
    while position < len(example.words):
        stop, label = starts.get(position, (position + 1, ""))
        words = literal(" ".join(example.words[position:stop]), lines=False)
        colour = palette.get(label, "white")
        shown.append(f"[{words}]" if label and scheme else words, style=f"bold {colour}" if label else "")
        shown.append(literal(label if scheme else f"/{label}" if label else "", lines=False), style=f"italic {colour}")
        shown.append(" ")
        position = stop
    return shown


def _counts(console: Console, figures: Sequence[SplitSummary], palette: Mapping[str, str], kind: str) -> None:
    """Print how often each span type, or else each label, occurs in each split.

    :param kind: what has a label.
    """
    spans = any(f.spans for f in figures)
    counts = [f.spans if spans else f.labels for f in figures]
    names = sorted({name for each in counts for name in each}, key=lambda name: -counts[0].get(name, 0))
    rows = [
        (
            Text(literal(name, lines=False), style=palette.get(name, "")),
            *(f"{each.get(name, 0):,}" for each in counts),
        )
        for name in names
    ]
    title = "spans of each type" if spans else f"{kind} with each label"
    table(console, (title, *(f">{f.name}" for f in figures)), rows)
    console.print()


def _lengths(lengths: Lengths) -> tuple[str, ...]:
    return (
        str(lengths.min),
        f"{lengths.median:g}",
        f"{lengths.mean:.1f}",
        str(lengths.p95),
        str(lengths.max),
    )


# -- what is there ----------------------------------------------------------------------------------------------------


def plugins(console: Console, infos: Iterable[PluginInfo]) -> None:
    """Print every plugin with what became of it."""
    rows = [
        (
            info.name,
            info.version,
            info.origin,
            ", ".join(hook.removeprefix("labelkit_") for hook in info.hooks),
            info.status,
            "; ".join(filter(None, (info.reason, *info.notes))),
        )
        for info in infos
    ]
    table(console, ("name", "version", "origin", "hooks", "status", "reason"), rows)

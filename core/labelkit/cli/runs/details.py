"""How everything about a run looks in a terminal, in sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from labelkit.cli.runs.curves import curve
from labelkit.cli.runs.drawing import counts, duration, figure, line, mebibytes, scores_of, split_order, title
from labelkit.cli.runs.tables import Column, table
from labelkit.cli.score_display import SYNTHETIC, interval, print_group, print_scores

if TYPE_CHECKING:
    from labelkit.registry.entities import CheckpointRecord, Evaluation, RunDetails
    from labelkit.registry.metric_rows import Figure

_HASH = 12
_WIDEST, _HEIGHT = 60, 7
#: the figure that tells whether a scoring counts as a test
_TEST_SCORE = "test_score"
#: who looked at test without a score of its own
_LOOKS = {"errors": "a look by labelkit errors", "compare": "a look by labelkit runs compare --significance"}


def details(console: Console, run: RunDetails, nested_scores: Mapping[str, Any]) -> None:
    """Print everything about a run: what it is, scores, curves, data, files, settings and versions."""
    record = run.record
    names = " ".join((*([record.name] if record.name else []), *run.aliases, *(f"#{tag}" for tag in run.tags)))
    title(console, f"{record.id}  {names}".strip())
    _pairs(console, _facts(run))
    if run.notes:
        _pairs(console, ((f"note {figure(note.created)[:16]}", note.text) for note in run.notes))
    console.print()
    for split, task, figures in scores_of(nested_scores):
        seen = f", no test: it is the {run.test_seen[0]} split" if split == "test" and run.test_seen else ""
        print_scores(console, f"{split} ({task}{seen})", _counts(figures))
    if record.synthetic:
        line(console, SYNTHETIC, "yellow")
    if run.test_scored:
        line(console, f"the test split was scored {_times(run.test_scored)} in this registry")
    if record.synthetic or run.test_scored:
        console.print()
    if run.group:
        print_group(console, run.group)
    _curves(console, run)
    _data(console, run)
    _files(console, run)
    _history(console, run)
    console.print()
    table(console, (Column("setting"), Column("value", least=20), Column("from", least=12)), _settings(run))
    console.print()
    rows = [(f"{one.kind} {one.name}", one.version) for one in record.versions]
    table(console, (Column("version of"), Column("", least=12)), rows)


def _facts(run: RunDetails) -> Iterable[tuple[str, str]]:
    record = run.record
    ended = f" to {figure(run.ended)}" if run.ended else ""
    changed = " (with changes)" if record.git_dirty else ""
    revision = f" ({record.model_revision})" if record.model_revision else ""
    digest = f" sha256 {record.model_sha256[:_HASH]}" if record.model_sha256 else ""
    yield "status", f"{run.shown} after {duration(run.seconds)}" if run.seconds is not None else run.shown
    if run.error:
        yield "error", run.error
    if run.hint:
        yield "hint", run.hint
    yield "started", f"{figure(record.started)}{ended}"
    yield "data", record.data + (" (synthetic)" if record.synthetic else "")
    yield "model", f"{record.model}{revision}{digest}"
    better = "higher" if record.higher_is_better else "lower"
    yield "metric", f"{record.metric} ({record.metric_key}, {better} is better)"
    yield "recipe", f"{record.recipe or '–'}, seed {record.seed}"
    if record.group:
        yield "group", record.group
    if record.device_type:
        yield "device", f"{record.device_type}: {record.device_count} × {record.device_name}, {record.precision}"
    if record.driver:
        yield "driver", record.driver
    if record.peak_memory:
        yield "peak memory", mebibytes(record.peak_memory)
    yield "git commit", f"{record.git_commit or '–'}{changed}"
    yield "labelkit", f"{record.labelkit}, Python {record.python}"
    yield "process", f"{record.pid} on {record.host}"
    yield "command", record.command


def _counts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with counts as whole numbers again: the registry keeps every number as a fraction."""
    return {
        name: _counts(value) if isinstance(value, Mapping) else _counted(name, value) for name, value in figures.items()
    }


def _counted(name: str, value: object) -> object:
    return int(value) if isinstance(value, float) and counts(name, [value]) else value


def _curves(console: Console, run: RunDetails) -> None:
    key = run.record.metric_key
    drawn = (
        (f"validation {key}", _points(run.metrics, "validation", key)),
        ("train loss", _points(run.metrics, "train", "loss")),
    )
    for name, points in drawn:
        if len(points) < 2:
            continue
        lines = curve(points, width=max(10, min(_WIDEST, console.width - 15)), height=_HEIGHT)
        if not lines:
            continue
        title(console, name)
        for each in lines:
            line(console, each)
        beside = lines[0].index(" ") + 1 if lines[0][0] != " " else 0
        start, end = f"step {points[0][0]:g}", f"{points[-1][0]:g}"
        space = len(lines[0]) - beside - len(start)
        line(console, f"{' ' * beside}{start}{end:>{max(space, len(end) + 1)}}")
        console.print()


def _points(figures: Iterable[Figure], split: str, name: str) -> list[tuple[float, float | None]]:
    found = [one for one in figures if (one.split, one.name, one.type) == (split, name, None)]
    return sorted((one.step, one.value) for one in found if one.value is not None)


def _data(console: Console, run: RunDetails) -> None:
    columns = (
        Column("split"),
        Column("examples", right=True),
        Column("words", right=True),
        Column("content hash"),
        Column("from", least=16),
    )
    rows = [
        (
            one.split,
            f"{one.examples:,}",
            f"{one.words:,}",
            one.content_hash[:_HASH],
            one.ref + (" (held out)" if one.carved else ""),
        )
        for one in sorted(run.record.splits, key=lambda one: split_order(one.split))
    ]
    table(console, columns, rows)


def _files(console: Console, run: RunDetails) -> None:
    if run.checkpoints:
        console.print()
        columns = (
            *(Column("step", right=True), Column("epoch", right=True), Column(""), Column("size", right=True)),
            *(Column("files", right=True), Column("checkpoint", least=30)),
        )
        table(console, columns, [_checkpoint(one) for one in run.checkpoints if not one.removed])
        removed = sum(1 for one in run.checkpoints if one.removed)
        if removed:
            line(console, f"checkpoints deleted since: {removed}")
    if run.outputs:
        console.print()
        written = (Column("written"), Column("records", right=True), Column("output", least=30), Column("sha256"))
        rows = [
            (figure(one.created)[:16], one.records, f"{one.kind}: {one.host}:{one.path}", one.sha256[:_HASH])
            for one in run.outputs
        ]
        table(console, written, rows)


def _checkpoint(one: CheckpointRecord) -> Sequence[Any]:
    marks = " ".join(name for name, marked in (("best", one.best), ("last", one.last)) if marked)
    missing = "missing: " if one.folder and not one.folder.is_dir() else ""
    size = sum(size for size, _ in one.files.values())
    return one.step, f"{one.epoch:g}", marks, mebibytes(size), len(one.files), f"{missing}{one.place}"


def _history(console: Console, run: RunDetails) -> None:
    if run.attempts:
        console.print()
        rows = [
            (one.number, one.status, figure(one.ended), figure(one.resumed), f"{one.pid} on {one.host}", one.error)
            for one in run.attempts
        ]
        names = ("attempt", "status", "ended", "resumed", "process")
        table(console, (*(Column(name) for name in names), Column("error", least=20)), rows)
    scored = [one for one in run.evaluations if one.source != "run"]
    if scored:
        console.print()
        columns = (
            *(Column(name) for name in ("evaluated", "split")),
            Column("data", least=16),
            Column("scores", least=20),
        )
        table(console, columns, [_evaluation(one) for one in scored])


def _evaluation(scored: Evaluation) -> Sequence[str]:
    figures = _scores(scored) or _LOOKS.get(scored.source, "")
    return figure(scored.created)[:16], scored.split + _not_test(scored), scored.ref, figures


def _scores(scored: Evaluation) -> str:
    """Return the whole figures of a scoring, each with its interval."""
    metrics = scored.metrics
    return ", ".join(
        f"{one.name} {figure(_counted(one.name, one.value))} {interval(metrics, one.name)}".rstrip()
        for one in scored.figures
        if one.type is None and one.text is None and one.name != _TEST_SCORE
    )


def _not_test(scored: Evaluation) -> str:
    """Return a mark for a scoring on data that training or selection saw."""
    return " (seen)" if any(one.name == _TEST_SCORE and one.value == 0 for one in scored.figures) else ""


def _settings(run: RunDetails) -> list[tuple[str, str, str]]:
    return [(one.key, one.text, one.origin) for one in run.record.plan]


def _pairs(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    for name, text in pairs:
        line(console, f"  {name:<12} {text}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

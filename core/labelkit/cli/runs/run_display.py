"""How the full record of a run looks in a terminal, in sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from labelkit.cli.runs.braille_chart import curve
from labelkit.cli.runs.display import counts, duration, figure, line, mebibytes, scores_of, split_order, title
from labelkit.cli.runs.fitted_table import Column, table
from labelkit.cli.score_display import SYNTHETIC, interval, print_group, print_scores

if TYPE_CHECKING:
    from labelkit.registry.entities import Evaluation, RunDetails

_HASH = 12
_WIDEST, _HEIGHT = 60, 7
#: the figure that says whether an evaluation counts as a test
_TEST_SCORE = "test_score"
#: evaluations that record no scores of their own
_WITHOUT_SCORES = {"errors": "read by labelkit errors", "compare": "read by labelkit runs compare --significance"}


def details(console: Console, run: RunDetails, nested_scores: Mapping[str, Any]) -> None:
    """Print the full record of a run: summary, scores, curves, data, files, settings and versions."""
    record = run.record
    names = " ".join((*([record.name] if record.name else []), *run.aliases, *(f"#{tag}" for tag in run.tags)))
    title(console, f"{record.id}  {names}".strip())
    notes = ((f"note {figure(note.created)[:16]}", note.text) for note in run.notes)
    assumed = (one.shown for one in record.assumptions)
    for name, text in (*summary_rows(run), *assumed, *notes):
        line(console, f"  {name:<12} {text}")
    console.print()
    for split, task, figures in scores_of(nested_scores):
        seen = f", not a test: it is the {run.test_seen[0]} split" if split == "test" and run.test_seen else ""
        print_scores(console, f"{split} ({task}{seen})", with_integer_counts(figures))
    if record.synthetic:
        line(console, SYNTHETIC, "yellow")
    if run.test_scored:
        times = "once" if run.test_scored == 1 else f"{run.test_scored} times"
        line(console, f"the test split was scored {times} in this registry")
    if record.synthetic or run.test_scored:
        console.print()
    if run.group:
        print_group(console, run.group)
    print_curves(console, run)
    print_splits(console, run)
    print_files(console, run)
    print_publications(console, run)
    print_history(console, run)
    console.print()
    settings = [(one.key, one.text, one.origin) for one in record.plan]
    table(console, (Column("setting"), Column("value", least=20), Column("from", least=12)), settings)
    console.print()
    versions = [(f"{one.kind} {one.name}", one.version) for one in record.versions]
    table(console, (Column("version of"), Column("", least=12)), versions)


def summary_rows(run: RunDetails) -> Iterable[tuple[str, str]]:
    """Yield the name and text of each fact: status, data, model, metric, device, commit, command."""
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
    yield "data", (record.data or "–") + (" (synthetic)" if record.synthetic else "")
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


def with_integer_counts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with their counts as integers again: the registry stores every number as a float."""
    return {
        name: with_integer_counts(value) if isinstance(value, Mapping) else integer_if_count(name, value)
        for name, value in figures.items()
    }


def integer_if_count(name: str, value: object) -> object:
    """Return a count as an integer, any other figure as it is."""
    return int(value) if isinstance(value, float) and counts(name, [value]) else value


def print_curves(console: Console, run: RunDetails) -> None:
    """Print the validation score and the training loss over the steps."""
    key = run.record.metric_key
    for heading, split, name in ((f"validation {key}", "validation", key), ("train loss", "train", "loss")):
        points = sorted(
            (one.step, one.value)
            for one in run.metrics
            if (one.split, one.name, one.type) == (split, name, None) and one.value is not None
        )
        if len(points) < 2:
            continue
        lines = curve(points, width=max(10, min(_WIDEST, console.width - 15)), height=_HEIGHT)
        if not lines:
            continue
        title(console, heading)
        for each in lines:
            line(console, each)
        beside = lines[0].index(" ") + 1 if lines[0][0] != " " else 0
        start, end = f"step {points[0][0]:g}", f"{points[-1][0]:g}"
        space = len(lines[0]) - beside - len(start)
        line(console, f"{' ' * beside}{start}{end:>{max(space, len(end) + 1)}}")
        console.print()


def print_splits(console: Console, run: RunDetails) -> None:
    """Print the size, content hash and origin of each split."""
    splits = sorted(run.record.splits, key=lambda one: split_order(one.split))
    table(
        console,
        (
            Column("split"),
            Column("examples", right=True),
            Column("words", right=True),
            Column("content hash"),
            Column("from", least=16),
        ),
        [
            (
                one.split,
                f"{one.examples:,}",
                f"{one.words:,}",
                one.content_hash[:_HASH],
                one.ref + (" (held out)" if one.carved else ""),
            )
            for one in splits
        ],
    )


def print_files(console: Console, run: RunDetails) -> None:
    """Print the checkpoints of a run, and the outputs written with it."""
    if run.checkpoints:
        console.print()
        columns = (
            *(Column("step", right=True), Column("epoch", right=True), Column(""), Column("size", right=True)),
            *(Column("files", right=True), Column("checkpoint", least=30)),
        )
        rows: list[Sequence[Any]] = []
        for one in run.checkpoints:
            if one.removed:
                continue
            marks = " ".join(name for name, marked in (("best", one.best), ("last", one.last)) if marked)
            missing = "missing: " if one.folder and not one.folder.is_dir() else ""
            size = sum(size for size, _ in one.files.values())
            rows.append((one.step, f"{one.epoch:g}", marks, mebibytes(size), len(one.files), f"{missing}{one.place}"))
        table(console, columns, rows)
        if removed := sum(1 for one in run.checkpoints if one.removed):
            line(console, f"checkpoints deleted since: {removed}")
    if run.outputs:
        console.print()
        written = (Column("written"), Column("records", right=True), Column("output", least=30), Column("sha256"))
        outputs = [
            (figure(one.created)[:16], one.records, f"{one.kind}: {one.host}:{one.path}", one.sha256[:_HASH])
            for one in run.outputs
        ]
        table(console, written, outputs)


def print_publications(console: Console, run: RunDetails) -> None:
    """Print the repositories that checkpoints of a run were pushed to."""
    if not run.publications:
        return
    console.print()
    places = (Column("repository", least=20), Column("commit"), Column("as"))
    rows = []
    for one in run.publications:
        name = one.pull_request or one.tag or one.revision
        rows.append((figure(one.created)[:16], one.step, one.repository, one.commit_id[:_HASH], name))
    table(console, (Column("pushed"), Column("step", right=True), *places), rows)


def print_history(console: Console, run: RunDetails) -> None:
    """Print the attempts of a run, and the evaluations of its checkpoints since."""
    if run.attempts:
        console.print()
        rows = [
            (one.number, one.status, figure(one.ended), figure(one.resumed), f"{one.pid} on {one.host}", one.error)
            for one in run.attempts
        ]
        names = ("attempt", "status", "ended", "resumed", "process")
        table(console, (*(Column(name) for name in names), Column("error", least=20)), rows)
    if scored := [one for one in run.evaluations if one.source != "run"]:
        console.print()
        columns = (
            *(Column(name) for name in ("evaluated", "split")),
            Column("data", least=16),
            Column("scores", least=20),
        )
        table(console, columns, [evaluation_row(one) for one in scored])


def evaluation_row(scored: Evaluation) -> Sequence[str]:
    """Return when, on what and with which scores, each with its 95% interval, a checkpoint was evaluated."""
    metrics = scored.metrics
    figures = ", ".join(
        f"{one.name} {figure(integer_if_count(one.name, one.value))} {interval(metrics, one.name)}".rstrip()
        for one in scored.figures
        if one.type is None and one.text is None and one.name != _TEST_SCORE
    )
    # data that training or model selection has seen is no test
    seen = " (seen)" if any(one.name == _TEST_SCORE and one.value == 0 for one in scored.figures) else ""
    scores = figures or _WITHOUT_SCORES.get(scored.source, "")
    return figure(scored.created)[:16], scored.split + seen, scored.ref, scores

"""What a run is, read and left behind, as rows of text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.metrics.intervals import interval_of
from labelkit.registry import nested
from labelkit.registry.entities import CheckpointRecord, Evaluation, Group, RunDetails, Spread
from labelkit.registry.metric_rows import PER_TYPE
from labelkit.report import formatting as words
from labelkit.report.contents import ReportContents
from labelkit.report.score_tables import FIRST, ORDER, SUPPORT, colours_of, no_test

SYNTHETIC = "Synthetic text: these scores say nothing about real text."
Pairs = Sequence[tuple[str, str]]
#: sources of scorings that are called otherwise than their command
_COMMANDS = {"compare": "runs compare --significance"}


@dataclass(frozen=True, slots=True)
class SplitRow:
    """A split as the run read it."""

    name: str
    examples: str
    words: str
    documents: str
    hash: str
    ref: str
    carved: bool


@dataclass(frozen=True, slots=True)
class LabelDistribution:
    """How often each label occurs.

    :param rows: label, its colour, and for each of ``splits`` the number and the share in hundredths, or None.
    :param missing: why splits are left out, one line each.
    """

    what: str
    splits: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[tuple[str, float] | None]]]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class ScoringRow:
    """A scoring after training, or the run's own one of test."""

    when: str
    by: str
    split: str
    ref: str
    examples: str
    score: str
    interval: str
    counts: str


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A checkpoint."""

    step: str
    epoch: str
    marks: str
    created: str
    size: str
    sha256: str
    state: str


def about(run: RunDetails) -> Pairs:
    """Return who made the run, when, with what."""
    record = run.record
    changed = " (with changes)" if record.git_dirty else ""
    revision = f" ({record.model_revision})" if record.model_revision else ""
    better = "highest" if record.higher_is_better else "lowest"
    pairs: list[tuple[str, str | None]] = [
        ("run", record.id),
        ("status", f"{run.shown} after {words.duration(run.seconds)}" if run.seconds is not None else run.shown),
        ("error", run.error),
        ("hint", run.hint),
        ("started", words.when(record.started)),
        ("ended", words.when(run.ended) if run.ended else None),
        ("task", record.task),
        ("data", record.data + (" (synthetic)" if record.synthetic else "")),
        ("model", record.model + revision),
        ("weights of the model", f"sha256 {record.model_sha256}" if record.model_sha256 else None),
        ("recipe", record.recipe),
        ("seed", str(record.seed)),
        ("chosen by", f"{better} {record.metric_key} of {record.metric} on validation"),
        ("group", record.group),
        ("device", device(run)),
        ("driver", record.driver),
        ("peak memory", words.size(record.peak_memory) if record.peak_memory else None),
        ("git commit", f"{record.git_commit}{changed}" if record.git_commit else None),
        ("labelkit", f"{record.labelkit}, Python {record.python}"),
        ("process", f"{record.pid} on {record.host}"),
        ("command", record.command),
        ("called", ", ".join(run.aliases)),
        ("tags", ", ".join(run.tags)),
    ]  # fmt: skip
    return [(name, text) for name, text in pairs if text]


def device(run: RunDetails) -> str | None:
    """Return what the run computed on; None where nothing is recorded."""
    record = run.record
    if not record.device_type:
        return None
    return f"{record.device_type}: {record.device_count} × {record.device_name}, {record.precision}"


def splits(material: ReportContents) -> list[SplitRow]:
    """Return the splits, train first."""
    found = sorted(material.details.record.splits, key=lambda one: ORDER.get(one.split, len(ORDER)))
    documents = {name: summary.documents for name, summary in material.summaries.items()}
    return [
        SplitRow(
            name=one.split,
            examples=f"{one.examples:,}",
            words=f"{one.words:,}",
            documents=f"{documents[one.split]:,}" if documents.get(one.split) else words.NOTHING,
            hash=one.content_hash,
            ref=one.ref,
            carved=one.carved,
        )
        for one in found
    ]


def distribution(material: ReportContents) -> LabelDistribution:
    """Return how often each label occurs: as read again, else as the scores tell."""
    spans = bool(material.schema and material.schema.scheme)
    counts = {name: dict(summary.spans if spans else summary.labels) for name, summary in material.summaries.items()}
    missing = []
    for split, why in material.unread.items():
        if supports := _supports(material, split):
            counts[split] = supports
        else:
            missing.append(f"{split}: {why}")
    names = list(colours_of(material.schema, {name for each in counts.values() for name in each}).items())
    order = sorted(counts, key=lambda name: ORDER.get(name, len(ORDER)))
    totals = {split: sum(each.values()) for split, each in counts.items()}
    rows = [
        (name, number, [_share(counts[split].get(name, 0), totals[split]) for split in order])
        for name, number in names
        if order
    ]
    if order:
        rows.sort(key=lambda row: -counts[order[0]].get(row[0], 0))
    kind = "spans" if spans else "texts" if material.details.record.kind == "text" else "words"
    return LabelDistribution(
        what=f"{kind} of each {'type' if spans else 'label'}", splits=order, rows=rows, missing=missing
    )


def _supports(material: ReportContents, split: str) -> dict[str, int]:
    tasks = nested(material.details.scores).get(split, {})
    types = next(iter(tasks.values()), {}).get(PER_TYPE, {})
    return {name: int(row[SUPPORT]) for name, row in types.items() if isinstance(row.get(SUPPORT), int | float)}


def _share(number: int, total: int) -> tuple[str, float]:
    return f"{number:,}", 100 * number / total if total else 0.0


def scorings(run: RunDetails) -> list[ScoringRow]:
    """Return every scoring of the run's checkpoints after training, in order."""
    scores = nested(run.scores)
    return [_scoring(one, run, scores.get(one.split, {}).get(one.task, {})) for one in run.evaluations]


def _scoring(one: Evaluation, run: RunDetails, recorded: Mapping[str, Any]) -> ScoringRow:
    own, key = one.source == "run", run.record.metric_key
    figures = recorded if own else one.metrics
    tested = (0 if no_test(run, one.split) else 1) if own else figures.get("test_score")
    return ScoringRow(
        when=words.when(one.created),
        by="the run itself" if own else f"labelkit {_COMMANDS.get(one.source, one.source)}",
        split=one.split,
        ref=one.ref,
        examples=f"{one.examples:,}",
        score=words.figure(figures[key], key) if key in figures else words.NOTHING,
        interval=words.interval(interval_of(figures, key)),
        counts="yes" if tested == 1 else "no: seen in training or selection" if tested == 0 else words.NOTHING,
    )


def checkpoints(run: RunDetails) -> list[CheckpointRow]:
    """Return the checkpoints in the order in which they were made, deleted ones too."""
    return [_checkpoint(one) for one in run.checkpoints]


def _checkpoint(one: CheckpointRecord) -> CheckpointRow:
    weights = next((sha256 for name, (_, sha256) in sorted(one.files.items()) if name.endswith(".safetensors")), "")
    return CheckpointRow(
        step=f"{one.step:,}",
        epoch=words.epoch(one.epoch),
        marks=", ".join(name for name, marked in (("best", one.best), ("last", one.last)) if marked),
        created=words.when(one.created),
        size=words.size(sum(size for size, _ in one.files.values())) if one.files else words.NOTHING,
        sha256=weights,
        state=_state(one),
    )


def _state(one: CheckpointRecord) -> str:
    if one.removed:
        return f"deleted {words.when(one.removed)}"
    if one.folder is None:
        return one.place
    return one.place if one.folder.is_dir() else f"missing: {one.place}"


def spreads(group: Group | None) -> list[tuple[str, Spread, bool]]:
    """Return the figures of whole splits over the runs of a group: name, spread, and whether it is the deciding one."""
    if group is None:
        return []
    names = (group.metric_key, *FIRST)

    def order(row: tuple[str, str, Spread]) -> tuple[int, int, str]:
        split, name, _ = row
        return ORDER.get(split, len(ORDER)), names.index(name) if name in names else len(names), name

    return [
        (f"{split} {name}", one, name == group.metric_key)
        for split, name, one in sorted(group.split_metrics, key=order)
        if name != SUPPORT
    ]


def steps(run: RunDetails) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the figures of the curves as a table: its columns, and a row for each step that was scored."""
    key = run.record.metric_key
    wanted = {("train", "loss"): "training loss", ("validation", "loss"): "validation loss"}
    wanted |= {("validation", name): f"validation {name}" for name in dict.fromkeys((key, *FIRST))}
    values: dict[int, dict[str, str]] = {}
    for one in run.metrics:
        if one.type is None and one.value is not None and (one.split, one.name) in wanted:
            row = values.setdefault(one.step, {"epoch": words.epoch(one.epoch)})
            row[wanted[one.split, one.name]] = words.figure(one.value, one.name)
    columns = ["epoch", *(name for name in wanted.values() if any(name in row for row in values.values()))]
    rows = [(f"{step:,}", *(row.get(name, words.NOTHING) for name in columns)) for step, row in sorted(values.items())]
    return ["step", *columns], rows

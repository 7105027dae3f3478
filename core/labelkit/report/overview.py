"""The run, its data, its evaluations and its checkpoints as rows of text. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelkit.metrics.intervals import interval_of
from labelkit.registry import CheckpointRecord, Group, RunDetails, Spread, nested
from labelkit.registry.metric_rows import PER_TYPE
from labelkit.report import formatting
from labelkit.report.contents import ReportContents
from labelkit.report.score_tables import FIRST, SUPPORT, label_colours, not_a_test, rank_in, split_order

SYNTHETIC = "Synthetic text: these scores say nothing about real text."
Pairs = Sequence[tuple[str, str]]


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
    """The frequency of each label in each split.

    :param rows: label, its colour, and count and percentage in each of ``splits``.
    :param missing: why splits are left out, one line each.
    """

    what: str
    splits: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[tuple[str, float]]]]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """An evaluation of a checkpoint of the run after training, its own test score included."""

    when: str
    by: str
    split: str
    ref: str
    examples: str
    score: str
    interval: str
    test_score: str


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A checkpoint of the run."""

    step: str
    epoch: str
    marks: str
    created: str
    size: str
    sha256: str
    state: str


def about(run: RunDetails) -> Pairs:
    """Return the facts of a run: by whom, when and with what it was trained."""
    record = run.record
    changed = " (with changes)" if record.git_dirty else ""
    revision = f" ({record.model_revision})" if record.model_revision else ""
    better = "highest" if record.higher_is_better else "lowest"
    pairs: list[tuple[str, str | None]] = [
        ("run", record.id),
        ("status", run.shown + (f" after {formatting.duration(run.seconds)}" if run.seconds is not None else "")),
        ("error", run.error),
        ("hint", run.hint),
        ("started", formatting.timestamp(record.started)),
        ("ended", formatting.timestamp(run.ended) if run.ended else None),
        ("task", record.task),
        ("data", record.data + (" (synthetic)" if record.synthetic else "")),
        *(one.shown for one in record.assumptions),
        ("model", record.model + revision),
        ("model weights", f"sha256 {record.model_sha256}" if record.model_sha256 else None),
        ("recipe", record.recipe),
        ("seed", str(record.seed)),
        ("selected by", f"{better} {record.metric_key} of {record.metric} on validation"),
        ("group", record.group),
        ("device", device(run)),
        ("driver", record.driver),
        ("peak memory", formatting.size(record.peak_memory) if record.peak_memory else None),
        ("git commit", f"{record.git_commit}{changed}" if record.git_commit else None),
        ("labelkit", f"{record.labelkit}, Python {record.python}"),
        ("process", f"{record.pid} on {record.host}"),
        ("command", record.command),
        ("aliases", ", ".join(run.aliases)),
        ("tags", ", ".join(run.tags)),
    ]  # fmt: skip
    return [(name, text) for name, text in pairs if text]


def device(run: RunDetails) -> str | None:
    """Return the hardware that the run used; None if none is recorded."""
    record = run.record
    if not record.device_type:
        return None
    return f"{record.device_type}: {record.device_count} × {record.device_name}, {record.precision}"


def splits(contents: ReportContents) -> list[SplitRow]:
    """Return the splits, train first."""
    documents = {name: summary.documents for name, summary in contents.summaries.items()}
    return [
        SplitRow(
            name=one.split,
            examples=f"{one.examples:,}",
            words=f"{one.words:,}",
            documents=f"{documents[one.split]:,}" if documents.get(one.split) else formatting.NOTHING,
            hash=one.content_hash,
            ref=one.ref,
            carved=one.carved,
        )
        for one in sorted(contents.details.record.splits, key=lambda one: split_order(one.split))
    ]


def distribution(contents: ReportContents) -> LabelDistribution:
    """Return the frequency of each label: in the data where it can be read, or else by the recorded support."""
    schema, recorded = contents.schema, nested(contents.details.scores)
    spans = bool(schema and schema.scheme)
    counts = {name: dict(summary.spans if spans else summary.labels) for name, summary in contents.summaries.items()}
    missing = []
    for split, why in contents.unread.items():
        types = next(iter(recorded.get(split, {}).values()), {}).get(PER_TYPE, {})
        supports = {name: int(row[SUPPORT]) for name, row in types.items() if isinstance(row.get(SUPPORT), int | float)}
        if supports:
            counts[split] = supports
        else:
            missing.append(f"{split}: {why}")
    order = sorted(counts, key=split_order)
    colours = label_colours(schema, {name for each in counts.values() for name in each}) if order else {}
    totals = {split: sum(each.values()) or 1 for split, each in counts.items()}
    rows = [
        (name, colour, [(f"{n:,}", 100 * n / totals[split]) for split in order for n in [counts[split].get(name, 0)]])
        for name, colour in sorted(colours.items(), key=lambda item: -counts[order[0]].get(item[0], 0))
    ]
    kind = "spans" if spans else "texts" if contents.details.record.kind == "text" else "words"
    what = f"{kind} of each {'type' if spans else 'label'}"
    return LabelDistribution(what=what, splits=order, rows=rows, missing=missing)


def evaluations(run: RunDetails) -> list[EvaluationRow]:
    """Return the evaluations of the run's checkpoints after training, in order."""
    counted: dict[object, str] = {1: "yes", 0: "no: used in training or selection"}
    scores, key, rows = nested(run.scores), run.record.metric_key, []
    for one in run.evaluations:
        own = one.source == "run"
        figures = scores.get(one.split, {}).get(one.task, {}) if own else one.metrics
        tested = (0 if not_a_test(run, one.split) else 1) if own else figures.get("test_score")
        command = "runs compare --significance" if one.source == "compare" else one.source
        rows.append(
            EvaluationRow(
                when=formatting.timestamp(one.created),
                by="the run itself" if own else f"labelkit {command}",
                split=one.split,
                ref=one.ref,
                examples=f"{one.examples:,}",
                score=formatting.figure(figures[key], key) if key in figures else formatting.NOTHING,
                interval=formatting.interval(interval_of(figures, key)),
                test_score=counted.get(tested, formatting.NOTHING),
            )
        )
    return rows


def checkpoint_row(one: CheckpointRecord) -> CheckpointRow:
    """Return a checkpoint as text, also one that was deleted."""
    weights = (sha256 for name, (_, sha256) in sorted(one.files.items()) if name.endswith(".safetensors"))
    missing = one.folder is not None and not one.folder.is_dir()
    state = f"missing: {one.place}" if missing else one.place
    return CheckpointRow(
        step=f"{one.step:,}",
        epoch=formatting.epoch(one.epoch),
        marks=", ".join(name for name, marked in (("best", one.best), ("last", one.last)) if marked),
        created=formatting.timestamp(one.created),
        size=formatting.size(sum(size for size, _ in one.files.values())) if one.files else formatting.NOTHING,
        sha256=next(weights, ""),
        state=f"deleted {formatting.timestamp(one.removed)}" if one.removed else state,
    )


def spreads(group: Group | None) -> list[tuple[str, Spread, bool]]:
    """Return the scores of whole splits over the runs of a group: name, spread, whether it selects checkpoints."""
    if group is None:
        return []
    rank = rank_in(group.metric_key, *FIRST)
    rows = sorted(group.split_metrics, key=lambda row: (split_order(row[0]), rank(row[1])))
    return [
        (f"{split} {formatting.score_name(name)}", spread, name == group.metric_key)
        for split, name, spread in rows
        if name != SUPPORT
    ]


def steps(run: RunDetails) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the scores during training as a table: its columns, and a row for each evaluated step."""
    wanted = {("train", "loss"): "training loss", ("validation", "loss"): "validation loss"}
    wanted |= {("validation", name): f"validation {name}" for name in dict.fromkeys((run.record.metric_key, *FIRST))}
    values: dict[int, dict[str, str]] = {}
    for one in run.metrics:
        if one.type is None and one.value is not None and (one.split, one.name) in wanted:
            row = values.setdefault(one.step, {"epoch": formatting.epoch(one.epoch)})
            row[wanted[one.split, one.name]] = formatting.figure(one.value, one.name)
    columns = ["epoch", *(name for name in wanted.values() if any(name in row for row in values.values()))]
    return ["step", *columns], [
        (f"{step:,}", *(row.get(name, formatting.NOTHING) for name in columns)) for step, row in sorted(values.items())
    ]

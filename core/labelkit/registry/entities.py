"""What goes into the registry and what comes out: plain frozen records, no database objects."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

from labelkit.events import Status
from labelkit.registry.liveness import is_stale, now
from labelkit.registry.metric_rows import PER_TYPE, Figure, nested


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanValue:
    """One setting of the resolved plan.

    :param text: the value as text, JSON where it is not a string.
    :param number: the same as a number, where it is one, for comparisons.
    :param origin: where it came from: a default, a recipe, a flag, ``auto`` …
    """

    key: str
    text: str
    number: float | None = None
    origin: str = ""

    @classmethod
    def of(cls, key: str, value: object, origin: str = "") -> PlanValue:
        """Return the setting ``key`` of any plain ``value``.

        >>> PlanValue.of("train.epochs", 3, "recipe quickstart")
        PlanValue(key='train.epochs', text='3', number=3.0, origin='recipe quickstart')
        """
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return cls(key=key, text=text, number=float(value) if numeric else None, origin=origin)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRecord:
    """The version of a plugin's distribution, of a library, or of the system, that took part in a run."""

    kind: Literal["plugin", "library", "system"]
    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitRecord:
    """A split as the run read it.

    :param ref: the data reference it came from.
    :param content_hash: of its examples, in hex; runs are comparable where the validation hashes are equal.
    :param carved: cut from train by labelkit, because the data had no such split.
    """

    split: str
    ref: str
    content_hash: str
    examples: int
    words: int
    carved: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """All that is known of a run besides how it goes; what is learned later has a default here.

    :param id: see :func:`labelkit.registry.new_run_id`.
    :param name: the user's own name for it (``--name``).
    :param task: the task's name; several joined by ``+``.
    :param data: the data reference as given.
    :param model: the model reference as given.
    :param metric: the metric that chooses the checkpoint.
    :param metric_key: the figure of it that does, as named in the metrics recorded.
    :param group: what the runs of one ``--seeds`` share.
    :param peak_memory: in bytes.
    :param schema: the label schemas, ready for JSON.
    """

    id: str
    task: str
    kind: str
    data: str
    model: str
    metric: str
    metric_key: str
    labelkit: str
    seed: int
    higher_is_better: bool = True
    synthetic: bool = False
    name: str | None = None
    group: str | None = None
    recipe: str | None = None
    model_revision: str | None = None
    model_sha256: str | None = None
    device_type: str | None = None
    device_name: str | None = None
    device_count: int | None = None
    precision: str | None = None
    driver: str | None = None
    peak_memory: int | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    schema: Mapping[str, Any] | None = None
    started: datetime = field(default_factory=now)
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    command: str = field(default_factory=lambda: shlex.join(sys.argv))
    python: str = field(default_factory=platform.python_version)
    plan: tuple[PlanValue, ...] = ()
    versions: tuple[VersionRecord, ...] = ()
    splits: tuple[SplitRecord, ...] = ()


class RunFacts(TypedDict, total=False):
    """What :meth:`Recorder.update` may add to a run; rows given replace those of the same key."""

    model_revision: str | None
    model_sha256: str | None
    device_type: str | None
    device_name: str | None
    device_count: int | None
    precision: str | None
    driver: str | None
    peak_memory: int | None
    synthetic: bool
    schema: Mapping[str, Any] | None
    plan: tuple[PlanValue, ...]
    versions: tuple[VersionRecord, ...]
    splits: tuple[SplitRecord, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRecord:
    """A checkpoint folder, and where it is.

    :param path: relative to the root of its store.
    :param host: the machine of its store, as last seen.
    :param root: the folder of its store on that machine, as last seen.
    :param folder: the absolute folder, when its store is the home in use; else None.
    :param removed: when it was deleted, if it was.
    :param files: name → (size in bytes, SHA-256).
    """

    id: int
    run: str
    store: str
    host: str
    root: str
    path: str
    step: int
    epoch: float
    best: bool
    last: bool
    created: datetime
    removed: datetime | None
    folder: Path | None
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is, for people: its folder, or ``elsewhere (host:root)``."""
        return str(self.folder) if self.folder else f"elsewhere ({self.host}:{self.root})"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """A run on one line.

    :param validation: the deciding figure of the chosen checkpoint on validation.
    :param test: the same figure on test.
    :param aliases: what it is called now, as ``TASK@ALIAS``.
    :param columns: what else was asked for, by the names asked with.
    """

    id: str
    name: str | None
    task: str
    kind: str
    status: Status
    started: datetime
    ended: datetime | None
    seconds: float | None
    data: str
    model: str
    recipe: str | None
    synthetic: bool
    group: str | None
    metric: str
    metric_key: str
    higher_is_better: bool
    heartbeat: datetime
    host: str
    pid: int
    error: str | None
    validation: float | None
    test: float | None
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stale(self) -> bool:
        """Whether it says that it is running, but died."""
        return is_stale(self.status, self.heartbeat, self.host, self.pid)

    @property
    def shown(self) -> Status:
        """The status as people should see it: ``stale`` for a run that died without a word."""
        return "stale" if self.stale else self.status


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What somebody wrote about a run."""

    created: datetime
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An earlier attempt at a run that was resumed.

    :param ended: when it ended or, where nobody recorded that, last showed that it lived.
    :param resumed: when the next attempt began.
    """

    number: int
    status: Status
    ended: datetime
    resumed: datetime
    error: str | None
    host: str
    pid: int
    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One scoring of a checkpoint after training.

    :param source: ``"run"`` for the test score of the run itself, ``"evaluate"`` for ``labelkit evaluate``, ``"onnx"``
        for an ONNX model of the checkpoint, ``"errors"`` and ``"compare"`` for looks at test by ``labelkit errors`` and
        ``labelkit runs compare --significance``.
    :param figures: not of ``run``, whose own stand in its scores, nor of looks.
    """

    id: int
    run: str
    source: Literal["run", "evaluate", "onnx", "errors", "compare"]
    task: str
    ref: str
    split: str
    content_hash: str
    examples: int
    created: datetime
    figures: tuple[Figure, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The figures in nested form: name → value, and ``per_type``."""
        return nested(self.figures).get(self.split, {}).get(self.task, {})


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputRecord:
    """A file that a labeller wrote.

    :param step: of the checkpoint that made it.
    :param kind: ``"labelled"``, ``"predictions"``, ``"report"`` …
    :param path: absolute, on ``host``, when it was written.
    """

    run: str
    step: int | None
    kind: str
    host: str
    path: str
    size: int
    sha256: str
    records: int | None
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """What several runs scored.

    :param std: the sample standard deviation; None of a single run.
    """

    mean: float
    std: float | None
    min: float
    max: float
    runs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The runs of one ``--seeds``.

    :param metric_key: the figure that chooses their checkpoints.
    :param seeds: of the runs that finished, and ``runs`` their ids, in the order of the seeds.
    :param others: the ids of those that did not.
    :param metrics: split → task → figure → :class:`Spread` over the runs that finished; ``per_type`` inside.
    """

    id: str
    metric_key: str
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    others: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def split_metrics(self) -> list[tuple[str, str, Spread]]:
        """Split, name and spread of each metric of a whole split."""
        return [
            (split, name, value)
            for split, tasks in self.metrics.items()
            for metrics in tasks.values()
            for name, value in metrics.items()
            if name != PER_TYPE
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetails:
    """Everything about a run.

    :param scores: the figures of the chosen checkpoint, the last ones per split.
    :param metrics: every figure by step.
    :param checkpoints: in the order they were made, deleted ones too.
    :param attempts: the earlier ones, where it was resumed.
    :param aliases: what it is called now, as ``TASK@ALIAS``.
    :param evaluations: the scorings of its checkpoints after training, in order.
    :param test_scored: how often anybody in this registry has scored the data of this run's test split.
    :param outputs: the files that its labeller wrote.
    :param group: what the runs of its group scored, where it is of one.
    """

    record: RunRecord
    status: Status
    heartbeat: datetime
    ended: datetime | None
    seconds: float | None
    error: str | None
    hint: str | None
    scores: tuple[Figure, ...]
    metrics: tuple[Figure, ...]
    checkpoints: tuple[CheckpointRecord, ...]
    attempts: tuple[Attempt, ...] = ()
    tags: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    aliases: tuple[str, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    test_scored: int = 0
    outputs: tuple[OutputRecord, ...] = ()
    group: Group | None = None

    @property
    def stale(self) -> bool:
        """Whether it says that it is running, but died."""
        return is_stale(self.status, self.heartbeat, self.record.host, self.record.pid)

    @property
    def shown(self) -> Status:
        """The status as people should see it: ``stale`` for a run that died without a word."""
        return "stale" if self.stale else self.status

    @property
    def test_seen(self) -> tuple[str, ...]:
        """The splits that are the test split once more, by content hash: what it scored there is no test score."""
        splits = {one.split: one.content_hash for one in self.record.splits}
        return tuple(name for name in ("train", "validation") if name in splits and splits[name] == splits.get("test"))

    @property
    def best(self) -> CheckpointRecord | None:
        """The chosen checkpoint, unless it was deleted."""
        return next((one for one in self.checkpoints if one.best and not one.removed), None)

    @property
    def last(self) -> CheckpointRecord | None:
        """The newest checkpoint, unless it was deleted."""
        return next((one for one in self.checkpoints if one.last and not one.removed), None)

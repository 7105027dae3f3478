"""The records of runs that the registry stores and returns: frozen dataclasses without database objects."""

from __future__ import annotations

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
from labelkit.files.split_names import SAME_AS_TEST
from labelkit.models.checkpoint import Supplier
from labelkit.registry.group_entities import Group
from labelkit.registry.liveness import now
from labelkit.registry.metric_rows import Figure, nested
from labelkit.registry.plan_values import PlanValue

#: begins the text of a note among the assumptions
_NOTE = "note: "


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRecord:
    """The version of a plugin, a library or the operating system in a run."""

    kind: Literal["plugin", "library", "system"]
    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitRecord:
    """A split as the run read it.

    :param ref: its data reference.
    :param content_hash: the hash of its examples, in hex; runs with equal validation hashes can be compared.
    :param carved: labelkit held it out of train, because the data has no such split.
    """

    split: str
    ref: str
    content_hash: str
    examples: int
    words: int
    carved: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AssumptionRecord:
    """An assumption about the data of a run, where no setting says so, or a note on what was left out of them.

    :param number: its place among them, counted from 1.
    :param text: a sentence, with the setting that says otherwise; that of a note begins with ``note: ``.
    """

    number: int
    text: str

    @staticmethod
    def note(text: str) -> str:
        """Return the text of a note as it is recorded."""
        return f"{_NOTE}{text}"

    @property
    def shown(self) -> tuple[str, str]:
        """The heading and the sentence to show."""
        return ("data" if self.text.startswith(_NOTE) else "assumed"), self.text.removeprefix(_NOTE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """The facts of a run apart from its progress; those learned after its start have defaults.

    :param id: the id, see :func:`labelkit.registry.new_run_id`.
    :param name: the name that the user gave it (``--name``).
    :param task: the name of the task; several joined by ``+``.
    :param data: the data reference.
    :param model: the model reference.
    :param metric: the metric that selects the checkpoint.
    :param metric_key: the deciding value of it, as named in the recorded metrics.
    :param group: the id that the runs of one ``--seeds`` share.
    :param peak_memory: in bytes.
    :param schema: the label schemas, as JSON.
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
    assumptions: tuple[AssumptionRecord, ...] = ()
    suppliers: tuple[Supplier, ...] = ()


class RunFacts(TypedDict, total=False):
    """The facts that :meth:`Recorder.update` may change; rows replace those of the same key."""

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
    assumptions: tuple[AssumptionRecord, ...]
    suppliers: tuple[Supplier, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRecord:
    """A checkpoint and its location.

    :param path: the folder, relative to the root of its store.
    :param host: the machine of its store, as last seen.
    :param root: the folder of its store on that machine, as last seen.
    :param folder: the absolute folder if its store is the home in use, else None.
    :param removed: when it was deleted, None if it was not.
    :param files: name → (size in bytes, SHA-256 in hex).
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
        """Its folder, or ``elsewhere (host:root)``, for display."""
        return str(self.folder) if self.folder else f"elsewhere ({self.host}:{self.root})"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """The summary of a run for lists.

    :param validation: the deciding metric of the best checkpoint on validation.
    :param test: the same metric on test.
    :param aliases: its current aliases, as ``TASK@ALIAS``.
    :param stale: it is recorded as running, but dead.
    :param columns: the further columns that were selected, by name.
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
    stale: bool = False
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> Status:
        """The status to show: ``stale`` for stale runs."""
        return "stale" if self.stale else self.status


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A note of a person on a run."""

    created: datetime
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An earlier attempt at a run that was resumed.

    :param ended: when it ended or, if that was not recorded, its last heartbeat.
    :param resumed: when the next attempt started.
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
    """An evaluation of a checkpoint after training.

    :param source: ``"run"`` for the test score of the run itself, ``"evaluate"`` for ``labelkit evaluate``, ``"onnx"``
        for an ONNX model of the checkpoint, ``"errors"`` and ``"compare"`` for looks at test by ``labelkit errors`` and
        ``labelkit runs compare --significance``.
    :param figures: empty for ``"run"``, whose metrics are its scores, and for looks.
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
    """A file that was labelled with a checkpoint.

    :param step: the step of the checkpoint.
    :param kind: ``"labelled"``, ``"predictions"``, ``"report"`` …
    :param path: the absolute path on ``host`` it was written to.
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
class Publication:
    """A checkpoint that was pushed to a repository of the Hugging Face Hub.

    :param step: the step of the checkpoint.
    :param endpoint: the address of the Hub.
    :param revision: the branch, or for a pull request its reference.
    :param commit_id: the commit that holds the checkpoint.
    :param tag: the tag that was put on the commit.
    :param pull_request: the address of the pull request.
    """

    run: str
    step: int | None
    endpoint: str
    repository: str
    revision: str
    commit_id: str
    created: datetime = field(default_factory=now)
    tag: str | None = None
    pull_request: str | None = None

    @property
    def place(self) -> str:
        """Return the reference that fetches it again."""
        return f"hub:{self.repository}@{self.commit_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetails:
    """Everything recorded about a run.

    :param scores: the metrics of the best checkpoint on each split.
    :param metrics: the metrics of each step.
    :param checkpoints: in the order of their creation, deleted ones too.
    :param attempts: the earlier attempts, if it was resumed.
    :param aliases: its current aliases, as ``TASK@ALIAS``.
    :param evaluations: the evaluations of its checkpoints after training, in order.
    :param test_scored: how often any run in this registry was evaluated on the content of this run's test split.
    :param outputs: the files that were labelled with its checkpoints.
    :param publications: the repositories that its checkpoints were pushed to, in order.
    :param group: its group, if it has one.
    :param stale: it is recorded as running, but dead.
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
    publications: tuple[Publication, ...] = ()
    group: Group | None = None
    stale: bool = False

    @property
    def shown(self) -> Status:
        """The status to show: ``stale`` for stale runs."""
        return "stale" if self.stale else self.status

    @property
    def test_seen(self) -> tuple[str, ...]:
        """The splits with the examples of the test split, which make its scores invalid as test scores."""
        splits = {one.split: one.content_hash for one in self.record.splits}
        noted = [one.shown[1] for one in self.record.assumptions]
        return tuple(
            name
            for name in ("train", "validation")
            if (name in splits and splits[name] == splits.get("test"))
            or any(text.startswith(SAME_AS_TEST.format(name)) for text in noted)
        )

    @property
    def best(self) -> CheckpointRecord | None:
        """The best checkpoint, None if it was deleted."""
        return next((one for one in self.checkpoints if one.best and not one.removed), None)

    @property
    def last(self) -> CheckpointRecord | None:
        """The last checkpoint, None if it was deleted."""
        return next((one for one in self.checkpoints if one.last and not one.removed), None)

"""The tables of the registry, private to this package: others use the records of ``entities``.

Tables of SQLAlchemy Core, not mapped classes: the ORM would add 0.09 s to every command that only lists.
A change here needs a new revision in ``migrations/versions`` and its id at the end of ``REVISIONS``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, Named, Table, TypedColumns

# All revisions of the schema, oldest first.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
# Not Alembic's default name, so that another program's database is not taken for a registry.
VERSION_TABLE = "labelkit_version"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware datetime, stored in UTC; SQLite stores it without the time zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert ``value`` to UTC; raise ValueError if it has no time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _run() -> Column[str]:
    return Column(sa.String, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False)


def _run_key() -> Column[str]:
    return Column(sa.String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


class _Stores(TypedColumns):
    """Folders that hold checkpoints: one per LABELKIT_HOME, marked there by its ``store.json``."""

    id: Named[str] = Column(sa.String, primary_key=True)
    host: Named[str]
    root: Named[str]
    created: Named[datetime] = Column(UtcTime)


class _Runs(TypedColumns):
    id: Named[str] = Column(sa.String, primary_key=True)
    name: Named[str | None]
    group_id: Named[str | None]
    task: Named[str]
    kind: Named[str]
    status: Named[str]
    started: Named[datetime] = Column(UtcTime)
    heartbeat: Named[datetime] = Column(UtcTime)
    ended: Named[datetime | None] = Column(UtcTime)
    seconds: Named[float | None]
    error: Named[str | None]
    hint: Named[str | None]
    labelkit: Named[str]
    recipe: Named[str | None]
    data: Named[str]
    synthetic: Named[bool]
    model: Named[str]
    model_revision: Named[str | None]
    model_sha256: Named[str | None]
    metric: Named[str]
    metric_key: Named[str]
    higher_is_better: Named[bool]
    seed: Named[int] = Column(sa.BigInteger)
    device_type: Named[str | None]
    device_name: Named[str | None]
    device_count: Named[int | None]
    precision: Named[str | None]
    driver: Named[str | None]
    peak_memory: Named[int | None] = Column(sa.BigInteger)
    git_commit: Named[str | None]
    git_dirty: Named[bool | None]
    host: Named[str]
    pid: Named[int]
    command: Named[str]
    python: Named[str]
    schema: Named[Any] = Column(sa.JSON(none_as_null=True), nullable=True)


class _PlanValues(TypedColumns):
    run = _run_key()
    key: Named[str] = Column(sa.String, primary_key=True)
    text: Named[str]
    number: Named[float | None]
    origin: Named[str]


class _Versions(TypedColumns):
    run = _run_key()
    kind: Named[str] = Column(sa.String, primary_key=True)
    name: Named[str] = Column(sa.String, primary_key=True)
    version: Named[str]


class _Splits(TypedColumns):
    run = _run_key()
    split: Named[str] = Column(sa.String, primary_key=True)
    ref: Named[str]
    content_hash: Named[str]
    examples: Named[int] = Column(sa.BigInteger)
    words: Named[int] = Column(sa.BigInteger)
    carved: Named[bool]


class _Assumptions(TypedColumns):
    run = _run_key()
    number: Named[int] = Column(sa.Integer, primary_key=True, autoincrement=False)
    text: Named[str]


class _Suppliers(TypedColumns):
    """The plugin that supplied each part of a run."""

    run = _run_key()
    kind: Named[str] = Column(sa.String, primary_key=True)
    name: Named[str] = Column(sa.String, primary_key=True)
    plugin: Named[str]
    version: Named[str]
    package: Named[str]


class _Metrics(TypedColumns):
    """The metrics of each step. ``type`` is '' for a whole split (label types are never empty); NaN is NULL."""

    run = _run_key()
    task: Named[str] = Column(sa.String, primary_key=True)
    split: Named[str] = Column(sa.String, primary_key=True)
    step: Named[int] = Column(sa.BigInteger, primary_key=True, autoincrement=False)
    name: Named[str] = Column(sa.String, primary_key=True)
    type: Named[str] = Column(sa.String, primary_key=True)
    epoch: Named[float]
    value: Named[float | None]
    text: Named[str | None]


class _Scores(TypedColumns):
    """The metrics of the best checkpoint only, on each split: for lists, ``best`` and filters."""

    run = _run_key()
    task: Named[str] = Column(sa.String, primary_key=True)
    split: Named[str] = Column(sa.String, primary_key=True)
    name: Named[str] = Column(sa.String, primary_key=True)
    type: Named[str] = Column(sa.String, primary_key=True)
    step: Named[int] = Column(sa.BigInteger)
    epoch: Named[float]
    value: Named[float | None]
    text: Named[str | None]


class _Checkpoints(TypedColumns):
    id: Named[int] = Column(sa.Integer, primary_key=True)
    run = _run()
    store: Named[str] = Column(sa.String, ForeignKey("stores.id"))
    path: Named[str]
    step: Named[int] = Column(sa.BigInteger)
    epoch: Named[float]
    is_best: Named[bool]
    is_last: Named[bool]
    created: Named[datetime] = Column(UtcTime)
    removed: Named[datetime | None] = Column(UtcTime)


class _CheckpointFiles(TypedColumns):
    checkpoint: Named[int] = Column(sa.Integer, ForeignKey("checkpoints.id", ondelete="CASCADE"), primary_key=True)
    name: Named[str] = Column(sa.String, primary_key=True)
    size: Named[int] = Column(sa.BigInteger)
    sha256: Named[str]


class _Attempts(TypedColumns):
    """Earlier attempts at a run that was resumed; the newest is the run's own row."""

    run = _run_key()
    number: Named[int] = Column(sa.Integer, primary_key=True, autoincrement=False)
    status: Named[str]
    ended: Named[datetime] = Column(UtcTime)
    resumed: Named[datetime] = Column(UtcTime)
    error: Named[str | None]
    host: Named[str]
    pid: Named[int]
    command: Named[str]


class _Tags(TypedColumns):
    run = _run_key()
    tag: Named[str] = Column(sa.String, primary_key=True)


class _Notes(TypedColumns):
    id: Named[int] = Column(sa.Integer, primary_key=True)
    run = _run()
    created: Named[datetime] = Column(UtcTime)
    text: Named[str]


class _Aliases(TypedColumns):
    """The history of aliases: the newest entry that was not undone counts; one without a run removes the alias.

    Entries outlive their runs.
    """

    id: Named[int] = Column(sa.Integer, primary_key=True)
    task: Named[str]
    name: Named[str]
    run: Named[str | None]
    created: Named[datetime] = Column(UtcTime)
    undone: Named[datetime | None] = Column(UtcTime)


class _Evaluations(TypedColumns):
    """Evaluations of checkpoints after training, by their own run or later, and looks at their errors on test."""

    id: Named[int] = Column(sa.Integer, primary_key=True)
    run = _run()
    source: Named[str]
    task: Named[str]
    ref: Named[str]
    split: Named[str]
    content_hash: Named[str]
    examples: Named[int] = Column(sa.BigInteger)
    created: Named[datetime] = Column(UtcTime)


class _EvaluationFigures(TypedColumns):
    evaluation: Named[int] = Column(sa.Integer, ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True)
    name: Named[str] = Column(sa.String, primary_key=True)
    type: Named[str] = Column(sa.String, primary_key=True)
    value: Named[float | None]
    text: Named[str | None]


class _Outputs(TypedColumns):
    """Files that were labelled. Rows outlive their run, for lineage."""

    id: Named[int] = Column(sa.Integer, primary_key=True)
    run: Named[str]
    step: Named[int | None] = Column(sa.BigInteger)
    kind: Named[str]
    host: Named[str]
    path: Named[str]
    size: Named[int] = Column(sa.BigInteger)
    sha256: Named[str]
    records: Named[int | None] = Column(sa.BigInteger)
    created: Named[datetime] = Column(UtcTime)


class _Publications(TypedColumns):
    """Checkpoints that were pushed to repositories. Rows outlive their run, for lineage."""

    id: Named[int] = Column(sa.Integer, primary_key=True)
    run: Named[str]
    step: Named[int | None] = Column(sa.BigInteger)
    endpoint: Named[str]
    repository: Named[str]
    revision: Named[str]
    commit_id: Named[str]
    tag: Named[str | None]
    pull_request: Named[str | None]
    created: Named[datetime] = Column(UtcTime)


class _Searches(TypedColumns):
    """Searches over hyperparameters; their trials are the runs of the group with the same name."""

    name: Named[str] = Column(sa.String, primary_key=True)
    task: Named[str]
    created: Named[datetime] = Column(UtcTime)
    settings: Named[Any] = Column(sa.JSON(none_as_null=True), nullable=False)
    result: Named[Any] = Column(sa.JSON(none_as_null=True), nullable=True)


# SQLite keeps these in the order of their keys, not beside an index of them: half the size, and the rows of a
# run lie together.
_BY_KEY: dict[str, Any] = {"sqlite_with_rowid": False}

stores = Table("stores", metadata, _Stores)
runs = Table(
    "runs",
    metadata,
    _Runs,
    Index(None, "started", "id"),
    Index(None, "task", "status", "started"),
    Index(None, "status", "started"),
    Index(None, "name"),
    Index(None, "group_id"),
)
plan_values = Table("plan_values", metadata, _PlanValues, Index(None, "key", "number"), **_BY_KEY)
versions = Table("versions", metadata, _Versions, **_BY_KEY)
splits = Table("splits", metadata, _Splits, Index(None, "split", "content_hash"), **_BY_KEY)
assumptions = Table("assumptions", metadata, _Assumptions, **_BY_KEY)
suppliers = Table("suppliers", metadata, _Suppliers, **_BY_KEY)
metrics = Table("metrics", metadata, _Metrics, **_BY_KEY)
scores = Table("scores", metadata, _Scores, Index(None, "task", "split", "name", "type", "value"), **_BY_KEY)
checkpoints = Table(
    "checkpoints",
    metadata,
    _Checkpoints,
    Index(None, "run"),
    # A folder's name may be used again once the checkpoint that had it is gone. The migration says the same to
    # PostgreSQL; naming it here would load that dialect, 0.07 s, in every command that lists.
    Index(None, "store", "path", unique=True, sqlite_where=sa.text("removed IS NULL")),
)
checkpoint_files = Table("checkpoint_files", metadata, _CheckpointFiles, Index(None, "sha256"), **_BY_KEY)
attempts = Table("attempts", metadata, _Attempts, **_BY_KEY)
tags = Table("tags", metadata, _Tags, Index(None, "tag"), **_BY_KEY)
notes = Table("notes", metadata, _Notes, Index(None, "run"))
aliases = Table("aliases", metadata, _Aliases, Index(None, "task", "name"), Index(None, "run"))
evaluations = Table("evaluations", metadata, _Evaluations, Index(None, "run"), Index(None, "content_hash"))
evaluation_figures = Table("evaluation_figures", metadata, _EvaluationFigures, **_BY_KEY)
outputs = Table("outputs", metadata, _Outputs, Index(None, "sha256"), Index(None, "run"))
publications = Table(
    "publications", metadata, _Publications, Index(None, "run"), Index(None, "repository", "commit_id")
)
searches = Table("searches", metadata, _Searches)

"""The first schema: stores, runs and what belongs to them.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: None = None
depends_on: None = None

_TIME = sa.DateTime(timezone=True)
# Sorted by code point, as SQLite does, whatever the language of a server.
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    _make_stores()
    _make_runs()
    _make_facts()
    _make_figures()
    _make_checkpoints()


def _make_stores() -> None:
    op.create_table(
        "stores",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("root", _TEXT, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stores"),
    )


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("name", _TEXT),
        sa.Column("group_id", _TEXT),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("heartbeat", _TIME, nullable=False),
        sa.Column("ended", _TIME),
        sa.Column("seconds", sa.Double),
        sa.Column("error", _TEXT),
        sa.Column("hint", _TEXT),
        sa.Column("labelkit", _TEXT, nullable=False),
        sa.Column("recipe", _TEXT),
        sa.Column("data", _TEXT, nullable=False),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("model_revision", _TEXT),
        sa.Column("model_sha256", _TEXT),
        sa.Column("metric", _TEXT, nullable=False),
        sa.Column("metric_key", _TEXT, nullable=False),
        sa.Column("higher_is_better", sa.Boolean, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("device_type", _TEXT),
        sa.Column("device_name", _TEXT),
        sa.Column("device_count", sa.Integer),
        sa.Column("precision", _TEXT),
        sa.Column("driver", _TEXT),
        sa.Column("peak_memory", sa.BigInteger),
        sa.Column("git_commit", _TEXT),
        sa.Column("git_dirty", sa.Boolean),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("command", _TEXT, nullable=False),
        sa.Column("python", _TEXT, nullable=False),
        sa.Column("schema", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_started_id", "runs", ["started", "id"])
    op.create_index("ix_runs_task_status_started", "runs", ["task", "status", "started"])
    op.create_index("ix_runs_status_started", "runs", ["status", "started"])
    op.create_index("ix_runs_name", "runs", ["name"])
    op.create_index("ix_runs_group_id", "runs", ["group_id"])


def _make_facts() -> None:
    op.create_table(
        "plan_values",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("number", sa.Double),
        sa.Column("origin", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run", "key", name="pk_plan_values"),
        _of_run("plan_values"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_plan_values_key_number", "plan_values", ["key", "number"])
    op.create_table(
        "versions",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run", "kind", "name", name="pk_versions"),
        _of_run("versions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "splits",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("split", _TEXT, nullable=False),
        sa.Column("ref", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("examples", sa.BigInteger, nullable=False),
        sa.Column("words", sa.BigInteger, nullable=False),
        sa.Column("carved", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("run", "split", name="pk_splits"),
        _of_run("splits"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_splits_split_content_hash", "splits", ["split", "content_hash"])


def _make_figures() -> None:
    op.create_table(
        "metrics",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("split", _TEXT, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("epoch", sa.Double, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("text", _TEXT),
        sa.PrimaryKeyConstraint("run", "task", "split", "step", "name", "type", name="pk_metrics"),
        _of_run("metrics"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scores",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("split", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Double, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("text", _TEXT),
        sa.PrimaryKeyConstraint("run", "task", "split", "name", "type", name="pk_scores"),
        _of_run("scores"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scores_task_split_name_type_value", "scores", ["task", "split", "name", "type", "value"])


def _make_checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("store", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Double, nullable=False),
        sa.Column("is_best", sa.Boolean, nullable=False),
        sa.Column("is_last", sa.Boolean, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("removed", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_checkpoints"),
        _of_run("checkpoints"),
        sa.ForeignKeyConstraint(["store"], ["stores.id"], name="fk_checkpoints_store"),
    )
    op.create_index("ix_checkpoints_run", "checkpoints", ["run"])
    live = sa.text("removed IS NULL")
    op.create_index(
        "ix_checkpoints_store_path",
        "checkpoints",
        ["store", "path"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_table(
        "checkpoint_files",
        sa.Column("checkpoint", sa.Integer, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("checkpoint", "name", name="pk_checkpoint_files"),
        sa.ForeignKeyConstraint(
            ["checkpoint"], ["checkpoints.id"], name="fk_checkpoint_files_checkpoint", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_checkpoint_files_sha256", "checkpoint_files", ["sha256"])


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run"], ["runs.id"], name=f"fk_{table}_run", ondelete="CASCADE")

"""What people and later commands add to runs: aliases, tags, notes, attempts, evaluations, files written.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels: None = None
depends_on: None = None

_TIME = sa.DateTime(timezone=True)
# Sorted by code point, as SQLite does, whatever the language of a server.
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _make_attempts()
    _make_words()
    _make_aliases()
    _make_evaluations()
    _make_outputs()


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("ended", _TIME, nullable=False),
        sa.Column("resumed", _TIME, nullable=False),
        sa.Column("error", _TEXT),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("command", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run", "number", name="pk_attempts"),
        _of_run("attempts"),
        sqlite_with_rowid=False,
    )


def _make_words() -> None:
    op.create_table(
        "tags",
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run", "tag", name="pk_tags"),
        _of_run("tags"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tags_tag", "tags", ["tag"])
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        _of_run("notes"),
    )
    op.create_index("ix_notes_run", "notes", ["run"])


def _make_aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("run", _TEXT),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("undone", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_aliases"),
    )
    op.create_index("ix_aliases_task_name", "aliases", ["task", "name"])
    op.create_index("ix_aliases_run", "aliases", ["run"])


def _make_evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("ref", _TEXT, nullable=False),
        sa.Column("split", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("examples", sa.BigInteger, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
        _of_run("evaluations"),
    )
    op.create_index("ix_evaluations_run", "evaluations", ["run"])
    op.create_index("ix_evaluations_content_hash", "evaluations", ["content_hash"])
    op.create_table(
        "evaluation_figures",
        sa.Column("evaluation", sa.Integer, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("text", _TEXT),
        sa.PrimaryKeyConstraint("evaluation", "name", "type", name="pk_evaluation_figures"),
        sa.ForeignKeyConstraint(
            ["evaluation"], ["evaluations.id"], name="fk_evaluation_figures_evaluation", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )


def _make_outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run", _TEXT, nullable=False),
        sa.Column("step", sa.BigInteger),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("records", sa.BigInteger),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outputs"),
    )
    op.create_index("ix_outputs_sha256", "outputs", ["sha256"])
    op.create_index("ix_outputs_run", "outputs", ["run"])


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run"], ["runs.id"], name=f"fk_{table}_run", ondelete="CASCADE")

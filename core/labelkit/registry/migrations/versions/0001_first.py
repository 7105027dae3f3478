"""The first schema: stores, runs and what belongs to them.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa

from labelkit.registry.ddl import create_index, create_table

revision = "0001"
down_revision: str | None = None
branch_labels: None = None
depends_on: None = None

_OF_RUN = {"run": "runs"}


def upgrade() -> None:
    """Create all tables."""
    create_table("stores", "id text, host text, root text, created time")
    create_table(
        "runs",
        "id text, name text?, group_id text?, task text, kind text, status text, started time, heartbeat time,"
        "ended time?, seconds double?, error text?, hint text?, labelkit text, recipe text?, data text,"
        "synthetic boolean, model text, model_revision text?, model_sha256 text?, metric text, metric_key text,"
        "higher_is_better boolean, seed bigint, device_type text?, device_name text?, device_count integer?,"
        "precision text?, driver text?, peak_memory bigint?, git_commit text?, git_dirty boolean?, host text,"
        "pid integer, command text, python text, schema json?",
    )
    for columns in ("started, id", "task, status, started", "status, started", "name", "group_id"):
        create_index("runs", columns)
    create_table(
        "plan_values",
        "run text, key text, text text, number double?, origin text",
        key="run, key",
        references=_OF_RUN,
    )
    create_index("plan_values", "key, number")
    create_table("versions", "run text, kind text, name text, version text", key="run, kind, name", references=_OF_RUN)
    create_table(
        "splits",
        "run text, split text, ref text, content_hash text, examples bigint, words bigint, carved boolean",
        key="run, split",
        references=_OF_RUN,
    )
    create_index("splits", "split, content_hash")
    _create_metrics()
    _create_checkpoints()


def _create_metrics() -> None:
    create_table(
        "metrics",
        "run text, task text, split text, step bigint, name text, type text, epoch double, value double?, text text?",
        key="run, task, split, step, name, type",
        references=_OF_RUN,
    )
    create_table(
        "scores",
        "run text, task text, split text, name text, type text, step bigint, epoch double, value double?, text text?",
        key="run, task, split, name, type",
        references=_OF_RUN,
    )
    create_index("scores", "task, split, name, type, value")


def _create_checkpoints() -> None:
    create_table(
        "checkpoints",
        "id integer, run text, store text, path text, step bigint, epoch double, is_best boolean, is_last boolean,"
        "created time, removed time?",
        references={**_OF_RUN, "store": "stores"},
    )
    create_index("checkpoints", "run")
    present = sa.text("removed IS NULL")
    create_index("checkpoints", "store, path", unique=True, sqlite_where=present, postgresql_where=present)
    create_table(
        "checkpoint_files",
        "checkpoint integer, name text, size bigint, sha256 text",
        key="checkpoint, name",
        references={"checkpoint": "checkpoints"},
    )
    create_index("checkpoint_files", "sha256")

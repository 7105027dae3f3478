"""What people and later commands add to runs: aliases, tags, notes, attempts, evaluations, files written.

Revision ID: 0002
"""

from __future__ import annotations

from labelkit.registry.ddl import create_index, create_table

revision = "0002"
down_revision = "0001"
branch_labels: None = None
depends_on: None = None

_OF_RUN = {"run": "runs"}


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "attempts",
        "run text, number integer, status text, ended time, resumed time, error text?, host text, pid integer,"
        "command text",
        key="run, number",
        references=_OF_RUN,
    )
    create_table("tags", "run text, tag text", key="run, tag", references=_OF_RUN)
    create_index("tags", "tag")
    create_table("notes", "id integer, run text, created time, text text", references=_OF_RUN)
    create_index("notes", "run")
    create_table("aliases", "id integer, task text, name text, run text?, created time, undone time?")
    create_index("aliases", "task, name")
    create_index("aliases", "run")
    create_table(
        "evaluations",
        "id integer, source text, task text, ref text, split text, content_hash text, run text, examples bigint,"
        "created time",
        references=_OF_RUN,
    )
    create_index("evaluations", "run")
    create_index("evaluations", "content_hash")
    create_table(
        "evaluation_figures",
        "evaluation integer, name text, type text, value double?, text text?",
        key="evaluation, name, type",
        references={"evaluation": "evaluations"},
    )
    create_table(
        "outputs",
        "id integer, run text, step bigint?, kind text, host text, path text, size bigint, sha256 text,"
        "records bigint?, created time",
    )
    create_index("outputs", "sha256")
    create_index("outputs", "run")

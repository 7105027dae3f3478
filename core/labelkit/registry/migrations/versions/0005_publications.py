"""Checkpoints that were pushed to repositories.

Revision ID: 0005
"""

from __future__ import annotations

from labelkit.registry.ddl import create_index, create_table

revision = "0005"
down_revision = "0004"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "publications",
        "id integer, run text, step bigint?, endpoint text, repository text, revision text, commit_id text, tag text?, "
        "pull_request text?, created time",
    )
    create_index("publications", "run")
    create_index("publications", "repository, commit_id")

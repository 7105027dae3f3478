"""Which plugin, of which package, supplied each part of a run.

Revision ID: 0004
"""

from __future__ import annotations

from labelkit.registry.ddl import create_table

revision = "0004"
down_revision = "0003"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "suppliers",
        "run text, kind text, name text, plugin text, version text, package text",
        key="run, kind, name",
        references={"run": "runs"},
    )

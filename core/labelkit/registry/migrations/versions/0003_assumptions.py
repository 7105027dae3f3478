"""Assumptions about the data of a run, where no setting says so.

Revision ID: 0003
"""

from __future__ import annotations

from labelkit.registry.ddl import create_table

revision = "0003"
down_revision = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Create the table."""
    create_table("assumptions", "run text, number integer, text text", key="run, number", references={"run": "runs"})

"""Searches over hyperparameters.

Revision ID: 0006
"""

from __future__ import annotations

from labelkit.registry.ddl import create_table

revision = "0006"
down_revision = "0005"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Create the table."""
    create_table("searches", "name text, task text, created time, settings json, result json?", key="name")

"""Migrating a database to the newest schema with Alembic, imported only where that is needed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from labelkit.registry.views import drop_views, make_views


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Apply the missing revisions in the transaction of ``connection``."""
    drop_views(connection)
    config = Config()
    config.set_main_option("script_location", "labelkit.registry:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if revision == "head":
        make_views(connection)

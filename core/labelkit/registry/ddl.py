"""Creating tables and indexes in the revisions of the schema, with columns written as in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

_TYPES: dict[str, Any] = {
    # Sorted by code point, as SQLite does, whatever the language of a server.
    "text": sa.String().with_variant(sa.String(collation="C"), "postgresql"),
    "time": sa.DateTime(timezone=True),
    "integer": sa.Integer(),
    "bigint": sa.BigInteger(),
    "double": sa.Double(),
    "boolean": sa.Boolean(),
    "json": sa.JSON(none_as_null=True),
}


def create_table(name: str, columns: str, *, key: str = "id", references: Mapping[str, str] | None = None) -> None:
    """Create a table.

    :param columns: the name and type of each column, with ``?`` after the type if it may be NULL.
    :param key: the columns of the primary key; SQLite stores a table with several in the order of its key.
    :param references: column → table whose ``id`` it references; rows are deleted with the row they reference.
    """
    pairs = [column.split() for column in columns.split(",")]
    keys = key.split(", ")
    op.create_table(
        name,
        *(sa.Column(column, _TYPES[type_.rstrip("?")], nullable=type_.endswith("?")) for column, type_ in pairs),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.id"],
                name=f"fk_{name}_{column}",
                ondelete=None if table == "stores" else "CASCADE",
            )
            for column, table in (references or {}).items()
        ),
        **({"sqlite_with_rowid": False} if len(keys) > 1 else {}),
    )


def create_index(table: str, columns: str, **options: Any) -> None:
    """Create an index on ``columns`` of a table."""
    names = columns.split(", ")
    op.create_index(f"ix_{table}_{'_'.join(names)}", table, names, **options)

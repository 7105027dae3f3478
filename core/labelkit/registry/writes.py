"""The statements that record: each works inside the transaction of the connection it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.find import unknown_run
from labelkit.registry.models import Figure, PlanValue, SplitRecord, VersionRecord, now

# Fields of a RunRecord that are rows of their own.
ROWS: dict[str, sa.Table[Any]] = {
    "plan": tables.plan_values,
    "versions": tables.versions,
    "splits": tables.splits,
}
Rows = Mapping[str, Iterable[PlanValue | VersionRecord | SplitRecord]]


def _row(record: PlanValue | VersionRecord | SplitRecord | Figure) -> dict[str, Any]:
    # Not dataclasses.asdict: it copies deeply, which took a third of the time of recording.
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def exists(connection: sa.Connection, run: str) -> bool:
    """Say whether a run has the id ``run``."""
    return connection.scalar(sa.select(tables.runs.c.id).where(tables.runs.c.id == run)) is not None


def update_run(connection: sa.Connection, run: str, values: Mapping[str, Any]) -> None:
    """Change facts of a run, which shows that it is alive.

    :raises RegistryError: there is no such run.
    """
    statement = tables.runs.update().where(tables.runs.c.id == run).values(**values, heartbeat=now())
    if connection.execute(statement).rowcount == 0:
        raise unknown_run(run)


def insert_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Write rows of the tables in ``ROWS``."""
    for name, records in rows.items():
        found = [{"run": run, **_row(one)} for one in records]
        if found:
            connection.execute(ROWS[name].insert(), found)


def delete_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Remove the rows that have the same keys as ``rows``."""
    for name, records in rows.items():
        table = ROWS[name]
        for one in records:
            row = {"run": run, **_row(one)}
            keys = [column == row[column.name] for column in table.primary_key]
            connection.execute(table.delete().where(*keys))


def replace_figures(
    connection: sa.Connection, table: sa.Table[Any], run: str, found: Sequence[Figure], *, same_step: bool
) -> None:
    """Write the figures of one split, in place of those it has: of the same step, or of any."""
    if not found:
        return
    first = found[0]
    old = table.delete().where(table.c.run == run, table.c.task == first.task, table.c.split == first.split)
    connection.execute(old.where(table.c.step == first.step) if same_step else old)
    rows = [{"run": run, **_row(one), "type": one.type or ""} for one in found]
    connection.execute(table.insert(), rows)


def insert_files(
    connection: sa.Connection, checkpoint: sa.CursorResult[Any], files: Mapping[str, tuple[int, str]]
) -> None:
    """Write the files of the checkpoint that was just inserted."""
    key = checkpoint.inserted_primary_key
    assert key is not None
    rows = [
        {"checkpoint": key[0], "name": name, "size": size, "sha256": sha256} for name, (size, sha256) in files.items()
    ]
    if rows:
        connection.execute(tables.checkpoint_files.insert(), rows)

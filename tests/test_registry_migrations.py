"""The schema: revisions and tables agree, and rows hang together as the tables say."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from labelkit.models.checkpoint import Supplier
from labelkit.registry import (
    AssumptionRecord,
    Home,
    PlanValue,
    Registry,
    RunRecord,
    SplitRecord,
    VersionRecord,
)
from labelkit.registry.database import Database
from labelkit.registry.migrate import upgrade
from labelkit.registry.tables import REVISIONS, VERSION_TABLE, metadata
from labelkit.registry.views import VIEWS


@pytest.fixture
def migrated(tmp_path: Path) -> Home:
    """Return a home whose database was made by the revisions."""
    home = Home(root=tmp_path / "home")
    Registry.open(home, create=True).close()
    return home


def _statements(path: Path) -> dict[str, str | None]:
    """Return the SQL of every table and index in a database, but for the version's."""
    query = "SELECT name, sql FROM sqlite_master WHERE tbl_name != ? AND type != 'view'"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(query, (VERSION_TABLE,)).all()
    engine.dispose()
    return {str(name): sql for name, sql in rows}


def test_the_revisions_make_what_the_tables_say(migrated: Home) -> None:
    engine = sa.create_engine(f"sqlite:///{migrated.database}")
    with engine.connect() as connection:
        options: dict[str, Any] = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_revisions_make_the_very_same_statements(migrated: Home, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(engine)
    engine.dispose()
    made = _statements(tmp_path / "made.db")
    assert len(made) > 20
    assert _statements(migrated.database) == made


def test_the_code_knows_exactly_the_revisions_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", "labelkit.registry:migrations")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(reversed([script.revision for script in scripts])) == REVISIONS


def test_a_migrated_database_is_of_the_newest_revision(migrated: Home) -> None:
    database = Database.open(migrated, create=False)
    with database.session() as connection:
        assert connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").all() == [(REVISIONS[-1],)]
    database.close()


def test_every_row_of_a_run_goes_with_it(migrated: Home) -> None:
    with Registry.open(migrated, create=True) as registry:
        for id_ in ("gone", "kept"):
            _record_all(registry, id_)
    database = Database.open(migrated, create=True)
    # The history of aliases and the origin of files outlive the run.
    others = ("stores", "aliases", "outputs", "publications", "searches")
    tables = [table for table in metadata.sorted_tables if table.name not in others]
    with database.session(write=True) as connection:
        counts = [_count(connection, table) for table in tables]
        assert min(counts) >= 2
        connection.exec_driver_sql("DELETE FROM runs WHERE id = 'gone'")
        assert [_count(connection, table) * 2 for table in tables] == counts
    database.close()


def _record_all(registry: Registry, id_: str) -> None:
    """Put at least one row into every table."""
    registry.recorder.start(
        RunRecord(
            id=id_,
            task="ner",
            kind="token",
            data="d",
            model="m",
            metric="s",
            metric_key="f1",
            labelkit="0",
            seed=1,
            plan=(PlanValue.of("a", 1),),
            versions=(VersionRecord(kind="library", name="torch", version="2"),),
            splits=(SplitRecord(split="test", ref="d", content_hash="f", examples=1, words=1),),
            assumptions=(AssumptionRecord(number=1, text="a"),),
            suppliers=(Supplier(kind="task", name="ner", plugin="ner", version="1", package="labelkit"),),
        )
    )
    registry.recorder.log_metrics(id_, task="ner", split="test", metrics={"f1": 1}, step=1, epoch=1.0, chosen=True)
    gold: dict[str, Any] = {"task": "ner", "ref": "d", "split": "test", "content_hash": "f", "examples": 1}
    registry.recorder.log_evaluation(id_, metrics={"f1": 1}, **gold)
    registry.annotations.add_tags(id_, "a")
    registry.annotations.add_note(id_, "words")
    registry.recorder.finish(id_, "interrupted", seconds=1.0)
    registry.recorder.resume(id_)
    folder = registry.home.runs / id_
    registry.recorder.log_checkpoint(id_, folder, step=1, epoch=1.0, best=True, files={"config.json": (1, "f")})


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


# Each schema that was ever released, as SQL with a run in it: made once with `_dump` below, never changed again.
RELEASED = Path(__file__).parent / "schemas"


def _dump(database: Path) -> str:
    """Return a database as SQL, for a new file in ``schemas``."""
    connection = sqlite3.connect(database)
    dump = "\n".join(connection.iterdump()) + "\n"
    connection.close()
    return dump


def test_every_older_schema_is_kept_as_a_file() -> None:
    assert {path.stem for path in RELEASED.glob("*.sql")} == set(REVISIONS[:-1])


@pytest.mark.parametrize("released", sorted(RELEASED.glob("*.sql")), ids=lambda path: path.stem)
def test_a_released_schema_is_upgraded_with_all_that_is_in_it(released: Path, tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    store = home.create()
    old = sqlite3.connect(home.database)
    old.executescript(released.read_text(encoding="utf-8"))
    old.execute("UPDATE stores SET id = ?", (store.id,))
    old.execute("UPDATE checkpoints SET store = ?", (store.id,))
    old.commit()
    old.close()
    before = _dump(home.database)
    with Registry.open(home, create=False) as registry:
        shown = registry.runs.get("kept")
        assert shown.scores[0].value == 1.0
        assert shown.best is not None
        assert shown.best.folder == home.runs / "kept"
        assert [value.key for value in shown.record.plan] == ["a"]
        registry.annotations.add_tags("kept", "upgraded")
    backup = home.database.with_name(f"registry.db.backup-{released.stem}")
    assert _dump(backup) == before


def test_the_views_are_those_of_this_release_also_after_an_upgrade(migrated: Home) -> None:
    database = Database.open(migrated, create=False)
    with database.session(write=True) as connection:
        assert set(sa.inspect(connection).get_view_names()) == set(VIEWS)
        for name in VIEWS:
            connection.exec_driver_sql(f"SELECT * FROM {name}").all()
        connection.exec_driver_sql("DROP VIEW v_tags")
        connection.exec_driver_sql("CREATE VIEW v_tags AS SELECT run FROM tags")
        connection.exec_driver_sql("CREATE VIEW v_mine AS SELECT id FROM runs")
        upgrade(connection)
        assert set(sa.inspect(connection).get_view_names()) == {*VIEWS, "v_mine"}
        connection.exec_driver_sql("SELECT tag FROM v_tags").all()
    database.close()

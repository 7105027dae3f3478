"""A registry on a PostgreSQL server: opening it, sharing it, and every way in which the server refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.registry import Home, Registry
from labelkit.registry.database import Database
from labelkit.registry.engines import engine_of, url_of
from labelkit.registry.migrate import upgrade
from labelkit.registry.tables import REVISIONS, VERSION_TABLE, metadata
from labelkit.registry.views import VIEWS
from postgres_server import PASSWORD, NoServer, PostgresServer, postgres_server
from test_registry_contract import a_checkpoint, a_run


@pytest.fixture
def home(postgres: PostgresServer, postgres_database: str, tmp_path: Path) -> Home:
    """Return a home whose registry is an empty database on the server."""
    return Home(root=tmp_path / "home", url=postgres.url(postgres_database))


@pytest.fixture
def used(home: Home) -> Home:
    """Return a home with one run in it."""
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
    return home


def refusal(home: Home, *, create: bool = True) -> LabelkitError:
    """Return the one line with which opening, recording or listing is refused."""
    with pytest.raises(LabelkitError) as caught, Registry.open(home, create=create) as registry:
        registry.recorder.start(a_run("ner-2")) if create else registry.runs.search()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    for secret in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        assert secret not in str(caught.value)
    return caught.value


def other(home: Home, url: str) -> Home:
    return Home(root=home.root, url=url)


def test_a_database_without_a_registry_has_no_runs_and_stays_so(
    home: Home, postgres: PostgresServer, postgres_database: str
) -> None:
    with Registry.open(home, create=False) as registry:
        assert registry.runs.search() == []
        with pytest.raises(RegistryError, match="there is no registry at postgresql"):
            registry.recorder.heartbeat("x")
    assert postgres.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'", postgres_database) == []


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_the_driver_need_not_be_named(used: Home, scheme: str) -> None:
    assert used.url
    with Registry.open(other(used, used.url.replace("postgresql", scheme, 1)), create=False) as registry:
        assert [run.id for run in registry.runs.search()] == ["ner-1"]


def test_the_revisions_make_what_the_tables_say(used: Home) -> None:
    engine = engine_of(url_of(used), 1.0)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        # The condition of this index is in the revision only: naming it in the tables would load the dialect.
        partial = "ix_checkpoints_store_path"
        assert [one for one in compare_metadata(context, metadata) if partial not in str(one)] == []
        assert set(sa.inspect(connection).get_view_names()) == set(VIEWS)
        for name in VIEWS:
            connection.exec_driver_sql(f"SELECT * FROM {name}").all()
    engine.dispose()


def test_an_older_schema_is_upgraded_under_the_views_of_others(home: Home) -> None:
    engine = engine_of(url_of(home), 1.0)
    with engine.begin() as connection:
        upgrade(connection, REVISIONS[0])
        connection.exec_driver_sql("CREATE VIEW v_mine AS SELECT id FROM runs")
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
        registry.annotations.add_note("ner-1", "words")
        assert registry.runs.get("ner-1").notes[0].text == "words"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM v_mine").all() == [("ner-1",)]
    engine.dispose()


def test_what_somebody_built_on_a_view_is_not_dropped(used: Home) -> None:
    database = Database.open(used, create=True)
    with database.session(alone=True) as connection:
        connection.exec_driver_sql("CREATE VIEW mine AS SELECT run FROM v_runs")
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{REVISIONS[-2]}'")
    database.close()
    error = refusal(used)
    assert "cannot be upgraded: cannot drop view v_runs because other objects depend on it" in error.message


def test_a_newer_registry_is_refused(used: Home, postgres: PostgresServer, postgres_database: str) -> None:
    postgres.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'", postgres_database)
    for create in (True, False):
        assert "was made by a newer labelkit (schema 9999" in refusal(used, create=create).message


def test_other_programs_may_have_tables_beside_but_none_of_these_names(
    home: Home, postgres: PostgresServer, postgres_database: str
) -> None:
    postgres.execute("CREATE TABLE experiments (a integer)", postgres_database)
    postgres.execute("CREATE TABLE metrics (a integer)", postgres_database)
    for create in (True, False):
        error = refusal(home, create=create)
        assert "is another program's database" in error.message
        assert error.hint == "nothing was changed; create a database for labelkit: createdb labelkit"
    postgres.execute("DROP TABLE metrics; CREATE VIEW v_runs AS SELECT 1", postgres_database)
    assert "is another program's database" in refusal(home).message
    postgres.execute("DROP VIEW v_runs", postgres_database)
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
    assert postgres.execute("SELECT count(*) FROM experiments", postgres_database) == [(0,)]


def test_a_schema_of_its_own_may_be_named(home: Home, postgres: PostgresServer, postgres_database: str) -> None:
    postgres.execute("CREATE TABLE runs (a integer); CREATE SCHEMA ours", postgres_database)
    with Registry.open(other(home, f"{home.url}?options=-csearch_path%3Dours"), create=True) as registry:
        registry.recorder.start(a_run())
    assert postgres.execute("SELECT id FROM ours.runs", postgres_database) == [("ner-1",)]


def test_a_wrong_password_an_unknown_user_and_an_unknown_database(home: Home, postgres: PostgresServer) -> None:
    for url in (postgres.url("postgres", password="sesame-secret"), postgres.url("postgres", user="nobody-known")):
        error = refusal(other(home, url))
        assert "cannot be reached: password authentication failed for user" in error.message
        assert error.hint == "check the user and password in LABELKIT_REGISTRY"
        assert "sesame-secret" not in str(error)
    error = refusal(other(home, postgres.url("nosuch")))
    assert error.message.endswith('cannot be reached: database "nosuch" does not exist')
    assert "createdb" in str(error.hint)


@pytest.mark.parametrize(
    "query", ["sslmode=sesame-secret", "connect_timeout=sesame-secret", "nothing=sesame-secret", "port=sesame-secret"]
)
def test_nothing_of_the_parameters_is_told(tmp_path: Path, query: str) -> None:
    home = Home(root=tmp_path / "home", url=f"postgresql://keeper@127.0.0.1:1/nosuch?{query}")
    with pytest.raises(LabelkitError) as caught:
        Registry.open(home, create=False)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_password_among_the_parameters_is_not_told_either(home: Home, postgres: PostgresServer) -> None:
    url = f"postgresql://keeper@127.0.0.1:{postgres.port}/nosuch?password={quote(PASSWORD, safe='')}"
    assert f"postgresql+psycopg://keeper@127.0.0.1:{postgres.port}/nosuch cannot" in refusal(other(home, url)).message


def test_a_server_that_is_not_there_is_told_at_once(home: Home) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = refusal(other(home, f"postgresql://a:secret@127.0.0.1:{closed.getsockname()[1]}/d"))
    assert "cannot be reached: " in error.message
    assert "Connection refused" in error.message
    assert "check that the server runs" in str(error.hint)


def test_a_server_that_does_not_answer_is_given_up_on(home: Home) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = refusal(other(home, f"postgresql://a:secret@127.0.0.1:{silent.getsockname()[1]}/d"))
    assert "timeout" in error.message


def test_a_missing_package_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refusal(home)
    assert error.message == "LABELKIT_REGISTRY needs the package psycopg"
    assert error.hint == "pip install 'labelkit[postgres]'"


@pytest.fixture
def reader(used: Home, postgres: PostgresServer, postgres_database: str) -> Iterator[Home]:
    """Return a home of a user who may only read."""
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'read'; GRANT pg_read_all_data TO reader", postgres_database)
    yield other(used, postgres.url(postgres_database, "reader", "read"))
    postgres.execute("DROP ROLE reader", postgres_database)


def test_a_user_who_may_only_read_can_read(reader: Home) -> None:
    with Registry.open(reader, create=False) as registry:
        assert registry.runs.get(registry.runs.find("latest").id).record.id == "ner-1"
    error = refusal(reader)
    assert isinstance(error, StorageError)
    assert "refuses this user: permission denied for table runs" in error.message


def test_a_user_without_rights_is_told(home: Home, postgres: PostgresServer, postgres_database: str) -> None:
    postgres.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'")
    try:
        error = refusal(other(home, postgres.url(postgres_database, "stranger", "x")))
    finally:
        postgres.execute("DROP ROLE stranger")
    assert "refuses this user: permission denied for schema public" in error.message


def test_the_rights_that_the_docs_name_are_enough_to_record(
    used: Home, postgres: PostgresServer, postgres_database: str
) -> None:
    postgres.execute(
        "CREATE ROLE writer LOGIN PASSWORD 'write';"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer;"
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer",
        postgres_database,
    )
    mine = Home(root=used.root.with_name("mine"), url=postgres.url(postgres_database, "writer", "write"))
    try:
        with Registry.open(mine, create=True) as registry:
            registry.recorder.start(a_run("ner-2"))
            a_checkpoint(registry, "ner-2", "best", best=True)
            registry.annotations.add_note("ner-2", "words")
            registry.aliases.assign("ner-2", "mine")
            registry.recorder.finish("ner-2", "finished", seconds=1.0)
            assert registry.runs.find("ner@mine").id == "ner-2"
    finally:
        postgres.execute("DROP OWNED BY writer; DROP ROLE writer", postgres_database)


def test_a_standby_is_read_only(used: Home) -> None:
    url = f"{used.url}?options=-cdefault_transaction_read_only%3Don"
    with Registry.open(other(used, url), create=False) as registry:
        assert len(registry.runs.search()) == 1
    assert refusal(other(used, url)).message.endswith("is read-only")


def test_whoever_waited_in_vain_is_told_so(used: Home) -> None:
    database = Database.open(used, create=True)
    with (
        database.session(write=True) as connection,
        Registry.open(used, create=True, timeout=0.05) as registry,
    ):
        connection.exec_driver_sql("UPDATE runs SET name = 'held'")
        assert registry.runs.search()[0].name is None
        with pytest.raises(RegistryError, match="is locked by another process"):
            registry.recorder.heartbeat("ner-1")
    database.close()


def test_writers_of_different_runs_do_not_wait_for_each_other(used: Home) -> None:
    database = Database.open(used, create=True)
    with (
        database.session(write=True) as connection,
        Registry.open(used, create=True, timeout=0.05) as registry,
    ):
        connection.exec_driver_sql("UPDATE runs SET name = 'held'")
        registry.recorder.start(a_run("ner-2"))
        registry.recorder.finish("ner-2", "finished", seconds=1.0)
    database.close()


def test_whoever_must_be_alone_waits_for_the_others(used: Home) -> None:
    first, second = (Database.open(used, create=True, timeout=0.05) for _ in range(2))
    with first.session(alone=True), pytest.raises(RegistryError, match="is locked"), second.session(alone=True):
        pass
    with second.session(alone=True):
        pass
    first.close()
    second.close()


@pytest.mark.parametrize("ending", ["finish", "resume"])
def test_of_two_that_change_a_state_at_once_one_wins(used: Home, ending: str) -> None:
    """The loser waits for the row, then finds that its condition no longer holds."""
    with Registry.open(used, create=True) as registry:
        if ending == "resume":
            registry.recorder.finish("ner-1", "failed", seconds=1.0)
    outcomes: list[str] = []
    ready = threading.Barrier(4)

    def change() -> None:
        with Registry.open(used, create=True) as registry:
            ready.wait()
            try:
                registry.recorder.resume("ner-1") if ending == "resume" else registry.recorder.finish(
                    "ner-1", "failed", seconds=1.0
                )
                outcomes.append("done")
            except RegistryError as error:
                outcomes.append(error.message)

    several = [threading.Thread(target=change) for _ in range(4)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert outcomes.count("done") == 1
    assert all("ner-1" in outcome for outcome in outcomes if outcome != "done")


@pytest.mark.slow
def test_two_that_wait_for_each_other_are_told_to_try_again(used: Home) -> None:
    with Registry.open(used, create=True) as registry:
        registry.recorder.start(a_run("ner-2"))
    database = Database.open(used, create=True)
    said: list[str] = []
    both = threading.Barrier(2)

    def change(first: str, second: str) -> None:
        try:
            with database.session(write=True) as connection:
                connection.exec_driver_sql("UPDATE runs SET name = 'x' WHERE id = %s", (first,))
                both.wait()
                connection.exec_driver_sql("UPDATE runs SET name = 'x' WHERE id = %s", (second,))
        except RegistryError as error:
            said.append(error.message)

    several = [threading.Thread(target=change, args=pair) for pair in (("ner-1", "ner-2"), ("ner-2", "ner-1"))]
    for one in several:
        one.start()
    for one in several:
        one.join()
    database.close()
    assert len(said) == 1
    assert said[0].endswith("was changed by another process at the same time")


FIRST = """
import sys
from pathlib import Path
from labelkit.registry import Home, Registry
sys.stdin.read()
with Registry.open(Home(root=Path(sys.argv[1]), url=sys.argv[2]), create=True) as registry:
    registry.runs.search()
"""


def test_several_first_runs_make_one_registry(home: Home, postgres: PostgresServer, postgres_database: str) -> None:
    assert home.url
    command = [sys.executable, "-c", FIRST, str(home.root), home.url]
    several = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [one.communicate(timeout=60)[1] for one in several] == [""] * 3
    assert postgres.execute("SELECT count(*) FROM stores", postgres_database) == [(1,)]
    assert postgres.execute(f"SELECT * FROM {VERSION_TABLE}", postgres_database) == [(REVISIONS[-1],)]


@pytest.mark.slow
def test_a_run_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    try:
        with postgres_server() as server:
            home = Home(root=tmp_path / "home", url=server.url("postgres"))
            with Registry.open(home, create=True) as registry:
                registry.recorder.start(a_run())
                server.stop()
                with ThreadPoolExecutor() as pool:
                    waiting = pool.submit(registry.recorder.heartbeat, "ner-1")
                    with pytest.raises(TimeoutError):
                        waiting.result(1.0)
                    server.start()
                    waiting.result(30.0)
                assert [run.id for run in registry.runs.search()] == ["ner-1"]
            server.stop()
            with pytest.raises(RegistryError, match="cannot be reached"):
                Registry.open(home, create=True)
    except NoServer as error:
        pytest.skip(str(error))

"""Opening a registry, and every way in which that is refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.registry import Home, Registry, RunRecord
from labelkit.registry.database import Database
from labelkit.registry.engines import place_of
from labelkit.registry.tables import REVISIONS


def a_run(id_: str = "ner-1") -> RunRecord:
    return RunRecord(
        id=id_,
        task="ner",
        kind="token",
        data="d",
        model="m",
        metric="s",
        metric_key="f1",
        labelkit="0",
        seed=1,
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


@pytest.fixture
def used(home: Home) -> Home:
    """Return a home with one run in it."""
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
    return home


def refusal(home: Home, *, create: bool = True) -> LabelkitError:
    """Return the one line with which opening or listing is refused."""
    with pytest.raises(LabelkitError) as caught, Registry.open(home, create=create) as registry:
        registry.runs.search()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_database_may_be_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    home = Home.find({"LABELKIT_REGISTRY": url}, cwd=tmp_path)
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
    assert (tmp_path / "shared.db").exists()
    assert not home.database.exists()


@pytest.mark.parametrize("name", ["with space", "per%20cent", "what?", "#1", "é"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    home = Home(root=tmp_path / name)
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
    assert home.database.exists()


def test_reading_creates_nothing(home: Home) -> None:
    with Registry.open(home, create=False) as registry:
        assert registry.runs.search() == []
        with pytest.raises(RegistryError, match="no run in the registry yet"):
            registry.runs.find("latest")
        with pytest.raises(RegistryError, match="there is no registry at"):
            registry.recorder.start(a_run())
    assert not home.root.exists()


def test_reading_leaves_the_folder_as_it_was(used: Home) -> None:
    before = contents(used.root)
    with Registry.open(used, create=False) as registry:
        assert len(registry.runs.search()) == 1
    assert contents(used.root) == before


def test_an_empty_file_is_a_registry_to_be(home: Home) -> None:
    home.root.mkdir()
    home.database.touch()
    with Registry.open(home, create=False) as registry:
        assert registry.runs.search() == []
    assert home.database.stat().st_size == 0
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(a_run())
        assert len(registry.runs.search()) == 1


def test_writes_reach_the_disk_and_readers_are_not_in_the_way(used: Home) -> None:
    database = Database.open(used, create=True)
    with database.session() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    database.close()
    assert settings == ["wal", 2, 1, 30_000]


def test_a_write_rolls_back_as_a_whole(used: Home) -> None:
    database = Database.open(used, create=True)

    def die_half_way() -> None:
        with database.session(write=True) as connection:
            connection.exec_driver_sql("DELETE FROM runs")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    with database.session() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 1
    database.close()


def test_a_writer_that_waited_in_vain_is_told_so_while_readers_go_on(used: Home) -> None:
    other = sqlite3.connect(used.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Registry.open(used, create=True, timeout=0.05) as registry:
        with pytest.raises(RegistryError, match="is locked by another process"):
            registry.recorder.heartbeat("ner-1")
        assert len(registry.runs.search()) == 1
        other.execute("COMMIT")
        registry.recorder.heartbeat("ner-1")
    other.close()


def test_the_first_run_waits_for_whoever_reads_the_new_file(home: Home) -> None:
    home.root.mkdir()
    other = sqlite3.connect(home.database, isolation_level=None, check_same_thread=False)
    other.executescript("PRAGMA user_version = 1; BEGIN; SELECT * FROM sqlite_master")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    soon = threading.Timer(0.2, other.execute, ["COMMIT"])
    soon.start()
    with Registry.open(home, create=True, timeout=0.0) as registry:
        registry.recorder.start(a_run())
    soon.join()
    other.close()


def test_a_write_takes_the_lock_before_it_reads(used: Home) -> None:
    database = Database.open(used, create=True)
    other = sqlite3.connect(used.database, isolation_level=None, timeout=0.0)
    with database.session(write=True), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with database.session() as connection:
        connection.exec_driver_sql("SELECT * FROM runs").all()
        other.execute("BEGIN IMMEDIATE")
    other.close()
    database.close()


def test_another_programs_database_is_left_alone(home: Home) -> None:
    home.root.mkdir()
    for tables in (
        "CREATE TABLE notes (a)",
        "CREATE TABLE alembic_version (version_num); CREATE TABLE runs (id)",
    ):
        home.database.unlink(missing_ok=True)
        other = sqlite3.connect(home.database)
        other.executescript(tables)
        other.close()
        before = home.database.read_bytes()
        for create in (True, False):
            error = refusal(home, create=create)
            assert isinstance(error, RegistryError)
            assert "is another program's database" in error.message
        assert home.database.read_bytes() == before


def test_a_newer_registry_is_refused(used: Home) -> None:
    other = sqlite3.connect(used.database)
    other.execute("UPDATE labelkit_version SET version_num = '9999'")
    other.commit()
    other.close()
    before = used.database.read_bytes()
    for create in (True, False):
        error = refusal(used, create=create)
        assert f"was made by a newer labelkit (schema 9999, known up to {REVISIONS[-1]})" in error.message
        assert error.hint == "update labelkit: pip install -U labelkit"
    assert used.database.read_bytes() == before


@pytest.mark.parametrize("size", [1, 50, 100, 4096, 20_000, -1])
def test_a_truncated_registry_is_refused_and_kept(used: Home, size: int) -> None:
    before = used.database.read_bytes()[:size]
    used.database.write_bytes(before)
    for create in (True, False):
        error = refusal(used, create=create)
        assert isinstance(error, RegistryError)
        assert "is damaged" in error.message or "is not a registry" in error.message
    assert used.database.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_kept(home: Home) -> None:
    home.root.mkdir()
    home.database.write_text("dear diary, " * 1000)
    assert "is not a registry" in refusal(home).message
    assert home.database.read_text() == "dear diary, " * 1000


def test_a_folder_in_its_place_is_refused(home: Home) -> None:
    (home.database / "inside").mkdir(parents=True)
    for create in (True, False):
        assert "is a folder, not a file" in refusal(home, create=create).message
    assert (home.database / "inside").is_dir()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    error = refusal(Home(root=tmp_path / "home"))
    assert isinstance(error, StorageError)
    assert "cannot be used" in error.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "is not a database URL"),
        ("nosuch://host/db", "is not a database URL"),
        ("sqlite://someone:secret@/x.db", "is not a database URL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://someone:secret@host/db", "names mysql, which labelkit does not know"),
        ("postgresql+asyncpg://someone:secret@host/db", "which labelkit does not know"),
        ("postgresql://someone:secret@host:port/db", "is not a database URL"),
    ],
)
def test_a_url_of_no_use_is_refused(home: Home, url: str, says: str) -> None:
    error = refusal(Home(root=home.root, url=url))
    assert says in error.message
    assert "secret" not in str(error)


def test_a_server_is_named_without_its_password() -> None:
    url = "postgresql://someone:secret@host/db?sslpassword=secret"
    assert place_of(sa.make_url(url)) == "postgresql://someone:***@host/db"
    assert "secret" not in repr(Home(root=Path("home"), url=url))


def test_a_full_database_is_told_and_loses_nothing(used: Home) -> None:
    database = Database.open(used, create=True)

    def fill() -> None:
        with database.session(write=True) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("UPDATE runs SET command = hex(zeroblob(10000000))")

    with pytest.raises(StorageError, match="cannot grow: the disk is full"):
        fill()
    database.close()
    with Registry.open(used, create=False) as registry:
        assert len(registry.runs.search()) == 1


def in_trouble(trouble: str, home: Home, *, create: bool) -> str:
    """Return what a process in ``trouble`` says of opening, listing and recording."""
    script = f"""
import ctypes, resource, sys
from pathlib import Path
from labelkit.errors import StorageError
from labelkit.registry import Home, Registry, RunRecord
import labelkit.registry.migrate
{trouble}
facts = dict(task="ner", kind="token", data="d", model="m", metric="s", metric_key="f1", labelkit="0", seed=1)
try:
    with Registry.open(Home(root=Path(sys.argv[1])), create={create}) as registry:
        print([run.id for run in registry.runs.search()])
        registry.recorder.start(RunRecord(id="ner-2", command="x" * 100_000, **facts))
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


# A process of root may write anywhere: it has to give up its capabilities to be refused like others.
POWERLESS = """
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_while_recording_is_told(used: Home) -> None:
    said = in_trouble("resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))", used, create=True)
    assert said.startswith("['ner-1']\n")
    assert "cannot be read or written" in said
    with Registry.open(used, create=False) as registry:
        assert [run.id for run in registry.runs.search()] == ["ner-1"]


@pytest.mark.slow
def test_a_full_disk_at_the_first_run_leaves_no_broken_registry(home: Home) -> None:
    said = in_trouble("resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))", home, create=True)
    assert said.count("\n") == 1
    assert "cannot be read or written" in said
    with Registry.open(home, create=True) as registry:
        assert registry.runs.search() == []


@pytest.mark.slow
def test_no_room_for_the_marker_leaves_none(home: Home) -> None:
    said = in_trouble("resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))", home, create=True)
    assert "cannot be used: File too large" in said
    assert contents(home.root) == {}


@pytest.mark.slow
def test_a_read_only_home_can_be_read_and_says_why_it_cannot_be_written(used: Home) -> None:
    before = contents(used.root)
    used.database.chmod(0o444)
    used.root.chmod(0o555)
    try:
        said = {create: in_trouble(POWERLESS, used, create=create) for create in (True, False)}
    finally:
        used.root.chmod(0o755)
    for create in (True, False):
        assert said[create].startswith("['ner-1']\n")
        assert "is read-only" in said[create]
    assert contents(used.root) == before


@pytest.mark.slow
def test_a_read_only_place_for_a_new_home_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        said = in_trouble(POWERLESS, Home(root=tmp_path / "home"), create=True)
    finally:
        tmp_path.chmod(0o755)
    assert "cannot be used: Permission denied" in said
    assert os.listdir(tmp_path) == []


def test_listing_loads_neither_alembic_nor_the_orm(used: Home) -> None:
    script = """
import sys
from pathlib import Path
from labelkit.registry import Home
assert "sqlalchemy" not in sys.modules
from labelkit.registry import Registry
for folder in sys.argv[1:]:
    with Registry.open(Home(root=Path(folder)), create=False) as registry:
        print(len(registry.runs.search()), end=" ")
heavy = {"alembic", "sqlalchemy.orm", "numpy", "pandas", "torch", "transformers", "datasets"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(used.root), str(used.root / "none")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1 0 []\n"

"""A PostgreSQL server of the tests' own: a cluster in a folder that goes away, on loopback."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USER, PASSWORD = "keeper", "open sésame: 100%/?@"
_PATIENCE = 60.0


class NoServer(Exception):  # noqa: N818
    """There is no server to start here; says why."""


class PostgresServer:
    """A server that runs.

    :param folder: of the cluster and of its log, owned by the user that it runs as.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def make(self) -> None:
        """Make the cluster. Its language is not plain C: servers sort words as people do."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD + "\n", encoding="utf-8")
        secret.chmod(0o644)
        options = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
        command: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            self._cluster,
            f"-U{USER}",
            "--auth=scram-sha-256",
        ]
        subprocess.run([*_plain_user(), *command, f"--pwfile={secret}", *options], check=True, capture_output=True)

    def start(self) -> None:
        """Start, and return once it answers.

        :raises NoServer: it does not come up.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "jit": "off",
            "shared_buffers": "16MB",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "max_connections": 60,
            "logging_collector": "off",
        }
        command: list[str | Path] = [self._programs / "postgres", "-D", self._cluster]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*_plain_user(), *command], stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace").splitlines()
                raise NoServer(f"PostgreSQL does not start: {said[-1] if said else 'it says nothing'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once, hanging up on whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(_PATIENCE)
            self._process = None

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """Return the SQLAlchemy URL of a database."""
        import sqlalchemy as sa

        url = sa.URL.create("postgresql", user, password, host="127.0.0.1", port=self.port, database=database)
        return url.render_as_string(hide_password=False)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Make a database, as a copy of another, and return its name; it goes at the end."""
        name = f"labelkit_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def empty(self, database: str) -> None:
        """Delete all rows of a registry's tables but the version of its schema, whoever is still connected."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()",
            database,
        )
        tables = self.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'labelkit_version'", database
        )
        names = ", ".join(f'"{name}"' for (name,) in tables)
        self.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE", database)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run SQL as the superuser, outside of any transaction, and return its rows."""
        import psycopg

        place = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}
        with psycopg.connect(dbname=database, autocommit=True, **place) as connection:  # type: ignore[arg-type]
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def _cluster(self) -> Path:
        return self._folder / "cluster"

    def _answers(self) -> bool:
        command: list[str | Path] = [
            self._programs / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-d",
            "postgres",
        ]
        return subprocess.run(command, check=False).returncode == 0


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server, and stop it at the end.

    :raises NoServer: there is none to start.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="labelkit-postgres-"))
    server = PostgresServer(programs, folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user=_name())
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        with suppress(OSError):
            shutil.rmtree(folder)


def _programs() -> Path:
    """Return the folder of initdb and postgres: the newest of Debian's, else what PATH has."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise NoServer("psycopg is not installed: pip install 'labelkit[postgres]'") from error
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(debian, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise NoServer("no PostgreSQL server on this machine: apt-get install postgresql")
    if not shutil.which("setpriv"):
        raise NoServer("no setpriv on this machine: apt-get install util-linux")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _plain_user() -> list[str]:
    """Return what to put before a command so that it runs as somebody else than root, and ends with this process."""
    user = [f"--reuid={_name()}", f"--regid={pwd.getpwnam(_name()).pw_gid}", "--clear-groups"]
    return ["setpriv", "--pdeathsig=INT", *(user if os.geteuid() == 0 else []), "--"]


def _name() -> str:
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Errors of SQLite and PostgreSQL as errors of labelkit, with a hint."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Mapping

from sqlalchemy import exc

from labelkit.errors import LabelkitError, RegistryError, StorageError

# The class of the error, its message after "the registry PLACE", and its hint.
_Entry = tuple[type[LabelkitError], str, str]

_LOCKED: _Entry = (
    RegistryError,
    "is locked by another process",
    "wait for it to finish, or see what holds the file open",
)
# By SQLite's primary result code.
_SQLITE: Mapping[int, _Entry] = {
    5: _LOCKED,
    6: _LOCKED,
    8: (
        StorageError,
        "is read-only",
        "allow writing to the file and its folder, or name another LABELKIT_HOME",
    ),
    10: (StorageError, "cannot be read or written", "look at the disk: full, over quota or failing"),
    11: (RegistryError, "is damaged", "restore it from a backup; nothing was changed"),
    13: (StorageError, "cannot grow: the disk is full", "make room, or name another LABELKIT_HOME"),
    14: (StorageError, "cannot be opened", "check the folder, its permissions and free space"),
    23: (StorageError, "may not be opened", "allow reading and writing it"),
    26: (RegistryError, "is not a registry", "move that file away, or name another LABELKIT_HOME"),
}

_CONFLICT: _Entry = (
    RegistryError,
    "was changed by another process at the same time",
    "nothing was recorded; do it again",
)
_DISCONNECT: _Entry = (
    RegistryError,
    "lost the connection to its server",
    "see whether the server runs; what was being recorded may be missing",
)
# By SQLSTATE; the first two characters stand for a whole class.
_POSTGRESQL: Mapping[str, _Entry] = {
    "08": _DISCONNECT,
    "25006": (StorageError, "is read-only", "its server is a standby, or this user may only read"),
    "2BP01": (
        RegistryError,
        "cannot be upgraded: {line}",
        "drop what depends on labelkit's views, and create it again afterwards",
    ),
    "40": _CONFLICT,
    "42501": (StorageError, "refuses this user: {line}", "ask the administrator of that database to grant it"),
    "53100": (StorageError, "cannot grow: the disk of its server is full", "make room there; nothing was recorded"),
    "53": (RegistryError, "is overloaded: {line}", "try again later, or raise the limits of its server"),
    "55P03": (RegistryError, "is locked by another process", "wait for it to finish; see pg_stat_activity"),
    "57": _DISCONNECT,
    "58": (StorageError, "cannot be read or written: {line}", "look at the disk of its server"),
    "XX": (RegistryError, "is damaged: {line}", "look at the log of its server"),
}
# A refused connection has no SQLSTATE, only the message of the server, matched in English.
_NO_CONNECTION: tuple[tuple[str, str], ...] = (
    (r"password|authentication|pg_hba|role .* does not exist", "check the user and password in LABELKIT_REGISTRY"),
    (r"database .* does not exist", "create it first (createdb), or check its name in LABELKIT_REGISTRY"),
    (r"permission denied for database", "ask the administrator of that database to let this user connect"),
    (r"too many|remaining connection slots", "try again later, or raise the connection limit of its server"),
    ("", "check that the server runs, and its address in LABELKIT_REGISTRY"),
)


def explain(error: exc.SQLAlchemyError, place: str, secrets: Iterable[str] = ()) -> LabelkitError:
    """Return the error of labelkit for an ``error`` of the database at ``place``.

    :param secrets: texts that are masked in what the database says.
    """
    cause, state = _cause(error), _sqlstate(error) or ""
    said = str(cause).strip()
    for secret in sorted(secrets, key=len, reverse=True):
        said = said.replace(secret, "***")
    lines = said.splitlines()
    # Of a refused connection without the addresses that were tried.
    prefix = r"^connection (failed|to server).*(failed: (?=FATAL)|FATAL: +|failed: )"
    line = re.sub(prefix, "", lines[0] if lines else type(cause).__name__)
    # The low byte is SQLite's primary code; the rest only refines it.
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_CANTOPEN and is_forbidden(place):
        hint = "ask its owner to allow reading the file and its folder"
        return StorageError(f"the registry {place} cannot be opened: permission denied", hint=hint)
    if entry := _SQLITE.get(code) or _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]):
        kind, message, hint = entry
        return kind(f"the registry {place} {message.format(line=line)}", hint=hint)
    if is_disconnect(error):
        hint = next(hint for pattern, hint in _NO_CONNECTION if re.search(pattern, line))
        return RegistryError(f"the registry {place} cannot be reached: {line}", hint=hint)
    verb = "refuses this record" if isinstance(error, exc.IntegrityError) else "failed"
    return RegistryError(f"the registry {place} {verb}: {line}")


def is_forbidden(place: str) -> bool:
    """Return whether this user may not read the file at ``place``; SQLite says only that it cannot open it."""
    try:
        os.close(os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def disk_full(place: str) -> LabelkitError:
    """Return the error of writing to the SQLite file at ``place`` on a full disk."""
    kind, message, hint = _SQLITE[sqlite3.SQLITE_FULL]
    return kind(f"the registry {place} {message}", hint=hint)


def is_missing_table(error: exc.SQLAlchemyError) -> bool:
    """Return whether a statement failed because a table does not exist."""
    return _sqlstate(error) == "42P01" or "no such table" in str(_cause(error))


def is_disconnect(error: exc.SQLAlchemyError) -> bool:
    """Return whether a server refused or closed the connection."""
    state = _sqlstate(error)
    lost = state is None and getattr(_cause(error), "sqlite_errorcode", None) is None
    return isinstance(error, exc.OperationalError) and (lost or str(state)[:2] in ("08", "57"))


def _cause(error: exc.SQLAlchemyError) -> BaseException:
    return error.orig if isinstance(error, exc.DBAPIError) and error.orig else error


def _sqlstate(error: exc.SQLAlchemyError) -> str | None:
    state: str | None = getattr(_cause(error), "sqlstate", None)
    return state

"""Errors of databases in plain words: what is the matter, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import exc

from labelkit.errors import LabelkitError, RegistryError, StorageError

# The kind of error, what it says, what to do.
_Fault = tuple[type[LabelkitError], str, str]

_LOCKED: _Fault = (
    RegistryError,
    "is locked by another process",
    "wait for it to finish, or see what holds the file open",
)
# By SQLite's primary result code.
_SQLITE: Mapping[int, _Fault] = {
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

_AT_ONCE: _Fault = (
    RegistryError,
    "was changed by another process at the same time",
    "nothing was recorded; do it again",
)
_GONE: _Fault = (
    RegistryError,
    "lost the connection to its server",
    "see whether the server runs; what was being recorded may be missing",
)
# By SQLSTATE; the first two characters stand for a whole class.
_POSTGRESQL: Mapping[str, _Fault] = {
    "08": _GONE,
    "25006": (StorageError, "is read-only", "its server is a standby, or this user may only read"),
    "2BP01": (
        RegistryError,
        "cannot be upgraded: {line}",
        "drop what somebody built on labelkit's views, and make it again afterwards",
    ),
    "40": _AT_ONCE,
    "42501": (StorageError, "refuses this user: {line}", "ask whoever keeps that database for the right to do this"),
    "53100": (StorageError, "cannot grow: the disk of its server is full", "make room there; nothing was recorded"),
    "53": (RegistryError, "has too much to do: {line}", "try again later, or allow its server more"),
    "55P03": (RegistryError, "is locked by another process", "wait for it to finish; see pg_stat_activity"),
    "57": _GONE,
    "58": (StorageError, "cannot be read or written: {line}", "look at the disk of its server"),
    "XX": (RegistryError, "is damaged: {line}", "look at the log of its server"),
}
# A refused connection has no SQLSTATE, only what the server said; in English, or else it is told as it is.
_NO_CONNECTION: tuple[tuple[str, str], ...] = (
    (r"password|authentication|pg_hba|role .* does not exist", "check the user and password in LABELKIT_REGISTRY"),
    (r"database .* does not exist", "make it first (createdb), or check its name in LABELKIT_REGISTRY"),
    (r"permission denied for database", "ask whoever keeps that database to let this user connect"),
    (r"too many|remaining connection slots", "try again later, or allow its server more connections"),
    ("", "check that the server runs, and its address in LABELKIT_REGISTRY"),
)


def explain(error: exc.SQLAlchemyError, place: str) -> LabelkitError:
    """Return what ``error`` of the database at ``place`` means."""
    cause = _cause(error)
    line = _line(cause)
    fault = _known(cause)
    if fault is not None:
        kind, says, hint = fault
        return kind(f"the registry {place} {says.format(line=line)}", hint=hint)
    if is_gone(error):
        hint = next(hint for pattern, hint in _NO_CONNECTION if re.search(pattern, line))
        return RegistryError(f"the registry {place} cannot be reached: {line}", hint=hint)
    if isinstance(error, exc.IntegrityError):
        return RegistryError(f"the registry {place} refuses this record: {line}")
    return RegistryError(f"the registry {place} failed: {line}")


def is_missing_table(error: exc.SQLAlchemyError) -> bool:
    """Say whether a statement failed because there is no such table."""
    cause = _cause(error)
    return _sqlstate(cause) == "42P01" or "no such table" in str(cause)


def is_gone(error: exc.SQLAlchemyError) -> bool:
    """Say whether a server let nobody in, or hung up."""
    cause = _cause(error)
    state = _sqlstate(cause)
    lost = state is None and getattr(cause, "sqlite_errorcode", None) is None
    return isinstance(error, exc.OperationalError) and (lost or str(state)[:2] in ("08", "57"))


def _cause(error: exc.SQLAlchemyError) -> BaseException:
    return error.orig if isinstance(error, exc.DBAPIError) and error.orig else error


def _sqlstate(cause: BaseException) -> str | None:
    state: str | None = getattr(cause, "sqlstate", None)
    return state


def _known(cause: BaseException) -> _Fault | None:
    # The low byte is SQLite's primary code; the rest only refines it.
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    state = _sqlstate(cause) or ""
    return _SQLITE.get(code) or _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])


def _line(error: BaseException) -> str:
    """Return what the database said, in one line; of a refused connection without the addresses that were tried."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return re.sub(r"^connection (failed|to server).*(failed: (?=FATAL)|FATAL: +|failed: )", "", first)

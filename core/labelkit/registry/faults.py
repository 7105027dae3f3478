"""Errors of databases in plain words: what is the matter, and what to do about it."""

from __future__ import annotations

from sqlalchemy import exc

from labelkit.errors import LabelkitError, RegistryError, StorageError

# By SQLite's primary result code: the kind of error, what it says, what to do.
_SQLITE: dict[int, tuple[type[LabelkitError], str, str]] = {
    5: (
        RegistryError,
        "is locked by another process",
        "wait for it to finish, or see what holds the file open",
    ),
    6: (
        RegistryError,
        "is locked by another process",
        "wait for it to finish, or see what holds the file open",
    ),
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


def explain(error: exc.SQLAlchemyError, place: str) -> LabelkitError:
    """Return what ``error`` of the database at ``place`` means."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    code = getattr(cause, "sqlite_errorcode", None)
    # The low byte is the primary code; the rest only refines it.
    kind, says, hint = _SQLITE.get((code or 0) & 0xFF, (None, "", ""))
    if kind is not None:
        return kind(f"the registry {place} {says}", hint=hint)
    if isinstance(error, exc.IntegrityError):
        return RegistryError(f"the registry {place} refuses this record: {_line(cause)}")
    if isinstance(error, exc.OperationalError) and code is None:
        return RegistryError(
            f"the registry {place} cannot be used: {_line(cause)}",
            hint="check that the server runs and its URL",
        )
    return RegistryError(f"the registry {place} failed: {_line(cause)}")


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

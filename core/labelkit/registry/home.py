"""LABELKIT_HOME: the folder of runs, caches and the registry, and how it is found."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from labelkit.errors import RegistryError, StorageError
from labelkit.files.small import read_json
from labelkit.registry.liveness import now

FOLDER = "labelkit-runs"
MARKER = "store.json"
#: in the folder of a run: its checkpoints, and its training state for resuming
CHECKPOINTS, RESUME = "checkpoints", "resume"
#: in the folder of a checkpoint: the run and step that made it


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreMarker:
    """The ``store.json`` of a home: its identity in the registry, wherever the folder is moved."""

    id: str
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalStore:
    """The checkpoint store of the home in use.

    :param id: the id in its ``store.json``; None where the home does not exist yet.
    :param root: the folder of the home, to which recorded checkpoint paths are relative.
    """

    id: str | None
    root: Path

    def relative_path(self, folder: Path) -> str:
        """Return the path of ``folder`` relative to the root, as it is recorded.

        :raises RegistryError: the folder is not inside the root.
        """
        root = self.root.resolve()
        try:
            return folder.resolve().relative_to(root).as_posix()
        except ValueError as error:
            raise RegistryError(f"{folder} is not inside {root}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The folder of runs, caches and the registry. :meth:`find` creates nothing; :meth:`create` does.

    :param root: the folder, absolute.
    :param url: the SQLAlchemy URL of the registry's database; None for :attr:`database`. It may hold a password.
    :param remote: the URL of the shared store of checkpoints; None for none.
    """

    root: Path
    url: str | None = field(default=None, repr=False)
    remote: str | None = field(default=None, repr=False)

    @classmethod
    def find(cls, environ: Mapping[str, str], *, explicit: str | Path | None = None, cwd: Path | None = None) -> Home:
        """Return the home that ``explicit`` or ``LABELKIT_HOME`` names.

        By default it is ``labelkit-runs`` in ``cwd`` or the nearest folder above that has one, else a new one in
        ``cwd``. ``LABELKIT_REGISTRY`` names another database than the ``registry.db`` in it.

        :raises RegistryError: the path is not UTF-8, in which databases hold text.
        """
        base = (cwd or Path.cwd()).absolute()
        named = explicit or environ.get("LABELKIT_HOME")
        existing = (folder / FOLDER for folder in (base, *base.parents) if (folder / FOLDER).is_dir())
        root = base / Path(named).expanduser() if named else next(existing, base / FOLDER)
        try:
            str(root).encode()
        except UnicodeEncodeError as error:
            raise RegistryError(
                f"the home {root} is no path in UTF-8, so its runs cannot be recorded",
                hint="name another folder with LABELKIT_HOME",
            ) from error
        shared = {"url": environ.get("LABELKIT_REGISTRY") or None, "remote": environ.get("LABELKIT_STORE") or None}
        return cls(root=root, **shared)

    @property
    def database(self) -> Path:
        """The default SQLite database of the registry."""
        return self.root / "registry.db"

    @property
    def runs(self) -> Path:
        """The folder with a folder for each run."""
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        """The folder of caches, whose content may be deleted at any time."""
        return self.root / "cache"

    def store(self) -> StoreMarker | None:
        """Return the content of ``store.json``, None if it is missing.

        :raises RegistryError: it is damaged.
        :raises StorageError: it cannot be read.
        """
        marker = self.root / MARKER
        try:
            content: dict[str, Any] = read_json(marker)
            return StoreMarker(id=str(uuid.UUID(content["id"])), created=datetime.fromisoformat(content["created"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(
                f"{marker} is damaged",
                hint="restore it from a backup; it ties the checkpoints here to their runs",
            ) from error

    def create(self) -> StoreMarker:
        """Create the folder and its ``store.json`` if they are missing, and return the content of that.

        :raises RegistryError: the marker is damaged.
        :raises StorageError: the disk is full, or permission is denied.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if self.runs.is_symlink():
                raise RegistryError(
                    f"{self.runs} is a link, and labelkit creates no folders outside of its home",
                    hint="name the folder that it leads to with LABELKIT_HOME, or make the home itself a link",
                )
            self.runs.mkdir(exist_ok=True)
            found = self.store()
            if found is None:
                self._write_marker()
        except OSError as error:
            raise _storage_error(self.root, error) from error
        return found or self.create()

    def _write_marker(self) -> None:
        content = json.dumps({"id": str(uuid.uuid4()), "created": now().isoformat()}, allow_nan=False)
        temporary = self.root / f"{MARKER}.{uuid.uuid4().hex}"
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link fails where the name exists: of several first runs at once, one creates the marker.
            with suppress(FileExistsError):
                os.link(temporary, self.root / MARKER)
        finally:
            temporary.unlink(missing_ok=True)


def store_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the credentials of a cloud in environment variables, which are never shown."""
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
    return [environ[name] for name in names if environ.get(name)]


def _storage_error(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be used: {error.strerror or error}",
        hint="free space or allow writing there, or name another folder with LABELKIT_HOME",
    )

"""A shared store of checkpoints, in object storage or a shared folder: ``LABELKIT_STORE``.

Files lie under their SHA-256, ``files/ab/abcd…``, so that no file is stored twice. A manifest, ``runs/RUN/STEP.json``,
names the files of a checkpoint. It is written last: a checkpoint without one is not there. Which files a checkpoint has
is also in the registry, and only that is believed when one is fetched.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from labelkit.errors import LabelkitError, RegistryError, StorageError, one_line
from labelkit.files.atomic import new_folder
from labelkit.models.checkpoint_files import sha256_of
from labelkit.registry import disk
from labelkit.registry.entities import CheckpointRecord
from labelkit.registry.home import Home, store_secrets
from labelkit.registry.liveness import now

_SCHEMES = ("s3", "gs", "file")
_EXAMPLES = "for example s3://bucket/prefix, gs://bucket/prefix or file:///folder"
_FILES, _RUNS = "files", "runs"
#: the folder of fetched checkpoints in the cache
FETCHED = "fetched"
#: seconds; garbage collection takes files of twice that age
_YOUNG = 43_200.0
Files = Mapping[str, tuple[int, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """A file in a store that no manifest names."""

    name: str
    size: int
    modified: datetime | None


class RemoteStore:
    """A shared store of checkpoints.

    :param url: its URL, without credentials.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme = urlsplit(url).scheme
        if scheme not in _SCHEMES:
            raise RegistryError("LABELKIT_STORE is not the URL of a store", hint=_EXAMPLES)
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise RegistryError(
                "LABELKIT_STORE holds credentials or options, which would be shown",
                hint="give them as the variables of the cloud, such as AWS_ACCESS_KEY_ID; " + _EXAMPLES,
            )
        if (scheme == "file" and (parts.netloc or not parts.path.strip("/"))) or (
            scheme != "file" and not parts.netloc
        ):
            raise RegistryError(f"LABELKIT_STORE {url} names no bucket or absolute folder", hint=_EXAMPLES)
        self._local = scheme == "file"
        try:
            from fsspec.core import url_to_fs

            with self._errors("be opened"):
                self._fs, self._root = url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            package = "gcsfs" if scheme == "gs" else "'labelkit[s3]'"
            raise RegistryError(f"LABELKIT_STORE {url} needs another package", hint=f"pip install {package}") from error

    @classmethod
    def of(cls, home: Home) -> RemoteStore | None:
        """Return the store of a home, None if it has none.

        :raises RegistryError: ``LABELKIT_STORE`` is no URL of a store, or a package is missing.
        """
        return None if home.remote is None else cls(home.remote)

    def upload(self, checkpoint: CheckpointRecord, *, again: bool = False) -> int:
        """Upload a checkpoint of this home, and return the bytes that the store did not have yet.

        :param again: also files that it has, which may be damaged.
        :raises StorageError: the store refuses, or a file has changed since it was recorded.
        """
        folder = checkpoint.folder
        if folder is None or not folder.is_dir():
            raise StorageError(f"the checkpoint of '{checkpoint.run}' is not here: {checkpoint.place}")
        sent, known = 0, self.holds(checkpoint)
        for name, (size, sha256) in checkpoint.files.items():
            if sha256_of(folder / name) != sha256:
                raise StorageError(
                    f"{folder / name} is not what was recorded, and is not uploaded", hint="labelkit runs verify"
                )
            stored = self._stored(sha256)
            # an old file that no manifest names may be removed at this moment: sent again it is young
            if again or stored is None or stored.size != size or not (known or self._is_young(stored)):
                self._put(folder / name, self._file(sha256))
                sent += size
        manifest = {"run": checkpoint.run, "step": checkpoint.step, "files": checkpoint.files}
        self._write(
            self._manifest(checkpoint.run, checkpoint.step),
            json.dumps(manifest, sort_keys=True, allow_nan=False).encode(),
        )
        for name, (size, sha256) in checkpoint.files.items():
            # garbage collection may have removed an old file at the very moment in which it was sent again
            stored = self._stored(sha256)
            if stored is None or stored.size != size:
                self._put(folder / name, self._file(sha256))
        return sent

    def holds(self, checkpoint: CheckpointRecord) -> bool:
        """Return whether a checkpoint was uploaded completely."""
        return self._info(self._manifest(checkpoint.run, checkpoint.step)) is not None

    def fetch(self, checkpoint: CheckpointRecord, cache: Path) -> Path:
        """Return a folder with the files of a checkpoint, fetched unless they are in the cache, and verified.

        :raises StorageError: it was not uploaded, a file in the store is damaged, or the store refuses.
        """
        folder = cache / FETCHED / _digest(checkpoint.files)
        if folder.is_dir():
            if _matches(folder, checkpoint.files):
                return folder
            disk.delete(folder)  # of a cache: it is fetched again
        if not self.holds(checkpoint):
            raise StorageError(
                f"the checkpoint of '{checkpoint.run}' is not in {self.url}; it is {checkpoint.place}",
                hint=f"there: labelkit runs upload {checkpoint.run}",
            )
        try:
            with new_folder(folder) as temporary:
                self._fetch_files(checkpoint, temporary)
        except StorageError:
            if not _matches(folder, checkpoint.files):  # else another process has fetched it meanwhile
                raise
        return folder

    def _fetch_files(self, checkpoint: CheckpointRecord, folder: Path) -> None:
        for name, (size, sha256) in checkpoint.files.items():
            target = folder / _inside(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._errors("be read"):
                self._fs.get_file(self._file(sha256), str(target))
            if target.stat().st_size != size or sha256_of(target) != sha256:
                raise StorageError(
                    f"{name} of '{checkpoint.run}' is damaged in {self.url}",
                    hint=f"on {checkpoint.host}: labelkit runs upload {checkpoint.run} --force",
                )

    def file_states(self, checkpoint: CheckpointRecord) -> dict[str, str]:
        """Return name → the actual SHA-256 of the files of an uploaded checkpoint, without those that are missing."""
        found = {}
        for name, (_, sha256) in checkpoint.files.items():
            if self._stored(sha256) is None:
                continue
            digest = hashlib.sha256()
            with self._errors("be read"), self._fs.open(self._file(sha256), "rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
            found[name] = digest.hexdigest()
        return found

    def remove(self, run: str) -> int:
        """Remove the manifests of a run, and return their number: files are removed by garbage collection."""
        if PurePosixPath(run).parts != (run,) or run == "..":
            return 0  # no such run was ever uploaded, and its folder would be another one
        paths = [path for path in self._find(f"{_RUNS}/{run}") if PurePosixPath(path).parent.name == run]
        with self._errors("be changed"):
            for path in paths:
                self._fs.rm_file(path)
        return len(paths)

    def unreferenced(self) -> list[StoredFile]:
        """Return the files that no manifest names: of removed runs, of killed uploads, or of uploads that go on."""
        named = {sha256 for manifest in self._manifests() for sha256 in manifest}
        return [
            StoredFile(name=PurePosixPath(path).name, size=int(info["size"]), modified=_modified(info))
            for path, info in self._find(_FILES).items()
            if PurePosixPath(path).name not in named
        ]

    def remove_files(self, files: list[StoredFile], age: float) -> list[StoredFile]:
        """Remove unreferenced files, and return them, without those that were stored again since they were listed.

        :param age: seconds; a younger file stays.
        """
        removed = []
        for one in files:
            now_stored = self._stored(one.name)
            if now_stored is not None and is_old(now_stored, age):
                with self._errors("be changed"):
                    self._fs.rm_file(self._file(one.name))
                removed.append(one)
        return removed

    def _manifests(self) -> Iterator[list[str]]:
        """Yield the SHA-256 of the files of each uploaded checkpoint.

        :raises StorageError: a manifest is damaged; to go on would be to think its files unreferenced.
        """
        for path in self._find(_RUNS):
            if not path.endswith(".json"):
                continue
            with self._errors("be read"):
                try:
                    content = self._fs.cat_file(path)
                except FileNotFoundError:  # its run was removed meanwhile
                    continue
            try:
                yield [sha256 for _, sha256 in json.loads(content)["files"].values()]
            except (ValueError, KeyError, TypeError, AttributeError):
                raise StorageError(
                    f"the manifest {path} in {self.url} is damaged",
                    hint="labelkit runs upload RUN --force writes it again",
                ) from None

    def _find(self, folder: str) -> dict[str, Mapping[str, Any]]:
        with self._errors("be listed"):
            try:
                found: dict[str, Mapping[str, Any]] = self._fs.find(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:
                return {}
        return found

    def _file(self, sha256: str) -> str:
        return f"{self._root}/{_FILES}/{sha256[:2]}/{sha256}"

    def _manifest(self, run: str, step: int) -> str:
        return f"{self._root}/{_RUNS}/{run}/{step}.json"

    def _info(self, path: str) -> Mapping[str, Any] | None:
        """Return what is known of a file, None if it is missing."""
        with self._errors("be read"):
            try:
                found: Mapping[str, Any] = self._fs.info(path)
            except FileNotFoundError:
                return None
        return found

    def _stored(self, sha256: str) -> StoredFile | None:
        info = self._info(self._file(sha256))
        return None if info is None else StoredFile(name=sha256, size=int(info["size"]), modified=_modified(info))

    @staticmethod
    def _is_young(file: StoredFile) -> bool:
        return file.modified is not None and not is_old(file, _YOUNG)

    def _put(self, source: Path, path: str) -> None:
        self._store(path, lambda target: self._fs.put_file(str(source), target))

    def _write(self, path: str, content: bytes) -> None:
        self._store(path, lambda target: self._fs.pipe_file(target, content))

    def _store(self, path: str, send: Callable[[str], object]) -> None:
        """Store a file that appears complete or not at all, as objects of clouds do.

        :param send: writes it under the given name.
        """
        with self._errors("be written"):
            if not self._local:
                send(path)
                return
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            temporary = f"{path}.{uuid.uuid4().hex}"
            send(temporary)
            os.replace(temporary, path)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Raise what the store reports as an error of one line, without credentials."""
        try:
            yield
        except (LabelkitError, ImportError):
            raise
        except Exception as error:  # each file system has errors of its own
            said = one_line(error)
            for secret in store_secrets(os.environ):
                said = said.replace(secret, "***")
            raise StorageError(
                f"the store {self.url} cannot {what}: {type(error).__name__}: {said}",
                hint="check LABELKIT_STORE, the network, and the credentials in the variables of the cloud",
            ) from None  # what it was raised from may show credentials


def store_of(home: Home, checkpoint: CheckpointRecord | None) -> RemoteStore | None:
    """Return the store to fetch a checkpoint from; None where it is here, or there is no store."""
    here = checkpoint is None or (checkpoint.folder is not None and checkpoint.folder.is_dir())
    return None if here else RemoteStore.of(home)


def is_old(file: StoredFile, seconds: float) -> bool:
    """Return whether a file was stored long ago; one of unknown age was not."""
    return file.modified is not None and (now() - file.modified).total_seconds() > seconds


def _modified(info: Mapping[str, Any]) -> datetime | None:
    found = next((info[name] for name in ("LastModified", "mtime", "updated") if name in info), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    return found if isinstance(found, datetime) and found.tzinfo else None


def _digest(files: Files) -> str:
    """Return a name for a set of files."""
    return hashlib.sha256(json.dumps(sorted(files.items()), allow_nan=False).encode()).hexdigest()


def _matches(folder: Path, files: Files) -> bool:
    return folder.is_dir() and all(
        (folder / name).is_file() and sha256_of(folder / name) == sha256 for name, (_, sha256) in files.items()
    )


def _inside(name: str) -> str:
    """Return the name of a file of a checkpoint.

    :raises RegistryError: it would lead out of the folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise RegistryError(f"a checkpoint cannot have a file {name!r}", hint="the registry is damaged")
    return name

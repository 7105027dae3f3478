"""Archives of files, zip and tar, unpacked into the cache by the hash of their content, with limits and safe names.

An archive from elsewhere may hold names that lead out of the folder, links, devices, or gigabytes in a few kilobytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from labelkit.errors import DataError
from labelkit.files.atomic import new_folder
from labelkit.files.compression import decompressed, uncompressed_name
from labelkit.files.reading import reading_errors
from labelkit.files.small import read_json

#: short endings of compressed tar archives
_SHORT = (".tgz", ".tbz", ".tbz2", ".txz", ".tzst")
_CHUNK = 1 << 20
#: what is no larger, in bytes, is unpacked whatever its ratio: a corpus of repeated lines is no bomb
_SMALL = 100_000_000
#: the most bytes of the headers of one member of a tar archive, which tarfile reads into memory
_HEADERS = 1 << 22
#: the most folders in each other; the system limits paths to some thousand characters
_DEPTH = 100
_LISTED = 3  # names in a message
_MACOS = re.compile(r"(?:^|/)(?:__MACOSX(?:/|$)|\._[^/]*$|\.DS_Store$)")
_CONTENT, _SUMMARY = "content", "archive.json"
_Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpansionLimits:
    """How much an archive may hold.

    :param size: bytes of all its files.
    :param ratio: bytes of its files for each of its own, once they are more than 100 MB.
    :param members: files and folders.
    """

    size: int
    ratio: int
    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedArchive:
    """An archive whose files lie in a folder of the cache.

    :param path: the archive.
    :param folder: the folder of its files.
    :param ignored: the names of members that macOS adds, which are left out.
    """

    path: Path
    folder: Path
    ignored: tuple[str, ...] = ()

    def shown(self, text: str) -> str:
        """Return ``text`` with each path of an unpacked file as ``ARCHIVE!MEMBER``."""
        return text.replace(f"{self.folder}{os.sep}", f"{self.path}!").replace(str(self.folder), str(self.path))

    @property
    def ignored_line(self) -> str:
        """What was left out, as a sentence; empty where nothing was."""
        if not self.ignored:
            return ""
        more = f" and {len(self.ignored) - _LISTED:,} more" if len(self.ignored) > _LISTED else ""
        return f"in {self.path} files of macOS are not read: {', '.join(self.ignored[:_LISTED])}{more}"


@dataclass(frozen=True, slots=True)
class _Member:
    """A file or folder of an archive; ``open`` is None for a folder."""

    name: str
    modified: float
    open: _Opener | None


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive that :func:`unpack` reads, by its ending."""
    name = path.name.lower()
    return (name.endswith((".zip", *_SHORT)) or uncompressed_name(name).endswith(".tar")) and path.is_file()


def unpack(path: Path, cache: Path, limits: ExpansionLimits) -> UnpackedArchive:
    """Unpack an archive into the cache, unless one of the same content is there, and return where its files lie.

    :raises DataError: it is broken, encrypted or empty, holds a link, a device, or a name that leads out of the folder,
        or more than ``limits`` allow.
    :raises StorageError: the disk is full, or the cache cannot be written.
    """
    with reading_errors(path), path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    target = cache.absolute() / "archives" / digest
    try:
        summary = read_json(target / _SUMMARY)
    except (OSError, ValueError):  # it is not there
        with new_folder(target) as folder:
            (folder / _CONTENT).mkdir()
            summary = {"ignored": _Unpacking(path, folder / _CONTENT, limits).run()}
            (folder / _SUMMARY).write_text(json.dumps(summary, allow_nan=False), encoding="utf-8")
    return UnpackedArchive(path=path, folder=target / _CONTENT, ignored=tuple(summary["ignored"]))


class _Unpacking:
    """Writes the members of an archive to a folder, as long as they keep within the limits."""

    def __init__(self, path: Path, folder: Path, limits: ExpansionLimits) -> None:
        self._path, self._folder, self._limits = path, folder, limits
        self._packed = path.stat().st_size
        self._size = self._members = self._files = 0

    def run(self) -> list[str]:
        """Write all members, and return the names of those that macOS adds, which are left out."""
        ignored = []
        is_zip = self._path.name.lower().endswith(".zip")
        with self._errors():
            for member in self._zip_members() if is_zip else self._tar_members():
                self._members += 1
                if self._members > self._limits.members:
                    raise self._beyond(f"{self._limits.members:,} members", "data.max_members")
                parts = self._safe_parts(member.name)
                if _MACOS.search("/".join(parts)):
                    ignored.append("/".join(parts))
                    self._write(member, None)
                elif parts:
                    self._write(member, self._folder.joinpath(*parts))
        if not self._files:
            raise DataError(f"{self._path} holds no files", hint="check that it is the archive you mean")
        return ignored

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what zipfile, tarfile and decompressors report as an error of one line."""
        try:
            yield
        except NotImplementedError as error:
            hint = "unpack it with another program, and give its folder"
            raise DataError(f"{self._path} is packed in a way that is not known: {error}", hint=hint) from error
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
            raise DataError(f"{self._path} is a broken archive: {error}", hint="copy or download it again") from error

    def _zip_members(self) -> Iterator[_Member]:
        if not zipfile.is_zipfile(self._path):
            raise DataError(f"{self._path} is not a zip archive, or broken", hint="copy or download it again")
        with reading_errors(self._path), zipfile.ZipFile(self._path) as archive:
            for info in archive.infolist():
                if info.flag_bits & 1:
                    hint = "unpack it with its password, and give the folder"
                    raise DataError(f"{self._path}!{info.filename} is encrypted", hint=hint)
                kind = (info.external_attr >> 28) & 0xF  # of Unix: 8 is a file, 4 a folder, 0 unknown
                if kind not in (0, 4, 8):
                    raise self._not_a_file(info.filename)
                try:
                    modified = time.mktime((*info.date_time, 0, 0, -1))
                except (ValueError, OverflowError):  # the clock of another program
                    modified = 0.0
                opener = None if info.is_dir() else partial(archive.open, info)
                yield _Member(info.filename, modified, opener)

    def _tar_members(self) -> Iterator[_Member]:
        with reading_errors(self._path), self._path.open("rb") as raw, decompressed(self._path, raw) as stream:
            metered = _MeteredHeaders(self._path, stream)
            with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|") as archive:
                while info := archive.next():
                    cast(Any, archive).members = []  # it would keep them all
                    if not (info.isreg() or info.isdir()):
                        raise self._not_a_file(info.name)
                    opener = cast(_Opener, partial(archive.extractfile, info)) if info.isreg() else None
                    with metered.content():
                        yield _Member(info.name, info.mtime, opener)
            with metered.content():
                while metered.read(_CHUNK):  # the checksum stands at the end
                    pass

    def _not_a_file(self, name: str) -> DataError:
        return DataError(
            f"{self._path}!{name} is a link or a device, which is not unpacked",
            hint="unpack the archive yourself if you trust it, and give the folder",
        )

    def _safe_parts(self, name: str) -> list[str]:
        """Return the parts of the name of a member, below the folder.

        :raises DataError: it leads out of the folder, or too deep into it.
        """
        parts = name.replace("\\", "/").split("/")  # Windows writes "\\"
        if not parts[0] or ".." in parts or re.match("[A-Za-z]:", name) or "\0" in name:
            raise DataError(
                f"{self._path}!{name} is an unsafe name: it leads out of the folder that it is unpacked into",
                hint="do not trust this archive; pack its files with relative names",
            )
        if len(parts) > _DEPTH:
            raise DataError(f"{self._path} holds more than {_DEPTH} folders in each other", hint="pack its files anew")
        return [part for part in parts if part not in ("", ".")]

    def _write(self, member: _Member, target: Path | None) -> None:
        """Write a member to ``target``; None counts its bytes only."""
        if member.open is None:
            if target:
                target.mkdir(parents=True, exist_ok=True)
            return
        with member.open() as content:
            if target is None:
                for chunk in iter(partial(content.read, _CHUNK), b""):
                    self._count(len(chunk))
                return
            if target.exists():
                raise DataError(f"{self._path} holds '{member.name}' twice", hint="pack its files anew")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                for chunk in iter(partial(content.read, _CHUNK), b""):
                    self._count(len(chunk))
                    file.write(chunk)
        self._files += 1
        os.utime(target, (time.time(), member.modified))  # a file of the same archive is the same file to caches

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.size:
            raise self._beyond(f"{self._limits.size:,} bytes", "data.max_unpacked")
        if self._size > max(_SMALL, self._limits.ratio * self._packed):
            raise self._beyond(f"{self._limits.ratio:,} times its own size", "data.max_ratio")

    def _beyond(self, what: str, setting: str) -> DataError:
        return DataError(
            f"{self._path} holds more than {what}",
            hint=f"check that it is the archive you mean; --set {setting}=N allows more",
        )


class _MeteredHeaders:
    """The bytes of a tar archive on their way to tarfile, which reads headers into memory whatever their size."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream = path, stream
        self._left: int | None = _HEADERS

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        :raises DataError: they are headers, too many for a member.
        """
        content = self._stream.read(size)
        if self._left is not None:
            self._left -= len(content)
            if self._left < 0:
                raise DataError(f"{self._path} is no archive of files: a header in it has no end")
        return content

    @contextmanager
    def content(self) -> Iterator[None]:
        """Allow any number of bytes meanwhile, and again as many headers afterwards."""
        self._left = None
        yield
        self._left = _HEADERS

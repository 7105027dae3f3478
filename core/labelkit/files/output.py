"""Files that a format writes: each beside its place, renamed when all is well, gone when it is not."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from labelkit.errors import DataError
from labelkit.files.atomic import new_file


class FileOutput:
    """An :class:`labelkit.records.Output` into files.

    :param path: where the main stream will be.
    """

    def __init__(self, path: Path, files: contextlib.ExitStack, *, force: bool) -> None:
        self._path, self._files, self._force = path, files, force
        self._open: list[BinaryIO] = []
        self._beside: list[tuple[str, Path]] = []
        self.written, self._main = self._new(path)

    @property
    def stream(self) -> BinaryIO:
        """The main stream."""
        return self._main

    def beside(self, suffix: str) -> BinaryIO:
        """Open a file next to the main one, called like it but for its ``suffix``.

        :raises DataError: the main one has that suffix itself, or the file exists.
        """
        path = self._path.with_suffix(suffix)
        if path == self._path:
            raise DataError(f"{path} is needed for a second file", hint="name the first one with another ending")
        file, stream = self._new(path)
        self._beside.append((path.name, file))
        return stream

    @contextlib.contextmanager
    def readable(self) -> Iterator[Path]:
        """Give a path at which the closed files can be read; several stand there side by side by their final names."""
        if not self._beside:
            yield self.written
            return
        with tempfile.TemporaryDirectory(prefix=f".{self._path.name}-", dir=self._path.parent) as folder:
            for name, file in ((self._path.name, self.written), *self._beside):
                _linked(file, Path(folder) / name)
            yield Path(folder) / self._path.name

    def close(self) -> None:
        """Close the streams, so that what was written can be read from :attr:`written`."""
        for stream in reversed(self._open):
            stream.close()
        self._open.clear()

    def _new(self, path: Path) -> tuple[Path, BinaryIO]:
        if path.is_dir() or (path.exists() and not self._force):
            raise DataError(
                f"{path} {'is a folder' if path.is_dir() else 'exists already'}",
                hint="name another file, or replace it with --force",
            )
        file = self._files.enter_context(new_file(path))
        file.chmod(0o644)  # made private, as temporary files are
        stream: BinaryIO = file.open("wb")
        self._open.append(stream)
        if path.suffix == ".gz":
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0))
            self._open.append(stream)
        return file, stream


def _linked(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:  # not every file system has links
        shutil.copyfile(file, place)


@contextlib.contextmanager
def new_output(path: Path, *, force: bool = False) -> Iterator[FileOutput]:
    """Give an output that becomes ``path`` at the end; nothing is left of it after an error.

    :param force: replace files that exist.
    :raises DataError: the file exists.
    :raises StorageError: the disk refuses.
    """
    with contextlib.ExitStack() as files:
        output = FileOutput(path, files, force=force)
        try:
            yield output
        finally:
            output.close()

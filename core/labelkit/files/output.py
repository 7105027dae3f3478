"""The output of a format: one file or several, renamed into place together at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from labelkit.errors import DataError
from labelkit.files.atomic import folder_beside, new_file
from labelkit.files.compression import compression_named, sibling
from labelkit.files.targets import check_target


class FileOutput:
    """An :class:`labelkit.records.Output` to files.

    :param path: the final path of the main file.
    """

    def __init__(self, path: Path, files: contextlib.ExitStack, *, force: bool) -> None:
        self._path, self._files, self._force = path, files, force
        self._open: list[BinaryIO] = []
        self._temporary: dict[str, Path] = {}  # final name → temporary file, the main one first
        self._main = self._open_new(path)

    @property
    def stream(self) -> BinaryIO:
        """The stream of the main file."""
        return self._main

    def beside(self, suffix: str) -> BinaryIO:
        """Open a second file next to the main one, with the same name but for its ``suffix``.

        :raises DataError: the main file has that suffix itself, or the second file exists.
        """
        path = sibling(self._path, suffix)
        if path == self._path:
            raise DataError(f"{path} is needed for a second file", hint="name the first one with another ending")
        return self._open_new(path)

    @contextlib.contextmanager
    def readable(self) -> Iterator[Path]:
        """Give a path where the closed main file can be read; other files lie beside it by their final names."""
        if len(self._temporary) == 1:
            yield self._temporary[self._path.name]
            return
        with folder_beside(self._path) as folder:
            for name, file in self._temporary.items():
                try:
                    os.link(file, folder / name)
                except OSError:  # not every file system has links
                    shutil.copyfile(file, folder / name)
            yield folder / self._path.name

    def close(self) -> None:
        """Close the streams."""
        for stream in reversed(self._open):
            stream.close()
        self._open.clear()

    def _open_new(self, path: Path) -> BinaryIO:
        check_target(path, force=self._force)
        file = self._files.enter_context(new_file(path))
        self._temporary[path.name] = file
        stream: BinaryIO = file.open("wb")
        self._open.append(stream)
        if compression := compression_named(path.name):
            stream = compression.writer(stream)
            self._open.append(stream)
        return stream


@contextlib.contextmanager
def new_output(path: Path, *, force: bool = False) -> Iterator[FileOutput]:
    """Give an output whose files appear at the end, the main one at ``path``; an error leaves none of them.

    :param force: replace files that exist.
    :raises DataError: a file exists.
    :raises StorageError: the disk is full, or a file cannot be written.
    """
    with contextlib.ExitStack() as files:
        output = FileOutput(path, files, force=force)
        try:
            yield output
        finally:
            output.close()

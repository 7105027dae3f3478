"""A write-ahead log of results, kept beside an output until it is complete, from which labelling resumes.

The file holds JSON lines: a header with the arguments of the command, then for each chunk its results and a line that
commits them with their number and checksum. What follows the last committed chunk is torn, and truncated.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from labelkit.errors import DataError, LabelkitError, StorageError
from labelkit.files.atomic import storage_errors
from labelkit.formats.jsonl import json_line
from labelkit.label.records import FailedRecord
from labelkit.label.result_json import result_from_json, result_to_json
from labelkit.label.stream import InputRecord, LabelResult
from labelkit.records import Example, Labelled

FORMAT = 1
#: seconds between two calls of fsync
SYNC_INTERVAL = 1.0
_COMMIT = b'{"close":'


def journal_path(output: Path) -> Path:
    """Return the path of the journal of ``output``."""
    return output.with_name(f".{output.name}.part")


class Journal:
    """The journal of one output, locked and open for writing. A context manager; leaving it keeps the file.

    :ivar chunks: number of committed chunks.
    :ivar items: number of committed results.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], file: BinaryIO) -> None:
        self.path, self.header = path, header
        self.chunks, self.items = 0, 0
        self._file, self._synced = file, time.monotonic()

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], *, resume: bool, force: bool) -> Journal:
        """Create a journal, or open that of an interrupted command.

        :param header: arguments that must be equal to resume.
        :param resume: append to an existing journal.
        :param force: replace an existing journal.
        :raises LabelkitError: if a journal exists and neither was given, it is in use, or its header differs.
        :raises StorageError: if the file cannot be written.
        """
        exists = path.exists()
        if exists and not resume and not force:
            raise LabelkitError(
                f"an interrupted command left {path}",
                hint="resume it with --resume, or start again with --force",
            )
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("r+b" if exists and resume else "a+b")
        try:
            _lock(file, path)
            journal = cls(path, header, file)
            if not (exists and resume and journal._recover()):
                with _resumable_errors(path):
                    file.truncate(0)
                    file.write(json_line({"labelkit": FORMAT, **header}, "header"))
                    file.flush()
        except BaseException:
            _close(file)
            raise
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        _close(self._file)

    def verify(self, inputs: Iterator[InputRecord]) -> None:
        """Consume as many inputs as there are committed results, and check that they belong together.

        :raises DataError: if the input has changed.
        """
        for result in self.results():
            item = next(inputs, None)
            if item is None or not _matches(result, item):
                where = item.place if isinstance(item, Example) and item.place else "its end"
                raise DataError(
                    f"the input has changed since labelling began, at {where}", hint="start again with --force"
                )

    def append(self, results: Sequence[LabelResult]) -> None:
        """Write and commit the results of a chunk.

        :raises StorageError: if the file cannot be written; committed chunks are safe.
        """
        lines = b"".join([json_line(result_to_json(result), getattr(result, "id", "")) for result in results])
        with _resumable_errors(self.path):
            self._file.write(lines + _commit_line(self.chunks + 1, len(results), zlib.crc32(lines)))
            self._file.flush()
            if time.monotonic() - self._synced > SYNC_INTERVAL:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self.chunks, self.items = self.chunks + 1, self.items + len(results)

    def results(self) -> Iterator[LabelResult]:
        """Yield all committed results."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                if not line.startswith(_COMMIT):
                    yield result_from_json(json.loads(line))

    def records(self) -> Iterator[Labelled]:
        """Yield all committed results that are labelled records."""
        return (result for result in self.results() if isinstance(result, Labelled))

    def remove(self) -> None:
        """Delete the file."""
        _close(self._file)
        self.path.unlink(missing_ok=True)

    def _recover(self) -> bool:
        """Truncate the file after the last committed chunk; return False if not even the header is complete."""
        first = self._file.readline()
        if not first.endswith(b"\n"):
            self._file.seek(0)
            return False
        self._check_header(first)
        whole = position = len(first)
        items, checksum = 0, 0
        for line in self._file:
            position += len(line)
            if not line.startswith(_COMMIT):
                items, checksum = items + 1, zlib.crc32(line, checksum)
            elif line == _commit_line(self.chunks + 1, items, checksum):
                self.chunks, self.items, whole = self.chunks + 1, self.items + items, position
                items, checksum = 0, 0
            else:
                break
        with _resumable_errors(self.path):
            self._file.seek(whole)
            self._file.truncate()
        return True

    def _check_header(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("labelkit") != FORMAT:
            raise DataError(f"{self.path} is damaged", hint="start again with --force")
        wanted = json.loads(json_line(self.header, "header"))
        if different := [name for name in wanted if found.get(name) != wanted[name]]:
            raise DataError(
                f"{self.path} was begun with other {' and '.join(different)}",
                hint="repeat the command as it was and add --resume, or start again with --force",
            )


@contextlib.contextmanager
def _resumable_errors(path: Path) -> Iterator[None]:
    """Raise errors of the disk with the hint that labelling can be resumed."""
    try:
        with storage_errors(path):
            yield
    except StorageError as error:
        raise StorageError(
            error.message, hint="free disk space or allow writing, then resume with the same command and --resume"
        ) from error


def _close(file: BinaryIO) -> None:
    """Close the file; what a full disk keeps in its buffer was reported when it was written."""
    with contextlib.suppress(OSError):
        file.close()


def _commit_line(chunk: int, items: int, checksum: int) -> bytes:
    return json_line({"close": chunk, "items": items, "crc32": checksum}, "close")


def _matches(result: LabelResult, item: InputRecord) -> bool:
    """Return whether ``result`` can be the result of ``item``."""
    if isinstance(item, FailedRecord):
        return result == item
    if isinstance(result, FailedRecord):  # read, but not labelled
        return item.place is None or result.message.startswith(f"{item.place}:")
    if result.id != item.id:
        return False
    if item.words is None:
        return (result.text, result.pair) == (item.text, item.pair)
    return item.words in (result.words, tuple(result.text.split(" ")))


def _lock(file: BinaryIO, path: Path) -> None:
    """Lock the file, where the platform has flock.

    :raises LabelkitError: if another command holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise LabelkitError(f"{path} is in use by another command", hint="wait for it, or stop it") from error

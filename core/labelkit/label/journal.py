"""What has been labelled so far, kept beside the output until it is whole, so that an interruption loses nothing.

A file of JSON lines: a header that says what was asked for, then the results of each chunk followed by a line that
closes it with their number and checksum. Whatever comes after the last closed chunk is torn and dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from labelkit.errors import DataError, LabelkitError, StorageError
from labelkit.files.atomic import storage_errors
from labelkit.formats.jsonl import json_line
from labelkit.label.records import FailedRecord
from labelkit.label.stream import InputRecord, LabelResult
from labelkit.records import Coverage, Example, Labelled, Span

FORMAT = 1
_SYNCED = 1.0  # seconds between two calls of fsync
_CLOSE = b'{"close":'


def journal_path(output: Path) -> Path:
    """Return where the journal of ``output`` lies."""
    return output.with_name(f".{output.name}.part")


class Journal:
    """The journal of one output, open for writing. Use it as a context manager; leaving it keeps the file."""

    def __init__(self, path: Path, header: Mapping[str, Any], file: BinaryIO) -> None:
        self.path, self.header = path, header
        self.chunks, self.items = 0, 0
        self._file, self._synced = file, time.monotonic()

    @classmethod
    def begin(cls, path: Path, header: Mapping[str, Any], *, resume: bool, force: bool) -> Journal:
        """Open the journal at ``path``, a new one or the one that an interrupted command left.

        :param header: what must be the same for the two to belong together.
        :param resume: go on where the journal ends.
        :param force: drop a journal that is there.
        :raises LabelkitError: there is one and neither was asked for, it is in use, or something else was asked for.
        :raises StorageError: the disk refuses.
        """
        exists = path.exists()
        if exists and not resume and not force:
            raise LabelkitError(
                f"an interrupted command left {path}",
                hint="go on where it ended with --resume, or start anew with --force",
            )
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("r+b" if exists and resume else "a+b")
        try:
            _lock(file, path)
            journal = cls(path, header, file)
            journal._recover() if exists and resume else journal._start()
        except BaseException:
            file.close()
            raise
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def check(self, items: Iterator[InputRecord]) -> None:
        """Take as many items as there are results already, and compare.

        :raises DataError: the input is not what it was.
        """
        for result in self.results():
            item = next(items, None)
            if item is None or not _same(result, item):
                where = item.place if isinstance(item, Example) and item.place else "its end"
                raise DataError(
                    f"the input has changed since labelling began, at {where}", hint="start anew with --force"
                )

    def add(self, results: Sequence[LabelResult]) -> None:
        """Write the results of a chunk down.

        :raises StorageError: the disk refuses; what was written before stays.
        """
        lines = b"".join([json_line(_packed(result), getattr(result, "id", "")) for result in results])
        with _kept(self.path):
            self._file.write(lines + _closing(self.chunks + 1, len(results), zlib.crc32(lines)))
            self._file.flush()
            if time.monotonic() - self._synced > _SYNCED:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self.chunks, self.items = self.chunks + 1, self.items + len(results)

    def results(self) -> Iterator[LabelResult]:
        """Yield everything that was written down."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                if not line.startswith(_CLOSE):
                    yield _unpacked(json.loads(line))

    def remove(self) -> None:
        """Delete the file: the output is whole."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _start(self) -> None:
        with _kept(self.path):
            self._file.truncate(0)
            self._file.write(json_line({"labelkit": FORMAT, **self.header}, "header"))
            self._file.flush()

    def _recover(self) -> None:
        """Find the last whole chunk, and drop what comes after it."""
        first = self._file.readline()
        if not first.endswith(b"\n"):  # it was killed before it wrote anything
            self._file.seek(0)
            return self._start()
        self._check_header(first)
        whole = position = len(first)
        items, checksum = 0, 0
        for line in self._file:
            position += len(line)
            if not line.startswith(_CLOSE):
                items, checksum = items + 1, zlib.crc32(line, checksum)
            elif line == _closing(self.chunks + 1, items, checksum):
                self.chunks, self.items, whole = self.chunks + 1, self.items + items, position
                items, checksum = 0, 0
            else:
                break
        with _kept(self.path):
            self._file.seek(whole)
            self._file.truncate()
        return None

    def _check_header(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("labelkit") != FORMAT:
            raise DataError(f"{self.path} is damaged", hint="start anew with --force")
        wanted = json.loads(json_line(self.header, "header"))
        if different := [name for name in wanted if found.get(name) != wanted[name]]:
            raise DataError(
                f"{self.path} was begun with other {' and '.join(different)}",
                hint="repeat the command as it was and add --resume, or start anew with --force",
            )


@contextlib.contextmanager
def _kept(path: Path) -> Iterator[None]:
    """Say of a disk that refuses that nothing is lost."""
    try:
        with storage_errors(path):
            yield
    except StorageError as error:
        raise StorageError(
            error.message, hint="make room or allow writing, then the same command with --resume goes on"
        ) from error


def _closing(chunk: int, items: int, checksum: int) -> bytes:
    return json_line({"close": chunk, "items": items, "crc32": checksum}, "close")


def _packed(result: LabelResult) -> dict[str, Any]:
    if isinstance(result, FailedRecord):
        return {"failed": result.message, "hint": result.hint, "ends_file": result.ends_file}
    found = {name: getattr(result, name) for name in ("id", "text", "words", "labels", "offsets", "extra", "engine")}
    if result.words is None:
        found |= {"label": result.label, "score": result.score, "scores": result.scores}
    else:
        found["spans"] = [(span.start, span.end, span.label, span.score) for span in result.spans or ()]
    return {**found, "coverage": asdict(result.coverage)}


def _unpacked(found: dict[str, Any]) -> LabelResult:
    if "failed" in found:
        return FailedRecord(found["failed"], found["hint"], found["ends_file"])
    coverage = Coverage(**found.pop("coverage"))
    if found["words"] is None:
        return Labelled(**found, coverage=coverage)
    text = found["text"]
    found["spans"] = tuple([
        Span(start=start, end=end, label=label, text=text[start:end], score=score)
        for start, end, label, score in found["spans"]
    ])  # fmt: skip
    found["offsets"] = tuple([(start, end) for start, end in found["offsets"]])
    found |= {name: tuple(found[name]) for name in ("words", "labels")}
    return Labelled(**found, coverage=coverage)


def _same(result: LabelResult, item: InputRecord) -> bool:
    """Return whether ``result`` can have come of ``item``."""
    if isinstance(item, FailedRecord):
        return result == item
    if isinstance(result, FailedRecord):  # it could be read, and then not be labelled
        return item.place is None or result.message.startswith(f"{item.place}:")
    return result.id == item.id and (
        result.text == item.text if item.words is None else item.words in (result.words, tuple(result.text.split(" ")))
    )


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep a second command off the same output, where the system has locks of this kind."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise LabelkitError(f"{path} is in use by another command", hint="wait for it, or stop it") from error

"""One command's labelling from its inputs to its output: straight through, or by a journal into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import DataError
from labelkit.files.output import new_output
from labelkit.label.journal import Journal, journal_path
from labelkit.label.output import LabellingSummary, StandardOutput
from labelkit.label.records import FailedRecord, drop_low_scores
from labelkit.label.stream import InputRecord, LabelResult, label_stream
from labelkit.records import Format, Labelled

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: told of each chunk that is done
Watch = Callable[[list[LabelResult]], None]


@dataclass(kw_only=True, slots=True)
class LabellingJob:
    """What to label, and how.

    :param items: what was read; consumed as labelling goes on.
    :param strict: stop at the first record that cannot be read or labelled.
    :param many: it is known to be a large input.
    :param labelled: words that this process labelled, for its speed; :attr:`seconds` is the time that it took.
    """

    labeller: Labeller
    items: Iterator[InputRecord]
    writer: Format
    min_score: float | None = None
    strict: bool = False
    many: bool = False
    watch: Watch = lambda chunk: None
    labelled: LabellingSummary = field(default_factory=LabellingSummary)
    seconds: float = 0.0

    def results(self, done: int = 0) -> Iterator[list[LabelResult]]:
        """Yield the results chunk by chunk.

        :param done: chunks that an earlier process labelled.
        """
        scheme, least = self.labeller.info.schema.scheme, self.min_score
        started = time.monotonic()
        for chunk in label_stream(self.labeller, self.items, strict=self.strict, done=done, many=self.many):
            if least is not None:
                chunk = [drop_low_scores(r, least, scheme) if isinstance(r, Labelled) else r for r in chunk]
            for result in chunk:
                self.labelled.add(result)
            self.seconds = time.monotonic() - started
            self.watch(chunk)
            yield chunk

    @property
    def count(self) -> int:
        """Return how many results this process gave."""
        return self.labelled.records + self.labelled.failed + self.labelled.unfinished

    def resumed_after(self, totals: LabellingSummary) -> int:
        """Return how many of the results in all an earlier process gave."""
        return totals.records + totals.failed + totals.unfinished - self.count

    @property
    def words_per_second(self) -> float:
        """Return how quick this process was."""
        return self.labelled.words / self.seconds if self.seconds else 0.0


def to_standard_output(job: LabellingJob) -> LabellingSummary:
    """Write every record to standard output as it is labelled.

    :raises DataError: not a single record could be read.
    """
    output = StandardOutput(job.writer.name)
    totals = LabellingSummary()

    def records() -> Iterator[Labelled]:
        for chunk in job.results():
            yield from totals.records_of(chunk)
            output.stream.flush()

    assert job.writer.write is not None  # writer_for gives writers only
    job.writer.write(records(), output)
    output.stream.flush()
    _check_some(totals)
    return totals


def to_file(
    job: LabellingJob, path: Path, header: Mapping[str, Any], *, resume: bool = False, force: bool = False
) -> LabellingSummary:
    """Label into the file at ``path``, which appears whole at the end; a journal beside it keeps what is done by then.

    :param header: what must be the same for a journal to be gone on with.
    :param resume: go on where an interrupted command ended.
    :raises DataError: the file exists, the input has changed, not a single record could be read, or the format cannot
        hold one.
    :raises StorageError: the disk refuses; the journal stays.
    """
    refuse_existing(path, force=force)
    assert job.writer.write is not None  # writer_for gives writers only
    totals, useless = LabellingSummary(), False
    with Journal.begin(journal_path(path), header, resume=resume, force=force) as journal:
        try:
            journal.check(job.items)
            for chunk in job.results(journal.chunks):
                journal.add(chunk)
            kept = totals.records_of(journal.results())
            first = next(kept, None)
            useless = first is None
            _check_some(totals)
            with new_output(path, force=force) as output:
                try:
                    job.writer.write(kept if first is None else chain((first,), kept), output)
                except DataError as error:
                    raise _unwritable(error, journal.items) from error
            journal.remove()
        finally:
            if useless or not journal.items:
                journal.remove()
    return totals


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to write over a file, or over a folder at all.

    :raises DataError: ``path`` exists.
    """
    if path.is_dir() or (path.exists() and not force):
        raise DataError(
            f"{path} {'is a folder' if path.is_dir() else 'exists already'}",
            hint="name another file" + ("" if path.is_dir() else ", or replace it with --force"),
        )


def _unwritable(error: DataError, records: int) -> DataError:
    return DataError(
        error.message, hint=f"{records:,} labelled records are kept: --resume with another --to writes them"
    )


def _check_some(totals: LabellingSummary) -> None:
    if totals.failures and not totals.records:
        first: FailedRecord = totals.failures[0]
        more = totals.failed + totals.unfinished - 1
        raise DataError(f"{first.message}{f' (and {more:,} more like it)' if more else ''}", hint=first.hint)

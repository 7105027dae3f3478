"""The progress and the closing summary of ``labelkit label``, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from labelkit.cli.common import assumed_lines
from labelkit.console.text import literal
from labelkit.label.operating_points import point_line
from labelkit.label.records import FailedRecord
from labelkit.label.summary import LISTED, LabellingSummary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from labelkit.label.job import LabellingJob
    from labelkit.label.stream import LabelResult


#: formats that cannot hold a record without words
WITHOUT_BLANK = ("conll", "conllu")


class ReadMeter:
    """Measures how much of the input files is read; a listener for :data:`labelkit.files.reading.OPEN_LISTENER`."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._raw: BinaryIO | None = None
        self._before, self._size = 0, 0

    def __call__(self, path: Path, raw: BinaryIO) -> None:
        """Add a file that is opened; a file that is opened twice in a row is counted once."""
        if path != self._path:
            self._before += self._size
            self._path, self._size = path, path.stat().st_size if path.is_file() else 0
        self._raw = raw

    def position(self) -> int:
        """Return the number of bytes read, as stored on disk."""
        if self._raw is None or self._raw.closed or not self._size:
            return self._before + self._size
        return self._before + min(self._raw.tell(), self._size)


class LabelProgress:
    """Shows a progress bar and skipped records; a context manager that is called with the results of each chunk.

    :param size: size of the inputs in bytes; None if unknown.
    :param bar: draw a bar, if ``console`` is a terminal.
    """

    def __init__(self, console: Console, meter: ReadMeter, size: int | None, *, bar: bool) -> None:
        self._console, self._meter, self._size = console, meter, size
        self._bar = bar and console.is_terminal
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._started = time.monotonic()
        self._summary = LabellingSummary()
        self._skipped: list[str] = []

    def __enter__(self) -> Self:
        if self._bar:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("labelling"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("", total=self._size)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def __call__(self, chunk: list[LabelResult]) -> None:
        """Count the results of a chunk, print the records that were skipped and advance the bar."""
        for result in chunk:
            if isinstance(result, FailedRecord) and self._summary.failed < LISTED:
                hint = f" ({result.hint})" if result.hint else ""
                self._skipped.append(literal(f"skipped: {result.message}{hint}", lines=False))
                if self._summary.failed == LISTED - 1:
                    self._skipped.append("skipped: further records are only counted")
            self._summary.add(result)
        if self._summary.records:  # if not a single record can be read, the command fails with that error
            while self._skipped:
                self._console.print(self._skipped.pop(0), soft_wrap=True)
        if self._progress and self._task is not None:
            rate = self._summary.words / max(time.monotonic() - self._started, 1e-9)
            shown = f"{self._summary.records:,} records, {rate:,.0f} words/s"
            self._progress.update(self._task, completed=self._meter.position(), description=shown)


def summary_lines(job: LabellingJob, output: Path | None) -> Iterator[str]:
    """Yield the closing summary: counts and speed, and a note for whatever was left out or changed."""
    engine, total, info = job.engine, job.total, job.labeller.info
    token = info.kind == "token"
    counts = [plural(total.records, "record"), plural(total.words, "word")]
    if token:
        counts.append(plural(total.spans, "span"))
    new = f"{plural(job.new.records, 'record')}, {plural(job.new.words, 'word')}"
    resumed = f"; resumed after {plural(job.resumed_after, 'record')}: {new}" if job.resumed_after else ""
    yield (
        f"{output or 'labelled'}: {', '.join(counts)}{resumed} in {job.seconds:.1f} s "
        f"({job.words_per_second:,.0f} words/s), {engine.name} on {engine.device}"
    )
    if total.failed:
        yield f"note: {plural(total.failed, 'record')} could not be read or labelled"
    if total.fallback:
        yield f"note: {plural(total.fallback, 'word' if token else 'text')} without subwords, with the fallback label"
    if total.below_min_score:
        yield f"note: {plural(total.below_min_score, 'label')} left out, scored below {job.min_score:g}"
    if job.labeller.operating_points:
        left = f"{plural(total.below_threshold, 'label')} left out below the threshold"
        yield f"{point_line(job.labeller.operating_points)}; {left}"
    if total.repaired:
        yield f"note: {plural(total.repaired, 'tag')} repaired to fit {info.schema.scheme}, the spans are the same"
    yield from _loss_lines(job)
    for note in engine.notes:
        yield f"note: {note}"
    yield from assumed_lines(job.policy.assumptions)
    if engine.backoffs:
        yield f"note: out of memory {plural(engine.backoffs, 'time')}, with smaller batches afterwards"


def _loss_lines(job: LabellingJob) -> Iterator[str]:
    """Yield a note for what was left out when the input was read and the output was written."""
    name, blank = job.writer.name, job.total.blank
    if job.left_out:
        yield f"note: format '{name}' does not hold the fields {', '.join(job.left_out)}: they are left out"
    if blank and name in WITHOUT_BLANK:
        left = f"{plural(blank, 'blank record')} left out, {job.total.records - blank:,} written"
        yield f"note: {left}: {name} holds no sentence without words"
    yield from (f"note: {what}: {times:,}" for what, times in job.policy.counts.items())


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``2 records``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

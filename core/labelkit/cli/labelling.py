"""What ``labelkit label`` shows while it works, on stderr: a bar in a terminal, and records that could not be read."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from labelkit.console.text import literal
from labelkit.label.output import LISTED, LabellingSummary
from labelkit.label.records import FailedRecord

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from labelkit.label.stream import LabelResult


class ReadMeter:
    """Knows how much of some files was read; give it to :data:`labelkit.files.reading.OPEN_LISTENER`."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._raw: BinaryIO | None = None
        self._before, self._size = 0, 0

    def __call__(self, path: Path, raw: BinaryIO) -> None:
        """Take note of a file that was opened; readers may open one twice."""
        if path != self._path:
            self._before += self._size
            self._path, self._size = path, path.stat().st_size if path.is_file() else 0
        self._raw = raw

    def position(self) -> int:
        """Return how many bytes were read, as they lie on the disk."""
        if self._raw is None or self._raw.closed or not self._size:
            return self._before + self._size
        return self._before + min(self._raw.tell(), self._size)


class LabelProgress:
    """Shows how far labelling is; use it as a context manager, and call it with each chunk of results.

    :param size: bytes to read, None where nobody knows.
    :param bar: draw a bar, where ``console`` is a terminal.
    """

    def __init__(self, console: Console, meter: ReadMeter, size: int | None, *, bar: bool) -> None:
        self._console, self._meter, self._size = console, meter, size
        self._bar = bar and console.is_terminal
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._started = time.monotonic()
        self._totals = LabellingSummary()
        self._held: list[FailedRecord] = []

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
        """Show that ``chunk`` is done."""
        for result in chunk:
            if isinstance(result, FailedRecord) and self._totals.failed < LISTED:
                self._held.append(result)
            self._totals.add(result)
        if self._totals.records:  # where not a single record can be read, that is an error of its own
            self._report()
        if self._progress and self._task is not None:
            rate = self._totals.words / max(time.monotonic() - self._started, 1e-9)
            shown = f"{self._totals.records:,} records, {rate:,.0f} words/s"
            self._progress.update(self._task, completed=self._meter.position(), description=shown)

    def _report(self) -> None:
        for failed in self._held:
            hint = f" ({failed.hint})" if failed.hint else ""
            self._console.print(literal(f"skipped: {failed.message}{hint}", lines=False), soft_wrap=True)
        if self._held and self._totals.failed >= LISTED:
            self._console.print("skipped: from here on records are only counted", soft_wrap=True)
        self._held.clear()

"""Where labelled records go: a file that appears whole, or standard output; and what is counted on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from labelkit.errors import DataError
from labelkit.label.records import FailedRecord
from labelkit.label.stream import LabelResult
from labelkit.records import Labelled

#: failures that are kept word by word
LISTED = 20


@dataclass(slots=True)
class LabellingSummary:
    """What a command labelled.

    :param failures: the first of the records that could not be read or labelled.
    :param unfinished: files that could not be read to their end.
    """

    records: int = 0
    words: int = 0
    spans: int = 0
    windows: int = 0
    fallback: int = 0
    below_min_score: int = 0
    repaired: int = 0
    failed: int = 0
    unfinished: int = 0
    failures: list[FailedRecord] = field(default_factory=list)

    def add(self, result: LabelResult) -> None:
        """Count a result."""
        if isinstance(result, FailedRecord):
            self.failed += not result.ends_file
            self.unfinished += result.ends_file
            if len(self.failures) < LISTED:
                self.failures.append(result)
            return
        self.records += 1
        self.words += result.coverage.words if result.words is not None else len(result.text.split())
        self.spans += len(result.spans or ())
        self.windows += result.coverage.windows
        self.fallback += result.coverage.fallback
        self.below_min_score += result.coverage.below_min_score
        self.repaired += result.coverage.repaired

    def records_of(self, results: Iterable[LabelResult]) -> Iterator[Labelled]:
        """Count the results and yield those that are records."""
        for result in results:
            self.add(result)
            if isinstance(result, Labelled):
                yield result


class StandardOutput:
    """An :class:`labelkit.records.Output` into standard output."""

    def __init__(self, format_name: str) -> None:
        self._name = format_name

    @property
    def stream(self) -> BinaryIO:
        """The bytes of standard output."""
        return sys.stdout.buffer

    def beside(self, suffix: str) -> BinaryIO:
        """Refuse: there is nothing beside a stream.

        :raises DataError: always.
        """
        raise DataError(f"format '{self._name}' writes several files, not a stream", hint="name one with -o FILE")

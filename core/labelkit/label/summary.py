"""Count the results of labelling for the closing summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labelkit.label.records import FailedRecord
from labelkit.label.stream import LabelResult
from labelkit.records import Labelled

#: failures listed with their messages; further ones are only counted
LISTED = 20


@dataclass(slots=True)
class LabellingSummary:
    """Counts of results.

    :param fallback: words (or texts) without subwords, which have the fallback label.
    :param below_min_score: spans (or labels of texts) left out for their score.
    :param below_threshold: those left out at the operating point.
    :param repaired: tags changed to fit the scheme.
    :param blank: records without words.
    :param failed: records that could not be read or labelled.
    :param unfinished_files: files that could not be read to the end.
    :param failures: the first :data:`LISTED` failures.
    """

    records: int = 0
    words: int = 0
    spans: int = 0
    windows: int = 0
    fallback: int = 0
    below_min_score: int = 0
    below_threshold: int = 0
    repaired: int = 0
    blank: int = 0
    failed: int = 0
    unfinished_files: int = 0
    failures: list[FailedRecord] = field(default_factory=list)

    @property
    def results(self) -> int:
        """The number of results, failures included."""
        return self.records + self.failed + self.unfinished_files

    def add(self, result: LabelResult) -> None:
        """Count a result."""
        if isinstance(result, FailedRecord):
            self.failed += not result.ends_file
            self.unfinished_files += result.ends_file
            if len(self.failures) < LISTED:
                self.failures.append(result)
            return
        self.records += 1
        self.words += result.coverage.words if result.words is not None else len(result.text.split())
        self.blank += not (result.text.strip() if result.words is None else result.words)
        self.spans += len(result.spans or ())
        self.windows += result.coverage.windows
        self.fallback += result.coverage.fallback
        of_tasks = [layer.coverage for layer in result.layers.values()] or [result.coverage]
        self.below_min_score += sum(one.below_min_score for one in of_tasks)
        self.below_threshold += sum(one.below_threshold for one in of_tasks)
        self.repaired += result.coverage.repaired

    def count(self, results: Iterable[LabelResult]) -> None:
        """Count all results."""
        for result in results:
            self.add(result)

    def records_of(self, results: Iterable[LabelResult]) -> Iterator[Labelled]:
        """Count all results and yield the labelled records."""
        for result in results:
            self.add(result)
            if isinstance(result, Labelled):
                yield result

"""Where labelled records go: a file that appears whole, or standard output; and what is counted on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from labelkit.errors import DataError, UnknownNameError
from labelkit.formats.labelled import Failed
from labelkit.label.stream import LabelResult
from labelkit.records import Format, Kind, Labelled

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
    failures: list[Failed] = field(default_factory=list)

    def add(self, result: LabelResult) -> None:
        """Count a result."""
        if isinstance(result, Failed):
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


def writer_for(
    name: str | None, path: Path | None, kind: Kind | None, formats: Mapping[str, Format], *, default: str
) -> Format:
    """Return the format to write: the one called ``name``, else that of the ending of ``path``, else ``default``.

    :param kind: what it must hold; None while that is not known.
    :raises UnknownNameError: no format that writes is called ``name``; the hint lists those that there are.
    :raises DataError: the ending says nothing, or the format cannot hold what is to be written, or not there.
    """
    writers = {known.name: known for known in formats.values() if known.write and kind in (None, *known.kinds)}
    chosen = writers[default] if name is None and path is None else _chosen(name, path, kind, writers, formats)
    if path is None and chosen.needs_file:
        raise DataError(f"format '{chosen.name}' needs a file", hint="name one with -o FILE")
    return chosen


def _chosen(
    name: str | None, path: Path | None, kind: Kind | None, writers: Mapping[str, Format], formats: Mapping[str, Format]
) -> Format:
    hint = f"formats: {', '.join(sorted(writers))}"
    if name is not None:
        if name in writers:
            return writers[name]
        if name not in formats:
            raise UnknownNameError(f"unknown format '{name}'", hint=hint)
        lacks = f"hold {kind} examples" if formats[name].write else "be written"
        raise DataError(f"format '{name}' cannot {lacks}", hint=hint)
    assert path is not None  # the caller has one or the other
    ending = path.name.lower().removesuffix(".gz")
    fitting = [known for known in writers.values() if known.suffixes and ending.endswith(known.suffixes)]
    if len(fitting) != 1:
        found = " and ".join(sorted(known.name for known in fitting))
        problem = f"{path} could be written as {found}" if found else f"the ending of {path} names no format"
        raise DataError(problem, hint=f"choose one with --to; {hint}")
    return fitting[0]

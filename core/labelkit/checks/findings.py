"""What a check of data reports: records, and the counters that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]

#: check → what it looks for, in the order in which findings are told
CHECKS: Mapping[str, str] = {
    "reading": "lines and records that cannot be read, and are left out",
    "encoding": "bytes that are not in the encoding, replacement characters, text that was decoded wrongly",
    "spans": "spans on text that overlap, cut a word, hold none, or lie outside of the text",
    "labels": "examples without labels, or with more or fewer labels than words",
    "empty": "examples without words, blank texts, words that show nothing",
    "characters": "control and invisible characters, private use, white space within words",
    "scheme": "tags that cannot be read, and splits in different tagging schemes",
    "transitions": "tags that the tagging scheme does not allow where they stand",
    "types": "types and labels that one split has and another has not",
    "spelling": "types and labels that differ only by spelling",
    "conflicts": "the same words or text with different labels",
    "duplicates": "the same words or text again, within a split and across splits",
    "near-duplicates": "nearly the same: Jaccard of word 5-grams of at least 0.8",
    "balance": "types and labels that are rare, or as frequent in one split as they are not in another",
    "order": "train sorted by label",
    "subtokens": "words and texts that mean nothing to the encoder",
    "windows": "examples that are longer than the encoder reads at once",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One example of a finding.

    :param place: ``file:line`` where it is known, or else the example's id; empty where it stands nowhere.
    :param text: what is there.
    """

    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check found in one split.

    :param check: one of :data:`CHECKS`.
    :param severity: ``error``: training stops, or learns what is wrong; ``warning``: scores or labels suffer;
        ``note``: worth knowing.
    :param split: where it was found.
    :param count: how often, all of it.
    :param examples: some of it, in the order of the data.
    :param advice: what to do.
    :param message: what was found, without the count.
    :param total: out of how many; None where that means nothing.
    :param layer: of the labels, for checks of labels.
    :param against: the other split, where two are compared.
    """

    check: str
    severity: Severity
    split: str
    count: int
    examples: tuple[Case, ...]
    advice: str
    message: str
    total: int | None = None
    layer: str | None = None
    against: str | None = None

    @property
    def share(self) -> float | None:
        """Return the count as a share of the total."""
        return self.count / self.total if self.total else None


class Cases:
    """Counts everything and keeps the first few.

    :param limit: how many are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.count = 0
        self._kept: list[Case] = []

    @property
    def wanted(self) -> bool:
        """Return whether the next case is kept, so that it is worth describing."""
        return len(self._kept) < self._limit

    @property
    def kept(self) -> tuple[Case, ...]:
        """Return the first few."""
        return tuple(self._kept)

    def add(self, place: str, text: str, times: int = 1) -> None:
        """Count a case, and keep it where there is room."""
        if self.wanted:
            self._kept.append(Case(place=place, text=text))
        self.count += times


def excerpt(text: str, start: int = 0, stop: int | None = None, room: int = 30) -> str:
    """Return a stretch of a text with ``room`` characters on either side of it; the first 80 where none is given.

    >>> excerpt("It was a dark and stormy night", 9, 13, 5)
    '…as a dark and …'
    """
    first, last = (0, 80) if stop is None else (max(0, start - room), stop + room)
    before, after = "…" if first else "", "…" if last < len(text) else ""
    return f"{before}{text[first:last]}{after}"

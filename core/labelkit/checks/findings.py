"""The findings of ``labelkit data check``, and the collector that makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]

#: check → what it finds, in the order in which findings are listed
CHECKS: Mapping[str, str] = {
    "reading": "lines and records that cannot be read, and are left out",
    "encoding": "bytes that are not in the encoding, replacement characters, wrongly decoded text (mojibake)",
    "spans": "spans on text that overlap, cut a word, hold none, or lie outside of the text",
    "labels": "examples without labels, or with more or fewer labels than words",
    "columns": "signs of a wrong column: numbers or one prefix as words, labels that are not filled",
    "empty": "empty splits, examples without words, blank texts, invisible words",
    "characters": "control and invisible characters, private use, white space within words",
    "markup": "HTML markup in texts: tags such as <br />, entities such as &amp;",
    "scheme": "invalid tags, and splits in different tagging schemes",
    "transitions": "tags that the tagging scheme does not allow after the tag before",
    "types": "types and labels of one split that another split lacks",
    "spelling": "types and labels that differ only by spelling",
    "conflicts": "the same words or text with different labels",
    "duplicates": "the same words or text again, within a split and across splits",
    "near-duplicates": "near duplicates: Jaccard similarity of word 5-grams of at least 0.8",
    "balance": "rare types and labels, and splits with another label distribution than train",
    "order": "train sorted by label",
    "subtokens": "words and texts without subword tokens",
    "windows": "examples that are longer than the encoder's maximum length",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One case of a finding.

    :param place: ``file:line`` where it is known, or else the example's id; empty for a case without a place.
    :param text: a description of the case.
    """

    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One kind of fault in one split.

    :param check: one of :data:`CHECKS`.
    :param severity: ``error``: training stops, or learns from wrong data; ``warning``: scores or labels suffer;
        ``note``: worth knowing.
    :param count: the number of cases.
    :param examples: some cases, in the order of the data.
    :param advice: how to correct it.
    :param message: what the cases are, to follow the count.
    :param total: the number of examples, words or the like among which the cases were found, where there is one.
    :param layer: the layer, for checks of labels.
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


class CaseCollector:
    """Counts the cases of a finding and keeps the first ones as examples.

    :param limit: how many examples are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._examples: list[Case] = []
        self.count = 0

    @property
    def has_room(self) -> bool:
        """Return whether the next case becomes an example, so that it is worth describing."""
        return len(self._examples) < self._limit

    def add(self, place: str, text: str, times: int = 1) -> None:
        """Count a case ``times``; the first ones are kept as examples."""
        if self.has_room:
            self._examples.append(Case(place=place, text=text))
        self.count += times

    def findings(
        self,
        check: str,
        severity: Severity,
        split: str,
        message: str,
        advice: str,
        *,
        total: int | None = None,
        layer: str | None = None,
        against: str | None = None,
    ) -> Iterator[Finding]:
        """Yield one :class:`Finding` of the collected cases; nothing without cases."""
        if self.count:
            yield Finding(
                check=check,
                severity=severity,
                split=split,
                count=self.count,
                examples=tuple(self._examples),
                advice=advice,
                message=message,
                total=total,
                layer=layer,
                against=against,
            )


def excerpt(text: str, start: int = 0, stop: int | None = None, room: int = 30) -> str:
    """Return ``text[start:stop]`` with ``room`` characters around it; without ``stop`` the first 80 characters.

    >>> excerpt("It was a dark and stormy night", 9, 13, 5)
    '…as a dark and …'
    """
    first, last = (0, 80) if stop is None else (max(0, start - room), stop + room)
    before, after = "…" if first else "", "…" if last < len(text) else ""
    return f"{before}{text[first:last]}{after}"

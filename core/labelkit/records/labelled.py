"""Labelled records: what a labeller returns and what formats write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from labelkit.records.html import labelled_html


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A labelled span of text: ``text[start:end]``, in code points, ``end`` exclusive.

    :param start: its first code point in the record's text.
    :param end: the code point after its last.
    :param label: its type, without the prefix of a tagging scheme.
    :param text: the part of the record's text from ``start`` to ``end``.
    :param score: the confidence, from 0 to 1; None for labels that were read.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of an input the encoder read, so that nothing is lost in silence.

    :param words: words of the input (1 for a whole text).
    :param windows: windows of subword tokens that the encoder read.
    :param fallback: words that got the fallback label, for whichever reason.
    :param no_subtokens: of these, words without subword tokens.
    :param too_long: of these, words with more subword tokens than a window holds.
    :param below_min_score: spans (or labels of whole texts) that were left out because their score was too low.
    :param below_threshold: spans (or labels of whole texts) that were left out because their score was below the
        threshold of their type, at the operating point of the labeller.
    :param repaired: predicted tags that were rewritten to be valid in the scheme; their spans are the same.
    """

    words: int
    windows: int
    fallback: int = 0
    no_subtokens: int = 0
    too_long: int = 0
    below_min_score: int = 0
    below_threshold: int = 0
    repaired: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """One labelled input, as ``--json`` prints it and formats write it.

    For kind ``token``: ``words``, ``labels`` and ``spans``; for kind ``text``: ``label``, ``score``, ``scores``, or
    ``labels`` and ``scores`` where a text may have any number of labels.

    :param id: the caller's own, or the number of the record.
    :param text: the caller's own, or the words joined by one space.
    :param coverage: how much of the input the encoder read.
    :param words: the words that were labelled, for kind ``token``.
    :param labels: one label per word, valid in their scheme; or the labels of a text that may have several.
    :param spans: the spans that the labels stand for; None where they were not decoded, or the labels are plain.
    :param label: the label of a text.
    :param number: the number that ``label`` writes, where labels are numbers; these have no ``score``.
    :param score: the confidence of ``label``, from 0 to 1.
    :param scores: label → score, for every label of the schema.
    :param offsets: start and end of each word in ``text``, in code points.
    :param extra: the caller's own fields.
    :param engine: engine and precision of the scores, e.g. ``torch-bf16``; empty for labels that were read.
    :param run: the id of the run that predicted the labels; empty for labels that were read.
    :param pair: the second text, where two texts are labelled together.
    :param layers: task → the record with its labels, where a labeller of several tasks predicted them: those of the
        first task are in the record itself, too.
    """

    id: str
    text: str
    coverage: Coverage
    words: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    label: str | None = None
    number: float | None = None
    score: float | None = None
    scores: Mapping[str, float] | None = None
    offsets: tuple[tuple[int, int], ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    engine: str = ""
    run: str = ""
    pair: str | None = None
    layers: Mapping[str, Labelled] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """Return the record for notebooks: its text with coloured spans, or with its label."""
        return labelled_html(self)


class Output(Protocol):
    """The output of a format: one main stream, and files beside it for formats that need several."""

    @property
    def stream(self) -> BinaryIO:
        """The main stream."""

    def beside(self, suffix: str) -> BinaryIO:
        """Open a file next to the main one with another ``suffix``; an error when writing to a pipe."""

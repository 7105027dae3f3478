"""Labelled records: what a labeller returns and what formats write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A labelled stretch of text: ``text[start:end]``, in code points, ``end`` exclusive.

    :param start: where it begins in the record's text.
    :param end: where it ends, exclusive.
    :param label: its type, without the prefix of a tagging scheme.
    :param text: what stands there.
    :param score: how sure the labeller is, from 0 to 1; None for labels that were read.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How an input was covered, so that nothing is lost in silence.

    :param words: words of the input (1 for a whole text).
    :param windows: windows the encoder read.
    :param fallback: words that got the fallback label, for whichever reason.
    :param no_subtokens: of these, words that the tokenizer turns into nothing.
    :param too_long: of these, words with more sub-tokens than a window holds.
    :param below_min_score: spans (or labels of whole texts) that were left out because their score was too low.
    :param repaired: tags that the decoder gave and that were rewritten to fit the scheme; their spans are the same.
    """

    words: int
    windows: int
    fallback: int = 0
    no_subtokens: int = 0
    too_long: int = 0
    below_min_score: int = 0
    repaired: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """One labelled input, as ``--json`` and the writing formats show it.

    For kind ``token``: ``words``, ``labels`` and ``spans``; for kind ``text``: ``label``, ``score``, ``scores``.

    :param id: the caller's own, or the number of the record.
    :param text: the caller's own, or the words joined by one space.
    :param coverage: how the input was covered.
    :param words: the words that were labelled, for kind ``token``.
    :param labels: one label per word, valid in their scheme.
    :param spans: what the labels mean; None where it was not worked out, or the labels are plain.
    :param label: the label of a text.
    :param score: how sure the labeller is of ``label``, from 0 to 1.
    :param scores: label → score, for every label of the schema.
    :param offsets: start and end of each word in ``text``, in code points.
    :param extra: the caller's own fields.
    :param engine: what computed the scores, e.g. ``torch-bf16``; empty for labels that were read.
    """

    id: str
    text: str
    coverage: Coverage
    words: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    label: str | None = None
    score: float | None = None
    scores: Mapping[str, float] | None = None
    offsets: tuple[tuple[int, int], ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    engine: str = ""


class Output(Protocol):
    """Where a format writes: one main stream, and files beside it for formats that need several."""

    @property
    def stream(self) -> BinaryIO:
        """The main stream."""

    def beside(self, suffix: str) -> BinaryIO:
        """Open a file next to the main one with another ``suffix``; an error when writing to a pipe."""

"""Align spans that cut words with the borders of words, as ``data.align_spans`` says. Pure functions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

from labelkit.labels.spans import TextSpan
from labelkit.records.examples import Offsets

AlignMode = Literal["expand", "contract", "drop"]


def align_span(span: TextSpan, words: Offsets, mode: AlignMode) -> TextSpan | None:
    """Return a span that cuts no word: itself if it cuts none, or else the aligned one; None if nothing remains.

    ``expand`` takes the words that it cuts as a whole, ``contract`` leaves them out, ``drop`` drops the span.

    >>> align_span(TextSpan(0, 3, "LOC"), ((0, 5), (6, 9)), "expand")
    TextSpan(start=0, end=5, label='LOC')
    """
    first = bisect_right([end for _, end in words], span.start)
    stop = bisect_left([start for start, _ in words], span.end)
    inside = [(start, end) for start, end in words[first:stop] if start >= span.start and end <= span.end]
    if len(inside) == max(stop - first, 0) > 0:
        return span
    chosen: Sequence[tuple[int, int]] = {"expand": words[first:stop], "contract": inside, "drop": ()}[mode]
    return TextSpan(chosen[0][0], chosen[-1][1], span.label) if chosen else None

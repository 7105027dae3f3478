"""Annotations of parts of words in WebAnno TSV, aligned with whole words as ``data.align_spans`` says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from labelkit.labels.span_alignment import AlignMode
from labelkit.labels.span_tagger import ALIGNED, CUTTING

#: separates the annotations of one word
CUT = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"\[\d+\]$")
EMPTY = ("_", "")


class WordPart(NamedTuple):
    """The line of a part of a word.

    :param word: the index of its word in the sentence.
    :param line: the number of its line.
    :param row: the columns.
    """

    word: int
    line: int
    row: list[str]

    def cell(self, column: int) -> str:
        """Return the annotations in a column."""
        return self.row[column] if column < len(self.row) else "_"


def align_parts(cells: Sequence[str], parts: Sequence[WordPart], column: int, mode: AlignMode) -> list[str]:
    """Return the annotations of each word in a column, with those of its parts.

    ``expand`` gives them to the whole word, ``contract`` leaves them out and keeps the whole words of annotations that
    go on, ``drop`` leaves out all of an annotation that covers part of a word.

    :param cells: those of whole words.
    """
    found = [[one for one in CUT.split(cell) if one not in EMPTY] for cell in cells]
    values = [(part.word, one) for part in parts for one in CUT.split(part.cell(column)) if one not in EMPTY]
    numbered = {one for _, one in values if _NUMBER.search(one)}
    if mode == "drop":
        found = [[one for one in own if one not in numbered] for own in found]
    for word, one in values if mode == "expand" else ():
        if one not in found[word]:
            found[word].append(one)
    return ["|".join(own) or "_" for own in found]


def count_parts(cells: Sequence[str], parts: Sequence[WordPart], column: int, mode: AlignMode) -> Counter[str]:
    """Return how many annotations that cover part of a word :func:`align_parts` changes, and how many it drops."""
    whole = {one for cell in cells for one in CUT.split(cell) if _NUMBER.search(one)}
    values = [one for part in parts for one in CUT.split(part.cell(column)) if one not in EMPTY]
    single = [one for one in values if not _NUMBER.search(one)]
    counts = Counter[str]()
    for one in (*single, *dict.fromkeys(value for value in values if _NUMBER.search(value))):
        kept = mode == "expand" or (mode == "contract" and one in whole)
        counts[ALIGNED[mode] if kept else CUTTING] += 1
    return counts

"""The pattern language of the sample corpus, compiled once and expanded fast.

A pattern is one line of text::

    [the company] <will open> [a new/J office] in {city} [next/J year] .

- ``[...]`` is a noun phrase, ``<...>`` a verb phrase, ``[ADJP ...]`` a chunk of another type. A word outside of
  brackets is a chunk of the type that goes with its part of speech (``in``: PP), or none (``and``, punctuation).
- ``word/J`` gives the part of speech by a code of :data:`CODES`. Without a code, it follows from the word (function
  words, numbers, punctuation, capitals) or else from the type of its chunk (NP: a noun).
- ``said|added`` is one of several words, with one code for all.
- ``{slot}`` is an entry of a word list, a name of an entity type, or a phrase with chunks of its own.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from labelkit.errors import DataError, nearest
from labelkit.sample.lexicon import Lexicon, function_words

Row: TypeAlias = tuple[str, str, str, str]
"""A word, its part of speech, its chunk label and its name label."""

Step: TypeAlias = "tuple[Row, ...] | list[Option]"
"""A part of a compiled line: fixed rows (a tuple), or alternatives to choose from (a list)."""

Option: TypeAlias = tuple[Step, ...]
"""A compiled line."""

CODES = {
    "N": "NOUN", "V": "VERB", "J": "ADJ", "R": "ADV", "P": "PROPN", "A": "AUX", "D": "DET", "I": "ADP",
    "#": "NUM", "O": "PRON", "C": "CCONJ", "S": "SCONJ", "T": "PART", "U": "INTJ", "Y": "SYM", "X": "X",
}  # fmt: skip
CHUNK_DEFAULT = {
    "NP": "NOUN", "VP": "VERB", "PP": "ADP", "ADVP": "ADV", "ADJP": "ADJ", "SBAR": "SCONJ", "PRT": "ADP",
    "INTJ": "INTJ",
}  # fmt: skip
BARE_CHUNK = {
    "NOUN": "NP", "PROPN": "NP", "PRON": "NP", "NUM": "NP", "DET": "NP", "SYM": "NP", "X": "NP",
    "VERB": "VP", "AUX": "VP", "PART": "VP", "ADP": "PP", "ADV": "ADVP", "ADJ": "ADJP", "SCONJ": "SBAR",
    "INTJ": "INTJ",
}  # fmt: skip
FILE = "sample (synthetic)"
SPLITS = {"train": range(68), "validation": range(68, 80), "test": range(80, 100)}
"""Split → its share of 100 hash buckets."""

_PIECE = re.compile(rf"\[(?:(?:{'|'.join(CHUNK_DEFAULT)}) )?|[\]<>]|[^\s\[\]<>]+")


def split_of(text: str) -> str:
    """Return the split that a name or pattern belongs to, by a hash of the text.

    A name on two lists (Jordan, a country and a person) is therefore in the same split on both.
    """
    bucket = zlib.crc32(text.lower().encode()) % 100
    return next(split for split, buckets in SPLITS.items() if bucket in buckets)


def check_split(split: str) -> None:
    """Raise if ``split`` is not one of :data:`SPLITS`.

    :raises DataError: suggests the nearest one.
    """
    if split not in SPLITS:
        raise DataError(f"the sample corpus has no split '{split}'", hint=nearest(split, SPLITS))


@dataclass(frozen=True)
class Cursor:
    """The chunk and the name that the next word belongs to, and whether each has begun."""

    chunk: str | None = None
    chunk_begun: bool = False
    entity: str | None = None
    entity_begun: bool = False

    def row(self, word: str, code: str) -> Row:
        """Return the row of ``word`` here; ``code`` is a key of :data:`CODES`, or empty."""
        tag = CODES[code] if code else self.part_of_speech(word)
        chunk = self.chunk or BARE_CHUNK.get(tag)
        chunk_label = f"{'I' if self.chunk_begun else 'B'}-{chunk}" if chunk else "O"
        entity_label = f"{'I' if self.entity_begun else 'B'}-{self.entity}" if self.entity else "O"
        return word, tag, chunk_label, entity_label

    def advance(self) -> Cursor:
        """Return the cursor after one or more words."""
        return replace(self, chunk_begun=self.chunk is not None, entity_begun=self.entity is not None)

    def part_of_speech(self, word: str) -> str:
        """Return the UPOS tag of a ``word`` without a code."""
        known = function_words()
        if tag := known.get((word, self.chunk)) or known.get((word, None)):
            return tag
        if word[0].isdigit():
            return "NUM"
        if not word[-1].isalnum() and not word[0].isalnum():
            return "PUNCT"
        return "PROPN" if self.entity or word[0].isupper() else CHUNK_DEFAULT[self.chunk or "NP"]


OUTSIDE = Cursor()
"""Outside of chunks and names."""


class Grammar:
    """The patterns of one split; slots are compiled on first use.

    :raises DataError: from :meth:`compile`, for a slot that is unknown or has no entries in this split.
    """

    def __init__(self, lexicon: Lexicon, split: str) -> None:
        self.lexicon = lexicon
        self.split = split
        self._slots: dict[tuple[str, Cursor], list[Option]] = {}

    def compile(self, line: str, start: Cursor = OUTSIDE) -> Option:
        """Return ``line`` compiled for :func:`expand`."""
        steps: list[Step] = []
        cursor = start
        for piece in _PIECE.findall(line):
            if piece in "]>":
                cursor = start
            elif piece[0] in "[<":
                chunk = "VP" if piece == "<" else piece[1:].strip() or "NP"
                cursor = replace(start, chunk=chunk, chunk_begun=False)
            else:
                step, cursor = self.compile_word(piece, cursor)
                last = steps[-1] if steps else None
                if isinstance(last, tuple) and isinstance(step, tuple):
                    steps[-1] = last + step
                else:
                    steps.append(step)
        return tuple(steps)

    def compile_word(self, piece: str, cursor: Cursor) -> tuple[Step, Cursor]:
        """Return the step for a word, alternatives or a slot at ``cursor``, and the cursor after it."""
        if piece.startswith("{"):
            return self.compile_slot(piece[1:-1], cursor), cursor.advance()
        if piece == "the" and cursor.entity and not cursor.entity_begun:  # the name in "the Alps" is "Alps"
            return (replace(cursor, entity=None).row(piece, ""),), replace(cursor, chunk_begun=True)
        if piece == "'s" and cursor.chunk == "NP" and not cursor.entity:  # as in CoNLL: [Ann] ['s house]
            cursor = replace(cursor, chunk_begun=False)
        coded = piece[-2:-1] == "/" and piece[-1] in CODES
        words, code = (piece[:-2], piece[-1]) if coded else (piece, "")
        rows = [cursor.row(word, code) for word in words.split("|")]
        return (rows[0],) if len(rows) == 1 else [((row,),) for row in rows], cursor.advance()

    def compile_slot(self, name: str, cursor: Cursor) -> list[Option]:
        """Return the compiled entries of ``{name}`` at ``cursor``."""
        key = name, cursor
        if key in self._slots:
            return self._slots[key]
        lines: tuple[str, ...]
        if name in self.lexicon.entities:
            entity, lines = self.lexicon.entities[name]
            cursor = replace(cursor, entity=entity, chunk=cursor.chunk or "NP")
        elif name in self.lexicon.names:
            lines = tuple(line for line in self.lexicon.names[name] if split_of(line) == self.split)
        else:
            lines = self.lexicon.phrases.get(name, ())
        if not lines:
            raise DataError(f"the sample grammar has nothing for the slot '{{{name}}}' in {self.split}")
        self._slots[key] = [self.compile(line, cursor) for line in lines]
        return self._slots[key]


def expand(option: Option, random: Callable[[], float], rows: list[Row]) -> None:
    """Append the rows of one random expansion of ``option``; ``random`` gives numbers from 0 to 1."""
    for step in option:
        if isinstance(step, tuple):
            rows += step
        else:
            expand(step[int(random() * len(step))], random, rows)

"""The pattern language of the sample corpus, compiled once and expanded fast.

A pattern is one line of text::

    [the company] <will open> [a new/J office] in {city} [next/J year] .

- ``[...]`` is a noun phrase, ``<...>`` a verb phrase, ``[ADJP ...]`` a chunk of another type. A bare word is
  a chunk of the type that goes with its part of speech (``in``: PP), or none (``and``, punctuation).
- ``word/J`` names the part of speech by a code of :data:`CODES`. Without one, function words, numbers,
  punctuation and capitalised words are known, and any other word is what its chunk is made of (NP: a noun).
- ``said|added`` is one of several words, with one code for all.
- ``{slot}`` is a line of a word list, a name of an entity type, or a phrase with chunks of its own.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from labelkit.errors import DataError, nearest
from labelkit.sample.function_words import FUNCTION_WORDS

Row: TypeAlias = tuple[str, str, str, str]
"""A word, its part of speech, its chunk label and its name label."""

Step: TypeAlias = "tuple[Row, ...] | list[Option]"
"""A part of a compiled line: fixed rows (a tuple), or a slot to choose for (a list)."""

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
PARTS = {"train": range(68), "validation": range(68, 80), "test": range(80, 100)}

_TOKEN = re.compile(rf"\[(?:(?:{'|'.join(CHUNK_DEFAULT)}) )?|[\]<>]|[^\s\[\]<>]+")


def part_of(text: str) -> str:
    """Return the split that a name or pattern belongs to; it depends on the text alone.

    A name that stands in two lists (Jordan, a country and a person) is so in one split only.
    """
    number = zlib.crc32(text.lower().encode()) % 100
    return next(part for part, numbers in PARTS.items() if number in numbers)


def require_part(part: str) -> None:
    """Refuse a split that is not there.

    :raises DataError: names the nearest one.
    """
    if part not in PARTS:
        raise DataError(f"the sample corpus has no split '{part}'", hint=nearest(part, PARTS))


@dataclass(frozen=True)
class Lexicon:
    """What slots stand for.

    :param names: lists of proper names; a split sees its own share of them only.
    :param entities: slot → its entity type and the forms of its names.
    :param phrases: slot → lines in the pattern language, the same ones in every split.
    """

    names: Mapping[str, tuple[str, ...]]
    entities: Mapping[str, tuple[str, tuple[str, ...]]]
    phrases: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Cursor:
    """Where in a chunk and in a name the next word stands."""

    chunk: str | None = None
    chunk_begun: bool = False
    entity: str | None = None
    entity_begun: bool = False

    def row(self, word: str, code: str) -> Row:
        """Return the row of ``word`` at this place."""
        tag = CODES[code] if code else self._tag(word)
        chunk = self.chunk or BARE_CHUNK.get(tag)
        chunk_label = f"{'I' if self.chunk_begun else 'B'}-{chunk}" if chunk else "O"
        entity_label = f"{'I' if self.entity_begun else 'B'}-{self.entity}" if self.entity else "O"
        return word, tag, chunk_label, entity_label

    def after(self) -> Cursor:
        """Return the place behind one or more words."""
        return replace(self, chunk_begun=self.chunk is not None, entity_begun=self.entity is not None)

    def _tag(self, word: str) -> str:
        known = FUNCTION_WORDS.get((word, self.chunk)) or FUNCTION_WORDS.get((word, None))
        if known:
            return known
        if word[0].isdigit():
            return "NUM"
        if not word[-1].isalnum() and not word[0].isalnum():
            return "PUNCT"
        return "PROPN" if self.entity or word[0].isupper() else CHUNK_DEFAULT[self.chunk or "NP"]


class Grammar:
    """The patterns of one part, compiled slot by slot as they are met.

    :raises DataError: from :meth:`compile`, for a slot that is not there or is empty.
    """

    def __init__(self, lexicon: Lexicon, part: str) -> None:
        self.lexicon = lexicon
        self.part = part
        self.slot = cache(self._slot)

    def compile(self, line: str, cursor: Cursor | None = None) -> Option:
        """Return ``line`` ready for :func:`expand`."""
        start = cursor or Cursor()
        steps: list[Step] = []
        here = start
        for piece in _TOKEN.findall(line):
            if piece in "]>":
                here = start
            elif piece[0] in "[<":
                chunk = "VP" if piece == "<" else piece[1:].strip() or "NP"
                here = replace(start, chunk=chunk, chunk_begun=False)
            else:
                step, here = self._word(piece, here)
                _append(steps, step)
        return tuple(steps)

    def _word(self, piece: str, here: Cursor) -> tuple[Step, Cursor]:
        """Return what ``piece`` stands for at ``here``, and the place behind it."""
        if piece.startswith("{"):
            return self.slot(piece[1:-1], here), here.after()
        if piece == "the" and here.entity and not here.entity_begun:  # in "the Alps", the name is "Alps"
            return (replace(here, entity=None).row(piece, ""),), replace(here, chunk_begun=True)
        if piece == "'s" and here.chunk == "NP" and not here.entity:  # as in CoNLL: [Ann] ['s house]
            here = replace(here, chunk_begun=False)
        coded = piece[-2:-1] == "/" and piece[-1] in CODES
        words, code = (piece[:-2], piece[-1]) if coded else (piece, "")
        rows = [here.row(word, code) for word in words.split("|")]
        return (rows[0],) if len(rows) == 1 else [((row,),) for row in rows], here.after()

    def _slot(self, name: str, here: Cursor) -> list[Option]:
        lines: tuple[str, ...]
        if name in self.lexicon.entities:
            entity, lines = self.lexicon.entities[name]
            here = replace(here, entity=entity, chunk=here.chunk or "NP")
        elif name in self.lexicon.names:
            lines = tuple(line for line in self.lexicon.names[name] if part_of(line) == self.part)
        else:
            lines = self.lexicon.phrases.get(name, ())
        if not lines:
            raise DataError(f"the sample grammar has nothing for the slot '{{{name}}}' in {self.part}")
        return [self.compile(line, here) for line in lines]


def _append(steps: list[Step], step: Step) -> None:
    """Add ``step``, joined to the last one where both are fixed rows."""
    last = steps[-1] if steps else None
    if isinstance(last, tuple) and isinstance(step, tuple):
        steps[-1] = last + step
    else:
        steps.append(step)


def expand(option: Option, random: Callable[[], float], rows: list[Row]) -> None:
    """Append one expansion of ``option`` to ``rows``, chosen by calls of ``random``."""
    for step in option:
        if isinstance(step, tuple):
            rows += step
        else:
            expand(step[int(random() * len(step))], random, rows)

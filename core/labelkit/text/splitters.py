"""Splitters of raw text into words. A checkpoint records the splitter by name: a change of behaviour gets a new name.

Every splitter returns the offsets ``(start, end)`` of the words in code points of the unchanged text, ascending and
without overlap. Each character that is not white space belongs to exactly one word, and no word contains white space.
Splitting takes linear time.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.errors import DataError, LabelkitError, nearest
from labelkit.records.examples import Offsets

if TYPE_CHECKING:
    from labelkit.text.patterns import Patterns

Splitter = Callable[[str], Offsets]

_VISIBLE = re.compile(r"\S+")
_WEAK = frozenset(":;!?")  # French and chat put spaces before these in raw text as well
_ENCLOSING = frozenset(("(", ")", "[", "]", "{", "}", '"', "“", "”", "'", "’", "``", "''"))


def words(text: str) -> Offsets:
    """Split into Unicode words (UAX #29) and punctuation, as corpora are split.

    ``'s`` and ``n't`` are words of their own; abbreviations, numbers, links, ``@names``, ``#tags`` and emoticons stay
    whole. A text that :func:`is_pretokenized` is split at white space only.

    >>> text = "Tim's in the U.S., 14-6 :-)"
    >>> [text[start:end] for start, end in words(text)]
    ['Tim', "'s", 'in', 'the', 'U.S.', ',', '14-6', ':-)']
    >>> text = "I'm in , she's out ."
    >>> [text[start:end] for start, end in words(text)]
    ["I'm", 'in', ',', "she's", 'out', '.']
    """
    if is_pretokenized(text):
        return whitespace(text)
    return tuple([match.span() for match in _patterns().word.finditer(text)])


def whitespace(text: str) -> Offsets:
    """Split at white space only.

    >>> whitespace(" a  b.")
    ((1, 2), (4, 6))
    """
    return tuple([match.span() for match in _VISIBLE.finditer(text)])


def characters(text: str) -> Offsets:
    """Make each grapheme cluster a word, for languages without spaces such as Chinese and Japanese.

    >>> text = "東京 🇯🇵"
    >>> [text[start:end] for start, end in characters(text)]
    ['東', '京', '🇯🇵']
    """
    return tuple([match.span() for match in _patterns().character.finditer(text)])


def none(text: str) -> Offsets:
    """Raise: the labeller takes words, not raw text.

    :raises DataError: always.
    """
    raise DataError(
        "raw text cannot be split into words, the splitter is 'none'",
        hint="give the words themselves, as a list; or train with another data.splitter",
    )


SPLITTERS: dict[str, Splitter] = {"words": words, "whitespace": whitespace, "characters": characters, "none": none}


def find_splitter(name: str) -> Splitter:
    """Return the splitter called ``name``.

    :raises LabelkitError: the name is unknown.
    """
    if name not in SPLITTERS:
        raise LabelkitError(f"unknown word splitter '{name}'", hint=nearest(name, SPLITTERS))
    return SPLITTERS[name]


def split(text: str, splitter: str) -> Offsets:
    """Return the offsets of the words of ``text``, by the splitter of that name.

    :raises LabelkitError: the name is unknown, or the splitter is ``none``.
    """
    return find_splitter(splitter)(text)


def is_pretokenized(text: str) -> bool:
    """Return whether the words of ``text`` are already separated by spaces, judging by its punctuation.

    Commas, full stops, brackets, quotes and clitics between spaces are rare in raw text: they must outnumber those
    attached to words two to one, full stops that end no abbreviation included. Brackets and quotes between spaces count
    only if no comma or full stop is attached, and the marks ``: ; ! ?`` only if no mark is. A text that is one link is
    one word.
    """
    patterns = _patterns()
    alone = patterns.alone.findall(text)
    if not alone:
        return patterns.link.fullmatch(text) is not None
    stops = len(patterns.full_stop.findall(text)) + len(patterns.comma.findall(text))
    strong = sum(mark not in _WEAK and not (stops and mark in _ENCLOSING) for mark in alone)
    if strong:
        return strong > 2 * (len(patterns.attached.findall(text)) + len(patterns.full_stop.findall(text)))
    return not patterns.attached.search(text) and not patterns.full_stop.search(text)


@functools.cache
def _patterns() -> Patterns:
    """Return the patterns, compiled on first use: most commands split nothing."""
    from labelkit.text.patterns import Patterns

    return Patterns.compile()

"""How raw text becomes words. The splitter's name is part of a checkpoint: a change of behaviour gets a new name."""

from __future__ import annotations

import re
from collections.abc import Callable

from labelkit.errors import LabelkitError, nearest

Offsets = tuple[tuple[int, int], ...]

# In order: clitics as the CoNLL corpora split them off, abbreviations and initials with their stops, words and
# numbers with inner apostrophes, hyphens, stops or commas, and any other visible character by itself.
_WORDS = re.compile(
    r"""
    (?<=\w)(?:n['’]t|['’](?:s|re|ve|ll|d|m))(?!\w)
  | (?:[^\W\d_]\.){2,}
  | [#@]?\w+?(?=(?:n['’]t|['’](?:s|re|ve|ll|d|m))(?!\w))
  | [#@]?\w+(?:[-'’.,&/]\w+)*
  | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VISIBLE = re.compile(r"\S+")


def words(text: str) -> Offsets:
    """Split at white space and around punctuation; ``'s`` and its like stand alone, ``U.S.`` and ``14-6`` stay whole.

    >>> text = "Tim's in the U.S., 14-6."
    >>> [text[start:end] for start, end in words(text)]
    ['Tim', "'s", 'in', 'the', 'U.S.', ',', '14-6', '.']
    """
    return tuple(match.span() for match in _WORDS.finditer(text))


def whitespace(text: str) -> Offsets:
    """Split at white space only.

    >>> whitespace(" a  b.")
    ((1, 2), (4, 6))
    """
    return tuple(match.span() for match in _VISIBLE.finditer(text))


SPLITTERS: dict[str, Callable[[str], Offsets]] = {"words": words, "whitespace": whitespace}


def find_splitter(name: str) -> Callable[[str], Offsets]:
    """Return the splitter called ``name``.

    :raises LabelkitError: this version has none of that name.
    """
    if name not in SPLITTERS:
        raise LabelkitError(f"unknown word splitter '{name}'", hint=nearest(name, SPLITTERS))
    return SPLITTERS[name]

"""How raw text becomes words. The splitter's name is part of a checkpoint: a change of behaviour gets a new name.

Every splitter gives ``(start, end)`` in code points of the untouched text, ascending, without overlap; each character
that is no white space belongs to exactly one word, and none holds white space. Time grows in proportion to the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.errors import DataError, LabelkitError, nearest

if TYPE_CHECKING:
    from labelkit.text.patterns import Patterns

Offsets = tuple[tuple[int, int], ...]
Splitter = Callable[[str], Offsets]

_VISIBLE = re.compile(r"\S+")
_WEAK = frozenset(":;!?")  # French and chat put blanks before these in raw text as well


def words(text: str) -> Offsets:
    """Split into Unicode words (UAX #29) and punctuation, as corpora are split.

    ``'s`` and ``n't`` stand alone; abbreviations, numbers, links, ``@names``, ``#tags`` and emoticons stay whole. A
    text whose punctuation stands between blanks has been split before, and is split at white space only.

    >>> text = "Tim's in the U.S., 14-6 :-)"
    >>> [text[start:end] for start, end in words(text)]
    ['Tim', "'s", 'in', 'the', 'U.S.', ',', '14-6', ':-)']
    >>> text = "I'm in , she's out ."
    >>> [text[start:end] for start, end in words(text)]
    ["I'm", 'in', ',', "she's", 'out', '.']
    """
    patterns = _patterns()
    if _is_split(text, patterns):
        return whitespace(text)
    return tuple([match.span() for match in patterns.word.finditer(text)])


def whitespace(text: str) -> Offsets:
    """Split at white space only.

    >>> whitespace(" a  b.")
    ((1, 2), (4, 6))
    """
    return tuple([match.span() for match in _VISIBLE.finditer(text)])


def characters(text: str) -> Offsets:
    """Make each character as people see it (grapheme cluster) a word: for Chinese, Japanese and the like.

    >>> text = "東京 🇯🇵"
    >>> [text[start:end] for start, end in characters(text)]
    ['東', '京', '🇯🇵']
    """
    return tuple([match.span() for match in _patterns().character.finditer(text)])


def none(text: str) -> Offsets:
    """Refuse: the input of this labeller is words.

    :raises DataError: always.
    """
    raise DataError(
        "raw text cannot be split into words, the splitter is 'none'",
        hint="give the words themselves, as a list; or train with another data.splitter",
    )


SPLITTERS: dict[str, Splitter] = {"words": words, "whitespace": whitespace, "characters": characters, "none": none}


def find_splitter(name: str) -> Splitter:
    """Return the splitter called ``name``.

    :raises LabelkitError: this version has none of that name.
    """
    if name not in SPLITTERS:
        raise LabelkitError(f"unknown word splitter '{name}'", hint=nearest(name, SPLITTERS))
    return SPLITTERS[name]


def split(text: str, splitter: str) -> Offsets:
    """Return where the words of ``text`` stand, by the splitter of that name.

    :raises LabelkitError: there is no such splitter, or it is ``none``.
    """
    return find_splitter(splitter)(text)


def _is_split(text: str, patterns: Patterns) -> bool:
    """Return whether a text was split before, as its punctuation tells.

    Commas, full stops, brackets, quotes and clitics that stand alone hardly occur in raw text: they must outnumber the
    attached ones by two to one. The marks ``: ; ! ?`` alone tell something only where nothing is attached. A text that
    is only a link is one word.
    """
    alone = patterns.alone.findall(text)
    if not alone:
        return patterns.link.fullmatch(text) is not None
    strong = sum(mark not in _WEAK for mark in alone)
    if strong:
        return strong > 2 * len(patterns.attached.findall(text))
    return not patterns.attached.search(text) and not patterns.full_stop.search(text)


@functools.cache
def _patterns() -> Patterns:
    """Compile on first use: most commands split nothing."""
    from labelkit.text.patterns import Patterns

    return Patterns.compile()

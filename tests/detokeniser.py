"""How tests turn the words of a corpus back into raw text: one fixed rule for all corpora."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEFT = re.compile(r"[.,;:!?]+|[%)\]}”]|…|['’](?:s|m|re|ve|ll|d)|n['’]t", re.IGNORECASE)  # no blank before these
_RIGHT = re.compile(r"[(\[{“$£€#@]|US\$|[A-Z]{1,2}\$")  # none after these
_ENCLOSING = {*'"()[]{}', "``", "''"}
_SHORT = re.compile(r"s|t|m|re|ve|ll|d", re.IGNORECASE)  # what stands behind an apostrophe of its own

Placed = tuple[str, tuple[tuple[int, int], ...]]


def detokenise(words: Sequence[str]) -> Placed:
    """Return raw text that reads as people write it, and where each word stands in it.

    No blank stands before ``. , ; : ! ? % ) ] }`` and before clitics, none after ``( [ { $ £ € # @``, none inside of
    paired quotes. An apostrophe of its own binds to both sides before ``s t m re ve ll d`` and to the left after an s.

    >>> detokenise(["He", "said", ":", '"', "It", "'s", "$", "5", "(", "net", ")", '"', "."])[0]
    'He said: "It\\'s $5 (net)".'
    """
    text, offsets, open_quotes, bound = "", [], set[str](), True
    for index, word in enumerate(words):
        glue, after = _bonds(word, words[index - 1] if index else "", words[index + 1 : index + 2], open_quotes)
        if not bound and not glue:
            text += " "
        offsets.append((len(text), len(text) + len(word)))
        text += word
        bound = after
    return text, tuple(offsets)


def with_loose_marks(words: Sequence[str]) -> Placed:
    """Return the text as :func:`detokenise` does, but quotes and brackets stand between blanks."""
    text, found = "", []
    tight, offsets = detokenise(words)
    for index, (word, (start, _)) in enumerate(zip(words, offsets, strict=True)):
        near = {word, words[index - 1]} if index else {word}
        if index and (start > offsets[index - 1][1] or near & _ENCLOSING):
            text += " "
        found.append((len(text), len(text) + len(word)))
        text += word
    assert text.replace(" ", "") == tight.replace(" ", "")
    return text, tuple(found)


def _bonds(word: str, before: str, following: Sequence[str], open_quotes: set[str]) -> tuple[bool, bool]:
    """Return whether a word binds to the one before it, and to the one behind it."""
    if word in ("'", "’") and following and before and _SHORT.fullmatch(following[0]):
        return True, True
    if word in ("'", "’") and before.lower().endswith("s") and word not in open_quotes:
        return True, False
    if word in ("``", "''"):
        return word == "''", word == "``"
    if word in ('"', "'"):
        closes = word in open_quotes
        open_quotes ^= {word}
        return closes, not closes
    return _LEFT.fullmatch(word) is not None, _RIGHT.fullmatch(word) is not None


def shared_borders(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return how many word borders two ways of splitting a text share, and how many both have together.

    A border is a place where a word begins or ends; ``2 * shared / together`` is their agreement (Dice).
    """
    first, second = ({place for word in words for place in word} for words in (one, other))
    return len(first & second), len(first) + len(second)

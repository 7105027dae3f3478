"""Splitting text into sentences; offsets count code points of the unchanged text.

The rules are few and independent of the language, apart from some English words. In doubt two sentences stay together:
a sentence that is too long costs a labeller little, one that is cut costs it context.
"""

from __future__ import annotations

import re

from labelkit.records.examples import Offsets
from labelkit.text.splitters import find_splitter

# Closing brackets and quotes belong to the sentence that they end, and so does an emoticon.
_CLOSERS = r"[\"'”’»)\]}」』）】›]*(?:[^\S\n][:;=]['-]?[()DPp/]+(?!\S))?"
_MARK = ".!?…؟۔।॥։‼⁇⁈⁉"
# A mark that always ends a sentence (Chinese, Japanese), or one that needs white space, or a capital after ! and ?.
_END = re.compile(
    rf"""
    (?P<full>[。！？｡]+[。！？｡.!?…]*{_CLOSERS})
  | (?<![{_MARK}])(?P<mark>[{_MARK}]++){_CLOSERS}(?:(?P<space>(?=\s))|(?=[^\W\d_]))
    """,
    re.VERBOSE,
)
_PARAGRAPH = re.compile(r"\n[^\S\n]*(?:\n\s*|(?=(?:[-*•–]|\d{1,3}[.)])[^\S\n]))|[\u2029\f]|\r\n?[^\S\n\r]*\r\n?\s*")
_LAST_WORD = re.compile(r"[^\s\"'“”‘’(\[{]*\Z")
_NEXT = re.compile(r"\s*[\"'“”‘’«(\[{¿¡]*(\w+|[.!?…]|)")
_MARKS = frozenset(".!?…")
_BEFORE_LIST_ITEM = frozenset(("", *".!?:;\n"))
_MAX_WORD = 24  # characters examined before a full stop


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Abbreviations before a number, and before a name: never the end of a sentence.
_NUMBERED = frozenset(("no", "nos", "fig", "figs", "pp"))
_TITLES = _words(
    """
    mr mrs ms mme mlle messrs dr prof rev hon st gov sen sens rep reps gen col lt capt sgt maj cpl adm pres supt
    vs cf approx ca vol mt ft e.g i.e viz al
    """
)
# Abbreviations that may end a sentence: they do if one of _STARTERS follows.
_ABBREVIATIONS = _words(
    """
    inc corp ltd co cos bros dept univ jr sr etc ph.d ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec
    ala ariz ark calif colo conn del fla ill ind kan mass md mich minn mo mont neb nev okla ore pa tenn tex va vt wash
    wis wyo a.m p.m est ext tel mon tue tues wed thu thur thurs fri sat sun
    """
)
_STARTERS = _words(
    """
    The This That These Those It He She We They I You My His Her Its Our Their Your There Here What When Where Who Why
    How But And Or So Yet If In On At As For From After Before Since While Although However Because Then Also Please
    Thanks
    """
)


def sentences(text: str) -> Offsets:
    """Return the offsets of the sentences: in order, without overlap, covering everything but white space.

    A blank line always ends a sentence, and so does the start of a list item.

    >>> text = "Mr. Smith met a U.S. Senator. It cost $3.14!"
    >>> [text[start:end] for start, end in sentences(text)]
    ['Mr. Smith met a U.S. Senator.', 'It cost $3.14!']
    """
    ends = {match.end() for match in _END.finditer(text) if match["full"] or _ends_sentence(text, match)}
    ends |= {match.end() for match in _PARAGRAPH.finditer(text)}
    found, start = [], 0
    for stop in sorted({*ends, len(text)}):
        piece = text[start:stop]
        body = piece.strip()
        if body:
            first = start + len(piece) - len(piece.lstrip())
            found.append((first, first + len(body)))
        start = stop
    return tuple(found)


def split_document(text: str, splitter: str) -> tuple[Offsets, ...]:
    """Return for each sentence the offsets of its words in ``text``.

    >>> split_document("Hi Tim. Bye!", "words")
    (((0, 2), (3, 6), (6, 7)), ((8, 11), (11, 12)))

    :raises LabelkitError: the splitter is unknown, or it is ``none``.
    """
    words = find_splitter(splitter)
    return tuple(
        [
            tuple([(start + first, start + stop) for first, stop in words(text[start:end])])
            for start, end in sentences(text)
        ]
    )


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Return whether a mark with white space or a letter after it ends a sentence."""
    mark = match["mark"]
    next_word = _NEXT.match(text, match.end())
    following = next_word[1] if next_word else ""
    if match["space"] is None:
        return mark[-1] not in ".…" and following[:1].isupper()
    if following in _MARKS or (following[:1].islower() and (mark != "." or match.end() > match.end("mark"))):
        return False
    return mark != "." or not is_abbreviation(text[max(0, match.start() - _MAX_WORD) : match.start()], following)


def is_abbreviation(before: str, following: str) -> bool:
    """Return whether the full stop between two pieces of text belongs to an abbreviation, initial or list number."""
    found = _LAST_WORD.search(before)
    word = found[0] if found else ""
    if word.isdigit():
        line = before[: len(before) - len(word)].rstrip(" \t")
        return len(word) <= 2 and line[-1:] in _BEFORE_LIST_ITEM
    lower = word.lower()
    if lower in _NUMBERED:
        return following[:1].isdigit()
    if lower in _TITLES:
        return True
    # J, U.S, c.o.d
    initials = all(len(part) == 1 and part.isalpha() for part in word.split(".")) and (len(word) > 1 or word.isupper())
    return (lower in _ABBREVIATIONS or initials) and following not in _STARTERS

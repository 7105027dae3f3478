"""Where the sentences of a long text are; offsets count code points of the untouched text.

The rules are few and know no language but for some English words; in doubt two sentences stay together, since a
sentence too long costs a labeller little and one that is cut costs it context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labelkit.text.splitters import Offsets, find_splitter

# Closing brackets and quotes belong to the sentence that they end, and so does an emoticon.
_CLOSERS = r"[\"'”’»)\]}」』）】›]*(?:[^\S\n][:;=]['-]?[()DPp/]+(?!\S))?"
_MARK = ".!?…؟۔।॥։‼⁇⁈⁉"
# An end of its own right (Chinese, Japanese), or one that needs a blank behind, or a capital letter after ! and ?.
_END = re.compile(
    rf"""
    (?P<full>[。！？｡]+[。！？｡.!?…]*{_CLOSERS})
  | (?<![{_MARK}])(?P<mark>[{_MARK}]++){_CLOSERS}(?:(?P<blank>(?=\s))|(?=[^\W\d_]))
    """,
    re.VERBOSE,
)
_BORDER = re.compile(r"\n[^\S\n]*(?:\n\s*|(?=(?:[-*•–]|\d{1,3}[.)])[^\S\n]))|[\u2029\f]|\r\n?[^\S\n\r]*\r\n?\s*")
_LAST_WORD = re.compile(r"[^\s\"'“”‘’(\[{]*\Z")
_NEXT = re.compile(r"\s*[\"'“”‘’«(\[{¿¡]*(\w+|[.!?…]|)")
_MARKS = frozenset(".!?…")
_BEFORE_ITEMS = frozenset(("", *".!?:;\n"))
_LONGEST_WORD = 24  # characters that are looked at before a full stop


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Abbreviations before a number, and before a name: never the end of a sentence.
_NUMBERED = frozenset(("no", "nos", "fig", "figs", "pp"))
_TITLES = _set(
    """
    mr mrs ms mme mlle messrs dr prof rev hon st gov sen sens rep reps gen col lt capt sgt maj cpl adm pres supt
    vs cf approx ca vol mt ft e.g i.e viz al
    """
)
# Abbreviations that may end a sentence: they do where one of the words below follows.
_OTHERS = _set(
    """
    inc corp ltd co cos bros dept univ jr sr etc ph.d ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec
    ala ariz ark calif colo conn del fla ill ind kan mass md mich minn mo mont neb nev okla ore pa tenn tex va vt wash
    wis wyo a.m p.m est ext tel mon tue tues wed thu thur thurs fri sat sun
    """
)
_STARTERS = _set(
    """
    The This That These Those It He She We They I You My His Her Its Our Their Your There Here What When Where Who Why
    How But And Or So Yet If In On At As For From After Before Since While Although However Because Then Also Please
    Thanks
    """
)


def sentences(text: str) -> Offsets:
    """Return where each sentence stands: in order, without overlap, all that is visible inside.

    A blank line always ends one, and so does the beginning of an item of a list.

    >>> text = "Mr. Smith met a U.S. Senator. It cost $3.14!"
    >>> [text[start:end] for start, end in sentences(text)]
    ['Mr. Smith met a U.S. Senator.', 'It cost $3.14!']
    """
    found, start = [], 0
    for stop in sorted({*_ends(text), *_borders(text), len(text)}):
        piece = text[start:stop]
        body = piece.strip()
        if body:
            first = start + len(piece) - len(piece.lstrip())
            found.append((first, first + len(body)))
        start = stop
    return tuple(found)


def split_document(text: str, splitter: str) -> tuple[Offsets, ...]:
    """Return for each sentence where its words stand in ``text``.

    >>> split_document("Hi Tim. Bye!", "words")
    (((0, 2), (3, 6), (6, 7)), ((8, 11), (11, 12)))

    :raises LabelkitError: there is no such splitter, or it is ``none``.
    """
    words = find_splitter(splitter)
    return tuple(
        [
            tuple([(start + first, start + stop) for first, stop in words(text[start:end])])
            for start, end in sentences(text)
        ]
    )


def _borders(text: str) -> Iterator[int]:
    return (match.end() for match in _BORDER.finditer(text))


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if match["full"] or _ends_here(text, match):
            yield match.end()


def _ends_here(text: str, match: re.Match[str]) -> bool:
    """Return whether a mark with a blank or a letter behind it ends a sentence."""
    mark, following = match["mark"], _following(text, match.end())
    if match["blank"] is None:
        return mark[-1] not in ".…" and following[:1].isupper()
    if following in _MARKS or (following[:1].islower() and (mark != "." or match.end() > match.end("mark"))):
        return False
    return mark != "." or not _abbreviates(text[max(0, match.start() - _LONGEST_WORD) : match.start()], following)


def _following(text: str, position: int) -> str:
    found = _NEXT.match(text, position)
    return found[1] if found else ""


def _initials(word: str) -> bool:
    """Return whether a word is an initial, or letters with full stops between: J, U.S, c.o.d."""
    return all(len(part) == 1 and part.isalpha() for part in word.split(".")) and (len(word) > 1 or word.isupper())


def _abbreviates(before: str, following: str) -> bool:
    """Return whether the full stop after ``before`` belongs to an abbreviation, an initial or a list's number."""
    found = _LAST_WORD.search(before)
    word = found[0] if found else ""
    if word.isdigit():
        line = before[: len(before) - len(word)].rstrip(" \t")
        return len(word) <= 2 and line[-1:] in _BEFORE_ITEMS
    lower = word.lower()
    if lower in _NUMBERED:
        return following[:1].isdigit()
    if lower in _TITLES:
        return True
    return (lower in _OTHERS or _initials(word)) and following not in _STARTERS

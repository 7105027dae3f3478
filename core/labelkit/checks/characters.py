"""Checks of characters: signs of a wrong encoding, odd characters, blank texts and words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from labelkit.checks.common import INVISIBLE, Splits, noun_of
from labelkit.checks.findings import CaseCollector, Finding, Severity, excerpt
from labelkit.data.scheme_conversion import place_of
from labelkit.records import Example
from labelkit.records.contents import shown_content

# surrogateescape's stand-ins for undecodable bytes, and the replacement character
_UNDECODED, _REPLACED = "\udc80-\udcff", "\ufffd"
_CP1252 = {mark: byte for byte in range(0x80, 0xA0) if (mark := bytes([byte]).decode("cp1252", "ignore"))}
# UTF-8 read as Windows-1252 or Latin-1: the characters that continuation bytes (0x80 to 0xBF) turn into
_TAIL = "\u0080-\u00bf" + "".join(_CP1252)
_MOJIBAKE = "|".join(
    (
        f"[ÂÃÄÅ][{_TAIL}]",  # Latin: é, ß, the no-break space
        f"(?:[Ï-ßÎ][{_TAIL}]){{2,}}",  # Greek, Cyrillic, Hebrew, Arabic: a letter alone would prove nothing
        f"[âï][{_TAIL}]{{2}}",  # quotation marks, dashes, the byte order mark
        f"(?:[à-ï][{_TAIL}]{{2}}){{2,}}",  # Indic, Thai, Chinese, Japanese, Korean
        f"ð[{_TAIL}]{{3}}",  # emoji
    )
)
_ENCODING = re.compile(
    f"(?P<undecoded>[{_UNDECODED}])|(?P<replaced>{_REPLACED})|(?P<mojibake>{_MOJIBAKE})|(?P<latin>[\u0080-\u009f])"
)
_ENCODING_FAULTS = {
    "undecoded": (
        "hold bytes that are not in the encoding",
        "give the right encoding with --encoding, or convert the file to UTF-8",
    ),
    "replaced": (
        "hold the replacement character U+FFFD, where another was lost",
        "decode the source again with the right encoding: the replaced characters are lost",
    ),
    "mojibake": (
        "look like UTF-8 decoded as Windows-1252 or Latin-1",
        "decode the source again as UTF-8, or repair the text, for example with ftfy",
    ),
    "latin": (
        "hold control characters that are punctuation in Windows-1252",
        "decode the source again as Windows-1252, or repair the text, for example with ftfy",
    ),
}
# Joiners are left alone: emoji, Arabic and Indic scripts need them. So are tab and line ends within texts.
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udc7f\udd00-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff]"
)
# U+0085 is white space too, but a sign of a wrong encoding
_ODD_IN_WORD = re.compile(rf"{_ODD.pattern}|[^\S\x85]")
_BLANK = re.compile(f"{INVISIBLE.pattern}*")


def encoding(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield signs of a wrong encoding: undecodable bytes, replacement characters, mojibake."""
    for split, examples in splits.items():
        found = {kind: CaseCollector(limit) for kind in _ENCODING_FAULTS}
        for example in examples:
            content = shown_content(example)
            if content.isascii() or not _ENCODING.search(content):
                continue
            for place, part in _placed_parts(example):
                first: dict[str, re.Match[str]] = {}
                for match in _ENCODING.finditer(part):
                    first.setdefault(str(match.lastgroup), match)
                for kind, match in first.items():
                    found[kind].add(place, _show_match(part, match) if found[kind].has_room else "")
        for kind, cases in found.items():
            message, advice = _ENCODING_FAULTS[kind]
            severity: Severity = "error" if kind == "undecoded" else "warning"
            yield from cases.findings("encoding", severity, split, f"{noun_of(examples)} {message}", advice)


def characters(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield characters that are rarely intended: control and invisible characters, white space within words."""
    for split, examples in splits.items():
        cases, counts = CaseCollector(limit), Counter[str]()
        for example in examples:
            odd = _ODD if example.words is None else _ODD_IN_WORD
            if not any(odd.search(part) for _, part in _placed_parts(example)):
                continue
            for place, part in _placed_parts(example):
                if matches := list(odd.finditer(part)):
                    counts.update(match[0] for match in matches)
                    around = excerpt(part, *matches[0].span()) if cases.has_room else ""
                    cases.add(place, f"{_character_name(matches[0][0])} in {around}")
        names = ", ".join(f"{_character_name(mark)} ({times:,})" for mark, times in counts.most_common(5))
        message = f"{noun_of(examples)} hold odd characters: {names}{', …' if len(counts) > 5 else ''}"
        advice = "remove them unless they are meant: most encoders drop them, or make unknown tokens of them"
        yield from cases.findings("characters", "warning", split, message, advice)


def empty(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield splits without examples, blank examples, and invisible words."""
    for split, examples in splits.items():
        if not len(examples):
            cases = CaseCollector(limit)
            cases.add("", split)
            yield from cases.findings("empty", "error", split, "holds no examples", "check the file")
        blank, invisible, words = CaseCollector(limit), CaseCollector(limit), 0
        for example in examples:
            if any(_BLANK.fullmatch(text) for text in _contents(example)):
                blank.add(place_of(example), _show_code_points(shown_content(example)))
                continue
            words += len(example.words or ())
            for index, word in enumerate(example.words or ()):
                if _BLANK.fullmatch(word):
                    invisible.add(place_of(example, index), _show_code_points(word))
        message = "texts are blank" if noun_of(examples) == "texts" else "examples have no visible words"
        advice = "remove them: there is nothing to learn from them"
        yield from blank.findings("empty", "warning", split, message, advice, total=len(examples))
        advice = "remove them, or join them to the word before: most encoders ignore them"
        yield from invisible.findings("empty", "warning", split, "words are invisible", advice, total=words)


def repair_mojibake(wrong: str) -> str:
    """Return the characters that mojibake stands for; empty where it cannot be decoded.

    >>> repair_mojibake("Ã©")
    'é'
    """
    as_bytes = bytes(_CP1252.get(character, ord(character)) for character in wrong)
    try:
        return as_bytes.decode("utf-8" if len(wrong) > 1 else "cp1252")
    except UnicodeDecodeError:
        return ""


def _contents(example: Example) -> list[str]:
    """Return the texts of an example, two of a pair; or its words joined by spaces."""
    if example.pair is None:
        return [shown_content(example)]
    return [example.text or "", example.pair]


def _placed_parts(example: Example) -> Iterator[tuple[str, str]]:
    """Yield the words of an example, its text, or both texts of a pair, each with its place."""
    if example.words is None:
        yield from ((place_of(example), text) for text in _contents(example))
        return
    for index, word in enumerate(example.words):
        yield place_of(example, index), word


def _show_match(text: str, match: re.Match[str]) -> str:
    """Return a match of the pattern of wrong encodings in its context, and what it probably should be."""
    around = excerpt(text, *match.span())
    if match.lastgroup == "undecoded":
        return f"byte 0x{ord(match[0]) - 0xDC00:02X} in {around}"
    if match.lastgroup in ("mojibake", "latin") and (repaired := repair_mojibake(match[0])):
        return f"{_show_code_points(match[0])} (probably {repaired}) in {around}"
    return around


def _show_code_points(text: str) -> str:
    """Return the first 20 characters, invisible ones as code points."""
    marks = [f"U+{ord(mark):04X} " if INVISIBLE.match(mark) or not mark.isprintable() else mark for mark in text]
    return "".join(marks[:20]).strip() or "nothing"


def _character_name(mark: str) -> str:
    """Return the code point and the Unicode name of a character, e.g. ``U+200B zero width space``."""
    return f"U+{ord(mark):04X} {unicodedata.name(mark, '').lower()}".rstrip()

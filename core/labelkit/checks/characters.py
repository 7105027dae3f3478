"""Checks of what is written: blank texts and words, odd characters, text that was decoded wrongly."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from labelkit.checks.common import INVISIBLE, Splits, content_of
from labelkit.checks.findings import Cases, Finding, Severity, excerpt
from labelkit.data.scheme_conversion import place_of
from labelkit.records import Example

# what is left of a byte that is not in the encoding, and the mark for one that was replaced
_UNDECODED, _REPLACED = "\udc80-\udcff", "\ufffd"
# UTF-8 that was read as Windows-1252 or Latin-1: the characters that a byte from 0x80 to 0xBF then became
_TAIL = "\u0080-\u00bf" + "".join(
    character for byte in range(0x80, 0xA0) if (character := bytes([byte]).decode("cp1252", "ignore"))
)
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
_KINDS = {
    "undecoded": "hold bytes that are not in the encoding",
    "replaced": "hold the replacement character U+FFFD, where another was lost",
    "mojibake": "look as if UTF-8 had been read as Windows-1252 or Latin-1",
    "latin": "hold control characters that are punctuation in Windows-1252",
}
_ADVICE = {
    "undecoded": "give the right encoding with --encoding, or write the file anew in UTF-8",
    "replaced": "make the data anew from its source with the right encoding: what was replaced is lost",
    "mojibake": "make the data anew from its source, read as UTF-8, or repair it, for example with ftfy",
    "latin": "make the data anew from its source, read as Windows-1252, or repair it, for example with ftfy",
}
# Joiners are left alone: emoji, Arabic and Indic scripts need them. So are tab and line ends within texts.
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udc7f\udd00-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff]"
)
# U+0085 counts as white space too, but tells of a wrong encoding
_ODD_IN_WORD = re.compile(rf"{_ODD.pattern}|[^\S\x85]")
_NOTHING = re.compile(f"{INVISIBLE.pattern}*")


def encoding(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield what tells of a wrong encoding: bytes that are none, replacement characters, mojibake."""
    for split, examples in splits.items():
        found = {kind: Cases(limit) for kind in _KINDS}
        for example in examples:
            content = content_of(example)
            if not content.isascii() and _ENCODING.search(content):
                _misread(example, found)
        for kind, cases in found.items():
            severity: Severity = "error" if kind == "undecoded" else "warning"
            what = f"{_parts(examples)} {_KINDS[kind]}"
            yield from _finding("encoding", severity, split, cases, what, _ADVICE[kind])


def characters(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield characters that are hardly meant: control characters, invisible ones, white space within words."""
    for split, examples in splits.items():
        cases, kinds = Cases(limit), Counter[str]()
        for example in examples:
            odd = _ODD if example.words is None else _ODD_IN_WORD
            if odd.search(example.text or "" if example.words is None else "".join(example.words)):
                _odd_in(example, odd, cases, kinds)
        names = ", ".join(f"{_named(mark)} ({times:,})" for mark, times in kinds.most_common(5))
        message = f"{_parts(examples)} hold odd characters: {names}{', …' if len(kinds) > 5 else ''}"
        advice = "take them out unless they are meant: most encoders drop them, or make unknown tokens of them"
        yield from _finding("characters", "warning", split, cases, message, advice)


def empty(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield splits and examples that hold nothing, and words that show nothing."""
    for split, examples in splits.items():
        if not len(examples):
            cases = Cases(limit)
            cases.add("", split)
            yield from _finding("empty", "error", split, cases, "holds no examples", "check the file")
        blank, invisible = Cases(limit), Cases(limit)
        words = 0
        for example in examples:
            if _NOTHING.fullmatch(content_of(example)):
                blank.add(place_of(example), _spelled(content_of(example)))
                continue
            words += len(example.words or ())
            _invisible_words(example, invisible)
        what = "texts are blank" if _parts(examples) == "texts" else "examples hold no words that show anything"
        advice = "take them out: there is nothing to learn from them"
        yield from _finding("empty", "warning", split, blank, what, advice, total=len(examples))
        advice = "take them out, or join them to the word before: most encoders see nothing there"
        yield from _finding("empty", "warning", split, invisible, "words show nothing", advice, total=words)


def _finding(
    check: str, severity: Severity, split: str, cases: Cases, message: str, advice: str, total: int | None = None
) -> Iterator[Finding]:
    if cases.count:
        yield Finding(
            check=check,
            severity=severity,
            split=split,
            count=cases.count,
            examples=cases.kept,
            message=message,
            advice=advice,
            total=total,
        )


def _misread(example: Example, found: dict[str, Cases]) -> None:
    """Count the words of an example (or its text) that tell of a wrong encoding, each once for each kind."""
    for place, part in _placed(example):
        first: dict[str, re.Match[str]] = {}
        for match in () if part.isascii() else _ENCODING.finditer(part):
            first.setdefault(str(match.lastgroup), match)
        for kind, match in first.items():
            found[kind].add(place, _shown(part, match) if found[kind].wanted else "")


def _placed(example: Example) -> Iterator[tuple[str, str]]:
    """Yield the words of an example, or its text, each with its place."""
    if example.words is None:
        yield place_of(example), example.text or ""
        return
    for index, word in enumerate(example.words):
        yield place_of(example, index), word


def _parts(examples: Sequence[Example]) -> str:
    return "texts" if any(example.words is None for example in examples[:1]) else "words"


def _shown(text: str, match: re.Match[str]) -> str:
    around = excerpt(text, match.start(), match.end())
    if match.lastgroup == "undecoded":
        return f"byte 0x{ord(match[0]) - 0xDC00:02X} in {around}"
    if match.lastgroup in ("mojibake", "latin") and (meant := _meant(match[0])):
        return f"{_spelled(match[0])} (probably {meant}) in {around}"
    return around


def _meant(wrong: str) -> str:
    """Return what mojibake should have been; empty where that cannot be said."""
    as_bytes = b"".join(_byte(character) for character in wrong)
    try:
        return as_bytes.decode("utf-8" if len(wrong) > 1 else "cp1252")
    except UnicodeDecodeError:
        return ""


@lru_cache(maxsize=512)
def _byte(character: str) -> bytes:
    try:
        return character.encode("latin-1")
    except UnicodeEncodeError:
        return character.encode("cp1252")


def _odd_in(example: Example, odd: re.Pattern[str], cases: Cases, kinds: Counter[str]) -> None:
    for place, part in _placed(example):
        found = list(odd.finditer(part))
        kinds.update(match[0] for match in found)
        if found:
            around = excerpt(part, found[0].start(), found[0].end()) if cases.wanted else ""
            cases.add(place, f"{_named(found[0][0])} in {around}")


def _invisible_words(example: Example, cases: Cases) -> None:
    for index, word in enumerate(example.words or ()):
        if _NOTHING.fullmatch(word):
            cases.add(place_of(example, index), _spelled(word))


def _spelled(text: str) -> str:
    """Return characters that cannot be seen by their code points."""
    marks = [f"U+{ord(mark):04X} " if INVISIBLE.match(mark) or not mark.isprintable() else mark for mark in text]
    return "".join(marks[:20]).strip() or "nothing"


def _named(mark: str) -> str:
    name = unicodedata.name(mark, "")
    return f"U+{ord(mark):04X}{f' {name.lower()}' if name else ''}"

r"""The format ``brackets``: a sentence a line, words between single spaces, spans as links of Markdown.

    [Ada Lovelace](person) lives in [London](location) .

Inside a word, ``[``, ``]`` and ``\`` are written behind a ``\``, as are brackets of both kinds inside a type. White
space and what no UTF-8 can hold is ``\u{…}`` with its code point in hexadecimal digits; ``\u{}`` is a word without
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labelkit import Example, LabelkitError, Labelled, LoadContext, Output, Place
from labelkit_review.spans import PREFIXES, Span, spans_of

_ESCAPE = r"\\u\{[0-9a-f]*\}|\\[^u]"
_WORD = rf"(?:[^\\\[\] ]|{_ESCAPE})*"
_TYPE = rf"(?:[^\\\[\]() ]|{_ESCAPE})*"
_TOKEN = re.compile(rf"(?P<begin>\[?)(?P<word>{_WORD})(?:(?P<end>\])\((?P<type>{_TYPE})\))?(?: |$)")
_ESCAPED = re.compile(r"\\u\{(?P<code>[0-9a-f]*)\}|\\(?P<plain>[^u])")
_HINT = "a span is [word word](type), words stand between single spaces, and [ ] \\ in a word have a \\ before them"


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a file, their spans as IOB2 tags of the layer ``ctx.layer``.

    :raises LabelkitError: a line is not written so; names file and line.
    """
    layer = ctx.layer or "labels"
    for number, line in ctx.lines(path):
        place = Place(file=str(path), line=number)
        words, spans = _parsed(line, place)
        yield Example(id=str(number), words=words, labels={layer: _tags(len(words), spans)}, place=place)


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line for each sentence.

    :raises LabelkitError: its labels are no spans.
    """
    for record in records:
        words, labels = record.words or (), record.labels or ()
        if odd := [label for label in labels if label != "O" and not _is_tag(label)]:
            raise LabelkitError(
                f"record '{record.id}' has the label '{odd[0]}', which is no tag of a span",
                hint="brackets hold spans; another format holds one label per word, e.g. --to conll",
            )
        output.stream.write(f"{_line(words, spans_of(labels))}\n".encode())


def _is_tag(label: str) -> bool:
    prefix, dash, _ = label.partition("-")
    return bool(dash) and prefix in PREFIXES


# -- writing ----------------------------------------------------------------------------------------------------------


def _line(words: Sequence[str], spans: Sequence[Span]) -> str:
    parts = [_escaped(word, "[]\\") or "\\u{}" for word in words]
    for span in spans:
        parts[span.start] = f"[{parts[span.start]}"
        parts[span.stop - 1] += f"]({_escaped(span.type, '[]()' + chr(92))})"
    return " ".join(parts)


def _escaped(text: str, special: str) -> str:
    return "".join(_character(character, special) for character in text)


def _character(character: str, special: str) -> str:
    if character in special:
        return f"\\{character}"
    if character.isspace() or character == "\ufeff" or "\ud800" <= character <= "\udfff":
        return f"\\u{{{ord(character):x}}}"
    return character


# -- reading ----------------------------------------------------------------------------------------------------------


def _parsed(line: str, place: Place) -> tuple[tuple[str, ...], list[Span]]:
    """Return the words and spans of a line."""
    words: list[str] = []
    spans: list[Span] = []
    begun: int | None = None
    for token in _tokens(line, place):
        if token["begin"]:
            _require(begun is None, place, "a span begins inside another one")
            begun = len(words)
        words.append(_plain(token["word"]))
        if token["end"]:
            _require(begun is not None, place, f"a span of type '{token['type']}' ends that has not begun")
            spans.append(Span(begun or 0, len(words), _plain(token["type"])))
            begun = None
    _require(begun is None, place, "a span does not end")
    return tuple(words), spans


def _tokens(line: str, place: Place) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(line):
        found = _TOKEN.match(line, position)
        _require(bool(found), place, f"{line[position : position + 20]!r} is no word")
        assert found is not None  # just required
        _require(found["word"] != "", place, "there are two spaces in a row, or brackets round nothing")
        yield found
        position = found.end()
    _require(not line.endswith(" "), place, "the line ends with a space")


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: found["plain"] or (chr(int(found["code"], 16)) if found["code"] else ""), text)


def _require(fine: bool, place: Place, fault: str) -> None:
    if not fine:
        raise LabelkitError(f"{place}: {fault}", hint=_HINT)


def _tags(length: int, spans: Sequence[Span]) -> tuple[str, ...]:
    tags = ["O"] * length
    for span in spans:
        tags[span.start : span.stop] = [f"I-{span.type}"] * (span.stop - span.start)
        tags[span.start] = f"B-{span.type}"
    return tuple(tags)

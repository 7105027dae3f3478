"""How the lines of a column file are separated into fields, judged by its first lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labelkit.formats.labelled_json import check_predictions_allowed
from labelkit.labels.tag_styles import find_form, outside_label
from labelkit.records import Assumption, LoadContext

BLANKS = " \t"
BOM = "\ufeff"
#: what is assumed of byte order marks within a file
MARKS_LEFT_OUT = Assumption(
    "byte order marks at the start of lines, as joined files have, are left out", "double them to keep one"
)
DOCUMENT_START = "-DOCSTART-"
Line = tuple[int, str]
"""The number of a line, from 1, and the line."""
Split = Callable[[str], list[str]]

#: the first line of a file whose labels labelkit predicted; other readers take it for a comment, or a word with O
PREDICTED = "# labels predicted by labelkit"
_BORDER = re.compile(r"#\s?(?:begin|end) document\b")
#: separators of the fields of a line with one word
_SEPARATORS = "|;,:/_~=\u00a0\u3000"
#: separators that messages name, as nobody sees them
_INVISIBLE = {"\u00a0": "no-break spaces (U+00A0)", "\u3000": "ideographic spaces (U+3000)"}
#: separators within the words of a line that holds a sentence
_INNER = "|/_"
_TAGS = re.compile(r"[A-Z][A-Z0-9$-]{0,9}|[^\w\s]{1,3}")
_SAID = "--set data.separator=… says otherwise"


@dataclass(frozen=True, kw_only=True, slots=True)
class Separation:
    """How lines are separated into fields.

    :param name: what separates the fields, for messages.
    :param sentences: a line is a sentence, its words with their labels separated by blanks.
    :param assumed: what was assumed; None for tabs, and for blanks.
    """

    name: str
    split: Split
    sentences: bool = False
    assumed: Assumption | None = None

    @property
    def tabs(self) -> bool:
        """Return whether tabs alone separate fields."""
        return self.name == "tabs"

    def rows(self, line: str) -> list[list[str]]:
        """Return the fields of each word of a line."""
        return [self.split(word) for word in split_blanks(line)] if self.sentences else [self.split(line)]


def find_separation(lines: Sequence[str], ctx: LoadContext) -> Separation:
    """Return how the fields of a file are separated.

    :param lines: the first ones of the file that are neither blank nor a border of documents.
    """
    given = ctx.settings.separator
    words = [line for line in lines if not line.startswith("#")] or list(lines)
    if given is not None:
        return _given_separation({"tab": "\t", "\\t": "\t", "blank": " "}.get(given, given), words)
    if any("\t" in line.strip(BLANKS) for line in words[:1]):
        widths = {line.count("\t") for line in words}
        mixed = {len(split_blanks(line)) for line in words}
        if len(widths) > 1 and len(mixed) == 1:
            said = Assumption("fields are separated by tabs and by blanks", _SAID)
            return Separation(name="tabs and blanks", split=split_blanks, assumed=said)
        return Separation(name="tabs", split=split_tabs)
    return _other_separation(words) or Separation(name="spaces", split=split_blanks)


def split_tabs(line: str) -> list[str]:
    """Return the fields of a line that are separated by tabs."""
    return line.split("\t")


def split_blanks(line: str) -> list[str]:
    """Return the fields of a line that are separated by spaces or tabs.

    ``str.split()`` without an argument would also split at U+00A0, U+3000 and a dozen others.
    """
    return [field for field in line.replace("\t", " ").split(" ") if field]


def split_last(line: str, *, separator: str, width: int) -> list[str]:
    """Return the fields of a word; the first one, the word itself, may hold the separator.

    >>> split_last("1/2/CD", separator="/", width=2)
    ['1/2', 'CD']
    """
    return line.rsplit(separator, width - 1)


def is_document_start(line: str) -> bool:
    """Return whether a line is a border of documents: ``-DOCSTART-``, or ``#begin document`` of CoNLL-2012."""
    if line.startswith("#"):
        return _BORDER.match(line) is not None
    if not line.startswith(DOCUMENT_START):
        return False
    # In a file separated by tabs, "-DOCSTART- x" is a word with a space in it.
    return line.split("\t" if "\t" in line else " ", 1)[0] == DOCUMENT_START


def _given_separation(separator: str, lines: Sequence[str]) -> Separation:
    if separator == "\t":
        return Separation(name="tabs", split=split_tabs)
    if separator == " ":
        return Separation(name="spaces", split=split_blanks)
    words = [split_blanks(line) for line in lines]
    sentences = any(len(fields) > 1 for fields in words) and all(
        separator in field for fields in words for field in fields
    )
    parts = [field for fields in words for field in fields] if sentences else list(lines)
    width = min((part.count(separator) for part in parts if separator in part), default=1) + 1
    split = partial(split_last, separator=separator, width=width)
    return Separation(name=f"'{separator}'", split=split, sentences=sentences)


def _other_separation(lines: Sequence[str]) -> Separation | None:
    """Return the separation by another mark; None where blanks separate fields."""
    words = [split_blanks(line) for line in lines]
    if not words:
        return None
    several = any(len(fields) > 1 for fields in words)
    parts = [field for fields in words for field in fields]
    for separator in _INNER if several else _SEPARATORS:
        if len(parts) < 2 or not all(separator in part for part in parts):
            continue
        width = min(part.count(separator) for part in parts) + 1
        split = partial(split_last, separator=separator, width=width)
        fields = [split(part) for part in parts]
        if not all(all(row) for row in fields) or not _are_labels([row[-1] for row in fields], several=several):
            continue
        what = "each line is a sentence, its words and labels" if several else "words and labels"
        name = _INVISIBLE.get(separator, f"'{separator}'")
        said = Assumption(f"{what} are separated by {name}", _SAID)
        return Separation(name=name, split=split, sentences=several, assumed=said)
    return None


def _are_labels(values: Sequence[str], *, several: bool) -> bool:
    """Return whether the last parts of words are labels."""
    counts = Counter(values)
    outside = outside_label(counts)
    marked = {label: times for label, times in counts.items() if label not in ("O", outside)}
    if "O" in counts or find_form(marked) is not None:
        return True
    if several:
        return True
    return all(map(_TAGS.fullmatch, counts)) and 2 * len(counts) <= max(len(values), 4)


def first_lines(lines: Iterator[Line], most: int) -> tuple[list[Line], list[str]]:
    """Return up to ``most`` lines, and those of them that are neither blank nor a border of documents."""
    seen: list[Line] = []
    content: list[str] = []
    for line in lines:
        seen.append(line)
        if line[1].strip(BLANKS) and not is_document_start(line[1]):
            content.append(line[1])
        if len(seen) >= most:
            break
    return seen, content


def without_predicted_mark(path: Path, lines: Iterator[Line], ctx: LoadContext) -> Iterator[Line]:
    """Yield lines without the one that says that the labels are predictions.

    :raises DataError: gold labels are read, and ``data.predictions_as_gold`` does not allow it; names file and line.
    """
    for number, line in lines:
        if number == 1 and line.startswith(PREDICTED):
            if ctx.policy.labels == "required":
                check_predictions_allowed(f"{path}:{number}", ctx.settings)
        else:
            yield number, line


def without_marks(lines: Iterator[Line], ctx: LoadContext) -> Iterator[Line]:
    """Yield lines without a byte order mark at their start, as files have that were joined."""
    for number, line in lines:
        if number > 1 and line.startswith(BOM):
            ctx.policy.assume(*MARKS_LEFT_OUT)
            yield number, line[1:]
        else:
            yield number, line

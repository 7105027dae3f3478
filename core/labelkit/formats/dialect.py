"""How a text table is written: its separator, whether quotes enclose fields, and whether its first row is a header."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import lines_with_ends
from labelkit.formats.columns import TASK_LAYER_NAMES, USUAL
from labelkit.formats.word_rows import SENTENCE_NAMES, WORD_NAMES
from labelkit.records import LoadContext

_SAMPLE = 500  # lines
_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {"\t": "tab", "\\t": "\t", "tab": "\t"}
_USUAL_NAMES = frozenset((*(name for names in USUAL.values() for name in names), *TASK_LAYER_NAMES))


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a table is written.

    :param first: the line of its first row; Excel may write ``sep=;`` before it.
    :param header: the first row names the columns.
    :param names: the names of the columns where it does not, if they are known.
    """

    separator: str
    quotes: bool
    first: int = 1
    header: bool = True
    names: tuple[str, ...] = ()


def find_dialect(path: Path, ctx: LoadContext, separator: str, *, quotes: bool) -> Dialect:
    """Return how a table is written, by the settings, or else by its first lines.

    :param separator: the one of the format, which stays unless the lines show another.
    :param quotes: whether the format has quotes.
    :raises DataError: the file cannot be read, or ``data.separator`` is not a character.
    """
    given = _given_separator(ctx)
    lines = _first_lines(path, ctx)
    named = lines[0].rstrip("\r\n").removeprefix('"') if lines else ""  # some programs quote the line
    first = 2 if named.lower().startswith("sep=") else 1
    if first == 2:
        separator = named[4:5] or separator
        lines = lines[1:]
    if given is not None:
        separator = given
    elif first == 1 and (found := _other_separator(lines, separator)):
        separator = found
        shown = _NAMES.get(found, found)
        ctx.policy.assume(f"{path.name}: fields are separated by '{shown}'", "--set data.separator=… says otherwise")
    quoted = quotes if ctx.settings.quotes is None else ctx.settings.quotes
    if ctx.settings.quotes is None and not quotes and _shows_quotes(lines, separator):
        quoted = True
        ctx.policy.assume(
            f"{path.name}: quotes enclose fields", "--set data.quotes=false reads them as part of the text"
        )
    rows = _rows(lines, separator, quotes=quoted)
    header, names = _find_header(path, ctx, rows, guess=ctx.kind == "text" or (ctx.kind is None and quotes))
    return Dialect(separator=separator, quotes=quoted, first=first, header=header, names=names)


def _given_separator(ctx: LoadContext) -> str | None:
    """Return ``data.separator`` as a character.

    :raises DataError: it is several.
    """
    given = ctx.settings.separator
    if given is None:
        return None
    separator = _NAMES.get(given, given)
    if len(separator) != 1 or separator in '"\r\n':
        raise DataError(f"data.separator must be one character, not {given!r}", hint="for example ; or | or tab")
    return separator


def _first_lines(path: Path, ctx: LoadContext) -> list[str]:
    """Return the first lines of a file; none of what cannot be read twice."""
    if not path.is_file():
        return []
    return list(islice(lines_with_ends(path, ctx.encoding, "replace", ctx.settings.max_record), _SAMPLE))


def _rows(lines: Sequence[str], separator: str, *, quotes: bool) -> list[list[str]]:
    """Return the rows of some lines that are not blank, up to the first one that is invalid."""
    csv.field_size_limit(2**31 - 1)
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    found: list[list[str]] = []
    with suppress(csv.Error):  # reported when the table is read, if it is not that the last line is cut off
        for row in csv.reader(lines, delimiter=separator, quoting=quoting, strict=True):
            found += [row] if row else []
    return found


def _other_separator(lines: Sequence[str], separator: str) -> str | None:
    """Return the separator that gives all rows the same number of columns, if the usual one finds a single column."""
    rows = _rows(lines, separator, quotes=True)
    if rows and len(rows[0]) > 1:
        return None
    best, width = None, 1
    for other in _SEPARATORS:
        widths = {len(row) for row in _rows(lines, other, quotes=True)}
        if other != separator and len(widths) == 1 and (columns := widths.pop()) > width:
            best, width = other, columns
    return best if len(lines) > 1 else None


def _shows_quotes(lines: Sequence[str], separator: str) -> bool:
    """Return whether quotes enclose fields, as pandas writes them: only around quotes, separators and line ends.

    A text that happens to stand in quotes is not enough.
    """
    if not any('"' in line for line in lines):
        return False
    quoted, plain = _rows(lines, separator, quotes=True), _rows(lines, separator, quotes=False)
    if not quoted or len({len(row) for row in quoted[:-1]} | {len(quoted[0])}) > 1 or len(quoted[0]) < 2:
        return False
    opened = [field for row in plain for field in row if field.startswith('"')]
    inside = [field for row in quoted for field in row if any(char in field for char in f'"{separator}\n')]
    doubled = [field for field in opened if field.endswith('"') and '""' in field[1:-1]]
    everywhere = bool(opened) and all(field.startswith('"') and field.endswith('"') for field in plain[0])
    return bool(inside and (doubled or len(quoted) < len(plain) or _widens(plain, quoted))) or everywhere


def _widens(plain: Sequence[Sequence[str]], quoted: Sequence[Sequence[str]]) -> bool:
    """Return whether rows have more fields where quotes do not count: a quoted field holds the separator."""
    return len({len(row) for row in plain}) > len({len(row) for row in quoted})


def _find_header(
    path: Path, ctx: LoadContext, rows: Sequence[Sequence[str]], *, guess: bool
) -> tuple[bool, tuple[str, ...]]:
    """Return whether the first row names the columns, and the names of columns where it does not.

    :param guess: the first row may show that it is a record; else it names the columns unless the user says otherwise.
    """
    if not rows:
        return ctx.settings.header is not False, ()
    first = [name.strip() for name in rows[0]]
    numbers = tuple(map(str, range(len(first))))
    by_number = bool(ctx.columns) and all(name in numbers and name not in first for name in ctx.columns.values())
    header = ctx.settings.header
    if header is None:
        header = _names_columns(first, ctx) if by_number else not (guess and _is_record(first, rows[1:], ctx))
        if not header:
            ctx.policy.assume(
                f"{path.name} has no header row, '{','.join(first)[:60]}' is its first record",
                "--set data.header=true says otherwise",
            )
    if header:
        return True, numbers if by_number else ()
    return False, numbers if ctx.columns else _guess_names(rows, numbers)


def _names_columns(first: Collection[str], ctx: LoadContext) -> bool:
    """Return whether a row holds a name that columns usually have, or that the user gave."""
    known = {*_USUAL_NAMES, *WORD_NAMES, *SENTENCE_NAMES, *ctx.columns.values(), ctx.layer, f"{ctx.layer}_tags"}
    return any(name in known or name.lower() in known for name in first)


def _is_record(first: Sequence[str], others: Sequence[Sequence[str]], ctx: LoadContext) -> bool:
    """Return whether the first row is a record: it names no column, and its label is that of other rows."""
    if _names_columns(first, ctx):
        return False
    columns = list(zip(*(row for row in others if len(row) == len(first)), strict=True))
    return any(name and name in column for name, column in zip(first, columns, strict=False))


def _guess_names(rows: Sequence[Sequence[str]], numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Return names for the columns of a text and its label: the one that repeats its values holds the label."""
    if len(numbers) == 1:
        return ("text",)
    if len(numbers) != 2:
        return numbers
    distinct = [len({row[index] for row in rows if len(row) == 2}) for index in range(2)]
    return ("label", "text") if distinct[0] < distinct[1] else ("text", "label")

"""Guess the format of a file whose ending says nothing, by its first lines. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_TAG = re.compile(r"(?:[BIESLUMW][-_]\S+|\S+[-_][BIESLUM]|O)")
_SPAN_TAG = re.compile(r"[BIESLUMW][-_]\S+|\S+[-_][BIESLUM]")
_CONLLU_FIELDS = 10
_DELIMITERS = "\t;|,"
#: names of columns by which a first line is recognised as the header of a table
_HEADERS = frozenset((
    "text", "sentence", "review", "content", "document", "tweet", "message", "comment", "title", "body", "question",
    "label", "labels", "class", "category", "sentiment", "target", "tag", "tags", "ner_tags", "tokens", "words", "word",
    "id", "idx", "index", "stars", "rating", "spans", "entities",
))  # fmt: skip
_WORD_HEADERS = frozenset(("word", "words", "token", "tokens", "form"))
_FEW_ROWS = 5  # too few to tell columns by their plain labels
#: what prose does not begin with: the first field of an object, or an object or list in a list
_BROKEN_JSON = re.compile(r'\s*(?:\{\s*"[^"]*"\s*:|\[\s*(?:\{\s*"|\[\s*["\d]))')
#: lines that are looked at
_LINES = 400


def guess_format(text: str, *, complete: bool, sure: bool = False) -> str | None:
    """Return the name of the format that the start of a file is written in; None if it may be anything.

    :param complete: the text is the whole file; its last line is whole, too.
    :param sure: only what other text is never taken for: JSON, fastText, CoNLL-U, and columns with tags of spans.

    >>> guess_format('{"text": "Ada"}', complete=True), guess_format("Ada ran.", complete=True)
    ('jsonl', None)
    """
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:_LINES]
    if not complete and len(lines) > 1 and len(lines) < _LINES:
        lines.pop()
    filled = [line for line in lines if line.strip()]
    if not filled:
        return None
    if filled[0].startswith("#FORMAT=WebAnno TSV 3"):
        return "webanno-tsv"
    if filled[0].startswith("# global.columns = "):
        return "conllu"
    if filled[0].lstrip()[0] in "[{":
        return _json_format(filled, whole=complete and text.count("\n") < _LINES)
    if all(line.lstrip().startswith("__label__") for line in filled):
        return "fasttext"
    columns = _column_format(filled)
    if columns or sure:
        return columns
    if _has_word_header(filled):
        return "conll"
    return _table_format(filled) or _plain_column_format(lines, filled)


def is_table_without_header(text: str) -> bool:
    """Return whether each line of a file has as many tabs, at least one, and a column that repeats its values.

    >>> is_table_without_header("good\\tI liked it\\nbad\\tI did not\\ngood\\tYes\\n")
    True
    """
    rows = [line.split("\t") for line in text.lstrip("\ufeff").splitlines()[:_LINES] if line.strip()]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return False
    return any(len(set(column)) < len(column) for column in zip(*rows, strict=True))


def _json_format(filled: Sequence[str], *, whole: bool) -> str | None:
    """Return ``jsonl`` for an object on each line, ``json`` for one document; None for text in brackets.

    :param whole: the lines are all of the file, so that a document ends with them.
    """
    try:
        first = json.loads(filled[0])
    except (ValueError, RecursionError):
        return "json" if _begins_document("\n".join(filled), whole=whole) else None
    if isinstance(first, dict):
        return "jsonl"
    return "json" if isinstance(first, list) and (not first or isinstance(first[0], dict | list)) else None


def _begins_document(text: str, *, whole: bool) -> bool:
    """Return whether text is a JSON document of several lines, the start of one, or too much like one to be prose."""
    try:
        json.loads(text)
    except RecursionError:
        return False
    except json.JSONDecodeError as error:
        cut = not whole and (error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"))
        return cut or _BROKEN_JSON.match(text) is not None
    return True


def _column_format(filled: Sequence[str]) -> str | None:
    """Return ``conllu`` or ``conll`` for a word per line with a column of span tags; None for other text."""
    words = _word_lines(filled)
    if words and all(line.count("\t") == _CONLLU_FIELDS - 1 and line[0].isdigit() for line in words):
        return "conllu"
    rows = _rows(words)
    columns = list(zip(*rows, strict=True))[1:] if rows else []
    tagged = (all(map(_TAG.fullmatch, column)) and any(map(_SPAN_TAG.fullmatch, column)) for column in columns)
    return "conll" if any(tagged) else None


def _has_word_header(filled: Sequence[str]) -> bool:
    """Return whether the first line names columns separated by tabs, one of single words."""
    names = [name.strip().lower() for name in filled[0].split("\t")]
    words = [index for index, name in enumerate(names) if name in _WORD_HEADERS]
    rows = [line.split("\t") for line in filled[1:]]
    if len(names) < 2 or not words or not rows or "text" in names:
        return False
    return all(len(row) == len(names) and not re.search(r"[\[\s]", row[words[0]].strip()) for row in rows)


def _plain_column_format(lines: Sequence[str], filled: Sequence[str]) -> str | None:
    """Return ``conll`` for a word per line with plain labels, where blank lines separate sentences; else None."""
    rows = _rows(_word_lines(filled))
    separated = any(not line.strip() for line in lines[:-1])
    few = rows and 2 * len({row[-1] for row in rows}) <= len(rows)
    return "conll" if separated and few and len(rows) > _FEW_ROWS else None


def _word_lines(filled: Sequence[str]) -> list[str]:
    return [line for line in filled if not line.startswith(("#", "-DOCSTART-"))]


def _rows(words: Sequence[str]) -> list[list[str]]:
    """Return the fields of lines that all have as many, at least two; else an empty list."""
    rows = [[cell.strip() for cell in line.split("\t")] if "\t" in line else line.split() for line in words]
    return rows if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1 else []


def _table_format(filled: Sequence[str]) -> str | None:
    """Return ``tsv`` or ``csv`` for a table with a header; None for other text."""
    for delimiter in _DELIMITERS:
        names = [name.strip().strip('"').lower() for name in filled[0].split(delimiter)]
        if len(names) > 1 and set(names) & _HEADERS and all(len(name) < 40 for name in names):
            return "tsv" if delimiter == "\t" else "csv"
    return None

"""Lists and objects that cells of tables write as text: in JSON, as Python prints them, or as numpy does."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from typing import Any

from labelkit.errors import DataError

_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_MAX_LITERAL = 1_000_000  # characters; Python's parser needs some hundred times as much memory


def parse_cell(value: str) -> Any:
    """Return the list or object that a cell writes as text, in JSON or as Python prints it; any other text as it is.

    Arrays that numpy prints have no commas: ``['EU' 'rejects']`` is a list of two.

    :raises DataError: numpy left out elements of a long array; names no file.

    >>> parse_cell("['EU', 'rejects']"), parse_cell('[1]'), parse_cell("[sic]")
    (['EU', 'rejects'], [1], '[sic]')
    """
    text = value.strip()
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return value
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _python_literal(text)
    return found if isinstance(found, list | dict) else value


def _python_literal(text: str) -> Any:
    """Return the value of a Python literal, tuples as lists; None for any other text."""
    if len(text) > _MAX_LITERAL:
        return None
    try:
        with_commas = _separate(text)
        found = ast.literal_eval(with_commas)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    return list(found) if isinstance(found, tuple) else found


def _separate(text: str) -> str:
    """Return the text with the commas that numpy leaves out; Python would join the strings without a word.

    :raises DataError: numpy left out elements.
    """
    values: list[str] = []
    after_value = False
    for token in tokenize.generate_tokens(io.StringIO(" ".join(text.split("\n"))).readline):
        if token.type in (tokenize.STRING, tokenize.NUMBER):
            values += ["," if after_value else "", token.string]
            after_value = True
            continue
        if token.string == "..." and after_value:
            raise DataError(
                "the list in this cell was shortened by numpy: it holds '...'",
                hint="write lists instead of arrays: table[column] = table[column].map(list), then to_csv",
            )
        if token.type == tokenize.OP:
            values.append(token.string)
            after_value = False
        elif token.type in (tokenize.NAME, tokenize.ERRORTOKEN) and token.string.strip():
            values.append(f" {token.string} ")
            after_value = False
    return "".join(values)

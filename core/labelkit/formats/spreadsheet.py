"""Cells of CSV that are opened in a spreadsheet, where text of strangers may be taken for a formula."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")
#: what begins a formula in Excel, LibreOffice and Google Sheets, also after characters that they drop
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: Value) -> Value | str:
    """Return text that a spreadsheet would take for a formula with ``'`` before it; any other value as it is.

    >>> safe_cell("=1+1"), safe_cell("1+1"), safe_cell(-1)
    ("'=1+1", '1+1', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

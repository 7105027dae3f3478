"""Columns of words that nobody asked for, as own fields of an example, and back into columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

from labelkit.records import Labelled

_NAME = re.compile(r"column(\d{1,4})")


def kept_columns(
    fields: Sequence[Sequence[str]], used: Collection[int | None], names: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Return the columns of a sentence that are not ``used``, by name, or else by number: ``column2``.

    >>> kept_columns([("Ada",), ("NNP",), ("B-PER",)], {0, 2})
    {'column1': ['NNP']}
    """
    return {
        names[number] if number < len(names) and names[number] else f"column{number}": list(values)
        for number, values in enumerate(fields)
        if number not in used
    }


def numbered_columns(extra: Mapping[str, Any], words: int) -> dict[int, list[str]]:
    """Return the own fields that are columns of as many words, by number."""
    return {
        int(match[1]): value
        for name, value in extra.items()
        if (match := _NAME.fullmatch(name)) and is_column(value, words)
    }


def is_column(value: Any, words: int) -> TypeGuard[list[str]]:
    """Return whether the value of a field is a text for each of ``words``."""
    return isinstance(value, list) and len(value) == words and all(isinstance(one, str) for one in value)


def rows_of(labelled: Labelled) -> list[tuple[str, ...]]:
    """Return the row of each word: the word, its label, and its kept columns in their places.

    The word has the first place that is free, and the label the last one.
    """
    words, labels = labelled.words or (), labelled.labels or ()
    kept = numbered_columns(labelled.extra, len(words))
    width = max(len(kept) + 2, max(kept, default=0) + 1)
    free = [number for number in range(width) if number not in kept]
    columns: list[Sequence[str]] = [kept.get(number, ["_"] * len(words)) for number in range(width)]
    columns[free[0]], columns[free[-1]] = words, labels
    return list(zip(*columns, strict=True))

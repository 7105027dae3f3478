"""Words and tags that a record holds as one string each: ``{"text": "Ada ran .", "tags": "B-PER O O"}``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from labelkit.formats.columns import Columns, Record
from labelkit.records import LoadContext

_BORDERS = re.compile(r"[\s,]+")
_TAG = re.compile(r"[BIESLUMWbieslumw][-_]\S+|\S+[-_][BIESLU]|[BIO]")


def with_word_lists(record: Record, columns: Columns, ctx: LoadContext) -> Record:
    """Return the record with lists of words and tags for strings of as many, and note what was assumed.

    A record whose strings do not fit stays as it is.
    """
    held = record.get(columns.roles.get("tokens", columns.roles.get("text", "")))
    words = held.split() if isinstance(held, str) else held
    found = {column: tags for column in columns.layers.values() if (tags := split_tags(record.get(column), ctx))}
    if not found or not isinstance(words, Sequence) or any(len(tags) != len(words) for tags in found.values()):
        return record
    ctx.policy.assume(
        f"labels in one string ('{next(iter(found))}') are separated by blanks or commas, and their words by blanks",
        "write lists to say otherwise",
    )
    if isinstance(held, str) and "tokens" in columns.roles:
        found[columns.roles["tokens"]] = held.split()
    return {**record, **found}


def split_tags(value: object, ctx: LoadContext) -> list[str] | None:
    """Return the labels of words that a string holds; None for any other value.

    Labels that are not tags of spans are taken for several only where plain labels are read.
    """
    if not isinstance(value, str):
        return None
    parts = [part for part in _BORDERS.split(value) if part]
    plain = ctx.settings.plain_labels is True and len(parts) > 1
    return parts if parts and (plain or all(map(_TAG.fullmatch, parts))) else None


def words_of_labels(text: str, record: Record, columns: Columns, ctx: LoadContext) -> tuple[str, ...] | None:
    """Return the words of a text between blanks, if each has a label in a list; None to split the text otherwise."""
    lists = [record[column] for column in columns.layers.values()]
    words = tuple(text.split())
    fits = all(isinstance(one, list | tuple) and len(one) == len(words) for one in lists)
    if not lists or not words or not fits:
        return None
    ctx.policy.assume(
        "words of a text with a list of labels are those between blanks",
        "a field 'tokens' with the words says otherwise",
    )
    return words

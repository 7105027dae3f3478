"""Text of records as UTF-8, which cannot hold half a surrogate pair; JSON input can contain one."""

from __future__ import annotations

from labelkit.errors import DataError
from labelkit.records import Labelled


def encode_text(text: str, labelled: Labelled, format_name: str) -> bytes:
    """Return ``text`` of a record in UTF-8.

    :param format_name: the format, for the message.
    :raises DataError: UTF-8 cannot hold the text.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"record '{labelled.id}' holds half a surrogate pair, which {format_name} cannot",
            hint="another format can hold it, e.g. --to jsonl",
        ) from error


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can hold ``text``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

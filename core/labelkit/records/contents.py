"""What is labelled of an example, as text to read and as a number of words."""

from __future__ import annotations

from labelkit.records.examples import Example

#: stands between the texts of a pair where both are shown as one
BETWEEN = " ‖ "


def shown_content(example: Example) -> str:
    """Return the text of an example, both texts of a pair, or the words joined by spaces, to be read by people."""
    if example.words is not None:
        return " ".join(example.words)
    return shown_texts(example.text, example.pair)


def shown_texts(text: str | None, pair: str | None) -> str:
    """Return a text, or both texts of a pair.

    >>> shown_texts("It rains.", "It is wet.")
    'It rains. ‖ It is wet.'
    """
    return text or "" if pair is None else f"{text or ''}{BETWEEN}{pair}"


def white_space_words(example: Example) -> list[str]:
    """Return the words of an example, or those that white space separates in its text, or in both texts of a pair."""
    if example.words is not None:
        return list(example.words)
    return f"{example.text or ''} {example.pair or ''}".split()


def count_words(example: Example) -> int:
    """Return the number of words of an example; texts are split at white space."""
    return len(example.words) if example.words is not None else len(white_space_words(example))

"""What the checks share: splits, places, and the labels of one layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from labelkit.records import Example

Splits = Mapping[str, Sequence[Example]]

#: white space, and what shows as nothing
INVISIBLE = re.compile("[\\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")


def labels_of(example: Example, layer: str) -> tuple[str, ...]:
    """Return the labels of an example, one per word or one for the text; none where they do not fit."""
    labels = example.labels.get(layer)
    if labels is None or fault_of(example, layer):
        return ()
    return (labels,) if isinstance(labels, str) else labels


def fault_of(example: Example, layer: str) -> str | None:
    """Return what is wrong with the number of an example's labels."""
    labels = example.labels.get(layer)
    if labels is None:
        return f"no labels of '{layer}'"
    if example.words is None or isinstance(labels, str):
        return None
    if len(labels) != len(example.words):
        return f"{_count(len(example.words), 'word')}, {_count(len(labels), 'label')}"
    return None


def labelled(examples: Sequence[Example], layer: str) -> Iterator[tuple[Example, tuple[str, ...]]]:
    """Yield the examples whose labels fit their words, with these labels."""
    for example in examples:
        if labels := labels_of(example, layer):
            yield example, labels


def words_of(example: Example) -> Sequence[str]:
    """Return the words of an example; those of a text are what white space separates."""
    return (example.text or "").split() if example.words is None else example.words


def content_of(example: Example) -> str:
    """Return the text of an example, or its words with a space between them."""
    return (example.text or "") if example.words is None else " ".join(example.words)


def word_at(example: Example, index: int) -> int | None:
    """Return the position of a label's word; None where the label is that of a whole text."""
    return None if example.words is None else index


def spelled(text: str) -> str:
    """Return a text in which nothing is hidden: characters that cannot be seen, but for spaces, by their code points.

    >>> spelled("New York\\u200b")
    'New York[U+200B]'
    """
    hidden = (mark for mark in set(text) if mark != " " and (INVISIBLE.match(mark) or not mark.isprintable()))
    return text.translate({ord(mark): f"[U+{ord(mark):04X}]" for mark in hidden})


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

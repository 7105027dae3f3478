"""What the checks share: the type of splits, and the labels, words and text of an example."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from labelkit.records import Example
from labelkit.records.contents import shown_content

Splits = Mapping[str, Sequence[Example]]

#: white space and zero-width characters
INVISIBLE = re.compile("[\\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")


def label_count_fault(example: Example, layer: str, *, multilabel: bool = False) -> str | None:
    """Return how the labels of a layer do not match the words; None where each word, or the text, has one label.

    :param multilabel: a text may have several labels.
    """
    labels = example.labels.get(layer)
    if labels is None:
        return f"no labels of '{layer}'"
    if isinstance(labels, str) or (example.words is not None and len(labels) == len(example.words)):
        return None
    found = f"{len(labels)} label{'' if len(labels) == 1 else 's'}"
    if example.words is None:
        return None if multilabel else f"one text, {found}"
    return f"{len(example.words)} word{'' if len(example.words) == 1 else 's'}, {found}"


def labelled(examples: Sequence[Example], layer: str) -> Iterator[tuple[Example, tuple[str, ...]]]:
    """Yield the examples whose labels match their words, each with its labels: one per word, or one for the text."""
    for example in examples:
        labels = example.labels.get(layer, ())
        values = (labels,) if isinstance(labels, str) else labels
        if values and not label_count_fault(example, layer, multilabel=True):
            yield example, values


def words_of(example: Example) -> Sequence[str]:
    """Return the words of an example, or its text split at white space; of a pair both texts, with a mark between."""
    return example.words if example.words is not None else shown_content(example).split()


def noun_of(examples: Sequence[Example]) -> str:
    """Return ``texts`` for examples that are whole texts, and ``words`` for examples with words."""
    return "texts" if any(example.words is None for example in examples[:1]) else "words"


def show_invisible(text: str) -> str:
    """Return ``text`` with the code points of invisible characters in place of them; spaces stay.

    >>> show_invisible("New York\\u200b")
    'New York[U+200B]'
    """
    invisible = (mark for mark in set(text) if mark != " " and (INVISIBLE.match(mark) or not mark.isprintable()))
    return text.translate({ord(mark): f"[U+{ord(mark):04X}]" for mark in invisible})

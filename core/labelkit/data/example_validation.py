"""Validate the examples that sources, formats and tasks give: each function returns what is wrong, or an empty text."""

from __future__ import annotations

from collections.abc import Mapping

from labelkit.records import Example


def layer_fault(example: Example, layer: str, kind: str, *, multilabel: bool = False) -> str:
    """Return what is wrong with one layer of a well-formed example, or an empty text.

    :param multilabel: a text may have several labels, as a tuple.
    """
    labels = example.labels.get(layer)
    if labels is None:
        return f"example {example.id} has no layer '{layer}'; put its labels there, labels={{'{layer}': …}}"
    if kind == "text":
        several = multilabel and isinstance(labels, tuple) and all(isinstance(label, str) for label in labels)
        wrong = not several and not isinstance(labels, str)
        what = "a tuple of str" if multilabel else "one str"
        return f"example {example.id}: labels of '{layer}' must be {what}, not {labels!r:.60}" if wrong else ""
    words = len(example.words or ())
    if not isinstance(labels, tuple):
        return f"example {example.id}: labels of '{layer}' are {labels!r:.60}; give a tuple of str, one label per word"
    if len(labels) != words:
        return f"example {example.id}: {words} words have {len(labels)} labels of '{layer}'; give one label per word"
    odd = [label for label in labels if not isinstance(label, str)]
    return f"example {example.id}: label {odd[0]!r:.60} of '{layer}' is not a str; give its name" if odd else ""


def example_fault(example: object, kind: str) -> str:
    """Return why ``example`` is not a well-formed example of ``kind``, or an empty text."""
    if not isinstance(example, Example):
        return f"{example!r:.60} is a {type(example).__name__}; yield labelkit.Example records"
    if not isinstance(example.id, str):
        return f"id {example.id!r:.60} of an example is not a str; write id='…'"
    if not isinstance(example.labels, Mapping) or not isinstance(example.extra, Mapping):
        return f"example {example.id}: labels= and extra= must be dicts"
    if kind == "text":
        return "" if isinstance(example.text, str) else f"example {example.id} has no text; kind 'text' needs text='…'"
    words: object = example.words
    if words and not isinstance(words, tuple):
        return f"example {example.id}: words= is a {type(words).__name__}; give a tuple of str"
    if not isinstance(words, tuple) or not words:
        return f"example {example.id} has no words; kind 'token' needs words=(…), a tuple of str"
    odd = [word for word in words if not isinstance(word, str)]
    return (
        f"example {example.id}: word {odd[0]!r:.60} is not a str; write it as text" if odd else offsets_fault(example)
    )


def offsets_fault(example: Example) -> str:
    """Return which offsets do not fit words and text, or an empty text; words may overlap, as those of contractions."""
    if example.offsets is None:
        return ""
    text, end = example.text, 0
    pairs = [pair for pair in example.offsets if isinstance(pair, tuple | list) and len(pair) == 2]
    if not isinstance(text, str) or len(pairs) != len(example.words or ()):
        return f"example {example.id}: offsets= need the text= that they refer to, and one pair for each word"
    for word, (start, stop) in zip(example.words or (), pairs, strict=True):
        if not 0 <= start <= stop <= len(text) or stop < end:
            return f"example {example.id}: word {word!r:.60} cannot stand at text[{start}:{stop}]; correct offsets="
        end = stop
    return ""

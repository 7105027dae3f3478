"""What to do about a table or a record whose columns have other names than those that are tried."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from labelkit.records import Kind

HINT = "say which is which: --columns text=…,label=… or tokens=…,LAYER=…"
#: names that corpora give the two texts of a pair
_PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question", "answer"), ("query", "document"),
    ("question1", "question2"), ("query", "passage"), ("question", "sentence"), ("text1", "text2"),
)  # fmt: skip
_TEXTS = (
    "text", "texts", "sentence", "sentences", "review", "content", "comment", "comment_text", "tweet", "message",
    "utterance", "body", "document", "question", "query", "description", "headline", "title", "data", "input",
)  # fmt: skip
_CLASSES = (
    "label", "labels", "class", "category", "sentiment", "target", "rating", "stars", "intent", "topic", "polarity",
    "score", "tag",
)  # fmt: skip
_TAGS = ("ner_tags", "ner", "tags", "labels", "entities", "spans", "annotations", "label")
_NAME = re.compile(r"(?![BIESLU]-\S|O$)[^\W\d][\w.#-]*(?: [\w.#-]+)?")
_LONGEST_NAME = 40


def column_hint(names: Sequence[str], layer: str, kind: Kind) -> str:
    """Return the hint for columns of which none holds a text or words: the ones that probably do, or how to say it.

    >>> column_hint(["id", "Review", "stars"], "label", "text")
    'perhaps --columns text=Review,label=stars'
    """
    text = _first(names, _TEXTS)
    labels = _first([name for name in names if name != text], _CLASSES if kind == "text" else _TAGS)
    if text is None:
        return HINT if layer in ("label", "labels") else HINT.replace("LAYER", layer).replace("label=", f"{layer}=")
    several = f"; a column of 0 and 1 for each label is {layer}=A+B" if kind == "text" else ""
    return f"perhaps --columns text={text}," + (f"{layer}={labels}" if labels else f"{layer}=…{several}")


def text_hint(names: Sequence[str]) -> str:
    """Return the hint for columns of which none holds a text to be labelled."""
    text = _first(names, _TEXTS)
    return f"perhaps --columns text={text}" if text else "say which: --columns text=NAME"


def pair_hint(names: Sequence[str]) -> str:
    """Return how to name the columns of a pair of texts that have names of corpora; empty without such columns."""
    found = next((pair for pair in _PAIRS if set(pair) <= set(names)), None)
    return f"for pairs of texts: --columns text={found[0]},pair={found[1]},label=…" if found else ""


def are_names(fields: Collection[str]) -> bool:
    """Return whether the first row of a table looks like names of columns: at most two words each, no numbers or tags.

    >>> are_names(["text", "star rating"]), are_names(["Ada lived in Rome", "1"])
    (True, False)
    """
    return all(_NAME.fullmatch(field.strip()) and len(field) <= _LONGEST_NAME for field in fields if field.strip())


def _first(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the first of the usual names that occurs, in whatever case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in usual if name in by_lower), None)

"""Spans in brackets, one part per word, as in CoNLL-2012: ``(ORG*``, ``*``, ``*)``, ``(LOC)``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labelkit.errors import DataError
from labelkit.labels.schemes import SpanTuple

_PART = re.compile(r"(?P<opened>(?:\([^()*\s]+)*)\*?(?P<closed>\)*)")


def are_brackets(labels: Iterable[str]) -> bool:
    """Return whether labels are parts of spans in brackets, not all of them outside.

    >>> are_brackets(["(ORG*", "*)", "*"]), are_brackets(["-", "(12", "12)"])
    (True, False)
    """
    unique = set(labels)
    parts = all(label and _PART.fullmatch(label) and ("*" in label or label[0] == "(") for label in unique)
    return parts and "*" in "".join(unique) and any("(" in label for label in unique)


def bracket_spans(labels: Sequence[str]) -> list[SpanTuple]:
    """Return the spans of a sentence in order, nested ones after those that hold them.

    >>> bracket_spans(["(ORG*", "*)", "(LOC)"])
    [(0, 2, 'ORG'), (2, 3, 'LOC')]

    :raises DataError: a label is no part of spans in brackets, or a bracket has no counterpart; names no file.
    """
    spans: list[SpanTuple] = []
    opened: list[tuple[int, str]] = []
    for index, label in enumerate(labels):
        match = _PART.fullmatch(label)
        if match is None or not label:
            raise DataError(f"'{label}' is no part of spans in brackets such as (ORG*", hint="correct it")
        opened += [(index, type_) for type_ in match["opened"].split("(")[1:]]
        for _ in match["closed"]:
            if not opened:
                raise DataError(f"'{label}' closes a bracket that was not opened", hint="correct it")
            start, type_ = opened.pop()
            spans.append((start, index + 1, type_))
    if opened:
        raise DataError(f"the bracket of '({opened[-1][1]}' is not closed", hint="correct it")
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def outer_spans(spans: Iterable[SpanTuple]) -> list[SpanTuple]:
    """Return the spans that lie in no other one; of two with the same words the first one."""
    found: list[SpanTuple] = []
    for span in spans:
        if not found or span[0] >= found[-1][1]:
            found.append(span)
    return found

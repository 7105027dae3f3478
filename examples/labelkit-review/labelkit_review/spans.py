"""Tags of words as spans, whichever of the common schemes they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: prefixes of IOB1, IOB2, BIOES and BILOU by what they say of a word
BEGIN, END = frozenset("BSU"), frozenset("ESLU")
PREFIXES = BEGIN | END | {"I"}


class Span(NamedTuple):
    """The words from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int
    type: str


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence in their order; tags that fit no scheme are read as far as they make sense.

    >>> spans_of(("B-person", "I-person", "O", "I-place"))
    [Span(start=0, stop=2, type='person'), Span(start=3, stop=4, type='place')]
    """
    found: list[Span] = []
    goes_on = False
    for index, tag in enumerate(tags):
        prefix, _, type_ = tag.partition("-")
        if tag == "O" or prefix not in PREFIXES:
            goes_on = False
            continue
        if goes_on and prefix not in BEGIN and found[-1].type == type_:
            found[-1] = found[-1]._replace(stop=index + 1)
        else:
            found.append(Span(index, index + 1, type_))
        goes_on = prefix not in END
    return found

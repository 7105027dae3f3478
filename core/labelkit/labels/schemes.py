"""The tagging schemes IOB1, IOB2, BIOES and BILOU: pure functions over one tag per word.

A tag is ``O`` or a prefix, a hyphen and a type (which may hold hyphens itself): ``B-creative-work``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

from labelkit.errors import DataError
from labelkit.labels.unknown import UNKNOWN, keep_unknown
from labelkit.records import Scheme
from labelkit.records.examples import SCHEME_PREFIXES

SpanTuple = tuple[int, int, str]
"""``(start, end, type)`` in words, ``end`` exclusive."""

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
#: the scheme that comes first wins if several have equally few violations: the more common one.
PREFERENCE: tuple[Scheme, ...] = ("IOB2", "BIOES", "IOB1", "BILOU")


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """How well each scheme fits some tag sequences.

    :param scheme: the scheme with the fewest violations.
    :param violations: scheme → number of tags that violate it.
    :param first: scheme → the first violation as ``(sequence, word)``; schemes without violations are absent.
    """

    scheme: Scheme
    violations: Mapping[Scheme, int]
    first: Mapping[Scheme, tuple[int, int]]


@lru_cache(maxsize=1 << 16)
def split_tag(tag: str) -> tuple[str, str]:
    """Return prefix and type of a tag; ``("O", "")`` for ``O``, and for a tag that is unknown.

    >>> split_tag("B-creative-work")
    ('B', 'creative-work')

    :raises DataError: the tag is invalid, or has no type.
    """
    if tag in ("O", UNKNOWN):
        return "O", ""
    prefix, _, type_ = tag.partition("-")
    if prefix not in ("B", "I", "E", "S", "L", "U"):
        raise DataError(f"'{tag}' is not a tag such as O or B-PER", hint="choose the column of the tags with --columns")
    if not type_:
        raise DataError(f"tag '{tag}' names no type", hint=f"write {prefix}-TYPE, e.g. {prefix}-PER")
    return prefix, type_


def spans_of(tags: Sequence[str], scheme: Scheme) -> list[SpanTuple]:
    """Return the spans that ``tags`` stand for, as the CoNLL scorer reads them.

    Invalid transitions are accepted: an ``I-X`` that does not continue an X starts one.

    >>> spans_of(("B-PER", "I-PER", "O", "B-LOC"), "IOB2")
    [(0, 2, 'PER'), (3, 4, 'LOC')]

    :raises DataError: a tag is invalid, or its prefix does not belong to the scheme.
    """
    for tag in tags:
        prefix, _ = split_tag(tag)
        if prefix != "O" and prefix not in SCHEME_PREFIXES[scheme]:
            raise DataError(f"'{tag}' is not a tag of {scheme}", hint="name the scheme with --set data.scheme=…")
    return lenient_spans(tags)


def tags_of(spans: Iterable[SpanTuple], length: int, scheme: Scheme) -> tuple[str, ...]:
    """Return one tag per word for ``spans`` that are in order and do not overlap.

    >>> tags_of([(0, 2, "PER"), (3, 4, "LOC")], 4, "BIOES")
    ('B-PER', 'E-PER', 'O', 'S-LOC')

    :raises DataError: a span is empty, overlaps the one before, reaches past ``length`` or has no type.
    """
    tags = ["O"] * length
    end_before, type_before = 0, ""
    for start, end, type_ in spans:
        if not end_before <= start < end <= length or not type_:
            raise DataError(f"span ({start}, {end}, '{type_}') cannot be written as tags of {length} words")
        touches = start == end_before and type_ == type_before
        prefixes = _prefixes(end - start, scheme, touches=touches)
        tags[start:end] = [f"{prefix}-{type_}" for prefix in prefixes]
        end_before, type_before = end, type_
    return tuple(tags)


def violations(tags: Sequence[str], scheme: Scheme) -> list[int]:
    """Return the indices of the tags that violate ``scheme``, strictly read.

    IOB1 allows ``B-X`` only directly after an entity of type X. In BIOES and BILOU the last tag of an unterminated
    entity is a violation. A tag that cannot be parsed violates every scheme.
    """
    return [index for index, triple in enumerate(_triples(tags)) if scheme in _violated(*triple)]


def may_follow(before: str | None, tag: str | None, scheme: Scheme) -> bool:
    """Return whether ``tag`` may follow ``before`` in ``scheme``; None is the start or end of a sentence.

    >>> may_follow("B-PER", "I-PER", "IOB2"), may_follow(None, "I-PER", "IOB2")
    (True, False)

    :raises DataError: a tag is invalid.
    """
    prefix_before, type_before = split_tag(before or "O")
    prefix, type_ = split_tag(tag or "O")
    inside = prefix_before in ("B", "I") and type_before == type_
    if scheme in ("IOB1", "IOB2"):
        return inside or prefix != ("B" if scheme == "IOB1" else "I")
    if prefix in ("I", SCHEME_PREFIXES[scheme][2]):
        return inside
    return prefix_before not in ("B", "I")


def detect(sequences: Iterable[Sequence[str]]) -> Detection:
    """Detect the scheme of tag sequences in one pass; IOB2 if there is no entity."""
    counts = dict.fromkeys(PREFERENCE, 0)
    first: dict[Scheme, tuple[int, int]] = {}
    for number, tags in enumerate(sequences):
        for index, triple in enumerate(_triples(tags)):
            for scheme in _violated(*triple):
                counts[scheme] += 1
                first.setdefault(scheme, (number, index))
    return Detection(scheme=min(counts, key=counts.__getitem__), violations=counts, first=first)


def convert(tags: Sequence[str], source: Scheme, target: Scheme) -> tuple[str, ...]:
    """Return ``tags`` converted from the scheme ``source`` to ``target``; the spans stay the same.

    :raises DataError: a tag violates ``source``.
    """
    if wrong := violations(tags, source):
        raise violation_error(tags, wrong[0], source)
    return tuple(tags) if source == target else keep_unknown(tags, tags_of(lenient_spans(tags), len(tags), target))


def repair(tags: Sequence[str], scheme: Scheme) -> tuple[tuple[str, ...], int]:
    """Return ``tags`` rewritten to fit ``scheme``, as the CoNLL scorer reads them, and how many were changed.

    >>> repair(("O", "I-PER", "I-PER"), "IOB2")
    (('O', 'B-PER', 'I-PER'), 1)

    :raises DataError: a tag is invalid.
    """
    fixed = keep_unknown(tags, tags_of(lenient_spans(tags), len(tags), scheme))
    return fixed, sum(old != new for old, new in zip(tags, fixed, strict=True))


def violation_error(tags: Sequence[str], index: int, scheme: Scheme) -> DataError:
    """Return the error for the tag at ``index``, which violates ``scheme``; it names no file."""
    hint = "correct the tag, or let --set data.repair=true read it as the CoNLL scorer does"
    try:
        prefix, _ = split_tag(tags[index])
    except DataError as error:
        return error
    if prefix not in SCHEME_PREFIXES[scheme]:
        return DataError(f"tag '{tags[index]}' does not fit {scheme}, which has no '{prefix}-'", hint=hint)
    before = f"after '{tags[index - 1]}'" if index else "at the start of a sentence"
    after = f"before '{tags[index + 1]}'" if index + 1 < len(tags) else "at the end of it"
    return DataError(f"tag '{tags[index]}' does not fit {scheme} {before}, {after}", hint=hint)


def lenient_spans(tags: Sequence[str]) -> list[SpanTuple]:
    """Return the spans of tags of any scheme; the prefixes of the four never contradict each other."""
    spans: list[SpanTuple] = []
    start, current = 0, ""
    for index, tag in enumerate(tags):
        prefix, type_ = split_tag(tag)
        if not (current and type_ == current and prefix in "IEL"):
            if current:
                spans.append((start, index, current))
            start, current = index, type_
        if prefix in "ESLU":
            spans.append((start, index + 1, type_))
            current = ""
    if current:
        spans.append((start, len(tags), current))
    return spans


def _prefixes(length: int, scheme: Scheme, *, touches: bool) -> str:
    """Return the prefixes of one span.

    :param touches: a span of the same type ends where this one starts.
    """
    if scheme == "IOB1":
        return ("B" if touches else "I") + "I" * (length - 1)
    if scheme == "IOB2":
        return "B" + "I" * (length - 1)
    last, single = SCHEME_PREFIXES[scheme][2], SCHEME_PREFIXES[scheme][3]
    return single if length == 1 else "B" + "I" * (length - 2) + last


def _triples(tags: Sequence[str]) -> Iterator[tuple[str | None, str, str | None]]:
    """Yield each tag between its neighbours, which decide in all four schemes whether it is valid."""
    return zip((None, *tags), tags, (*tags[1:], None), strict=False)


@lru_cache(maxsize=1 << 16)
def _violated(before: str | None, tag: str, after: str | None) -> tuple[Scheme, ...]:
    return tuple(scheme for scheme in SCHEMES if not _fits(before, tag, after, scheme))


def _fits(before: str | None, tag: str, after: str | None, scheme: Scheme) -> bool:
    prefix, type_ = _parts(tag)
    if prefix == "O":
        return True
    if prefix not in SCHEME_PREFIXES[scheme]:
        return False
    inside = _parts(before) in (("B", type_), ("I", type_))
    if scheme == "IOB1":
        return prefix == "I" or inside
    if scheme == "IOB2":
        return prefix == "B" or inside
    last = SCHEME_PREFIXES[scheme][2]
    continued = _parts(after) in (("I", type_), (last, type_))
    return (inside or prefix not in ("I", last)) and (continued or prefix not in "BI")


def _parts(tag: str | None) -> tuple[str, str]:
    """Return prefix and type like :func:`split_tag`; an invalid tag gets a prefix of no scheme."""
    if tag is None:
        return "O", ""
    try:
        return split_tag(tag)
    except DataError:
        return "?", tag

"""Checks of labels one by one: their number, and the tags of tagging schemes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from labelkit.checks.common import Splits, fault_of, labelled
from labelkit.checks.findings import Cases, Finding
from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.labels import schemes
from labelkit.records import Example, Scheme

#: a layer holds tags where at least this share of its labels other than O reads as such
_TAGS = 0.5


def labels(splits: Splits, layer: str, limit: int) -> Iterator[Finding]:
    """Yield examples without labels, or with more or fewer labels than words."""
    for split, examples in splits.items():
        cases = Cases(limit)
        for example in examples:
            if fault := fault_of(example, layer):
                cases.add(place_of(example), fault)
        if cases.count:
            yield Finding(
                check="labels",
                severity="error",
                split=split,
                layer=layer,
                count=cases.count,
                total=len(examples),
                examples=cases.kept,
                message="examples have no labels, or not one for each word",
                advice="give each word one label, O where there is nothing to mark; --columns says where labels are",
            )


def scheme_of(splits: Splits, layer: str, asked: Scheme | None) -> Scheme | None:
    """Return the tagging scheme of a layer: the one asked for, or the one that fits best; None for plain labels."""
    marked = tags = 0
    for examples in splits.values():
        for example, found in labelled(examples, layer):
            if example.words is None:
                return None
            marked += len(found) - found.count("O")
            tags += sum(is_tag(label) for label in found if label != "O")
    if not marked or tags < _TAGS * marked:
        return None
    return asked or schemes.detect(_sequences(splits, layer)).scheme


def scheme(splits: Splits, layer: str, expected: Scheme, limit: int) -> Iterator[Finding]:
    """Yield tags that cannot be read, and splits that follow another scheme than the data as a whole."""
    for split, examples in splits.items():
        cases = Cases(limit)
        for example, found in labelled(examples, layer):
            for word in (index for index, label in enumerate(found) if not is_tag(label)):
                cases.add(place_of(example, word), found[word])
        if cases.count:
            yield _finding(
                "scheme",
                split,
                layer,
                cases,
                f"labels are no tags such as O or B-PER, as the others of '{layer}' are",
                "correct them; --columns says which column holds the tags",
            )
        other = schemes.detect(_sequences({split: examples}, layer))
        if other.scheme != expected and other.violations[expected]:
            cases = _misfits(examples, layer, expected, limit)
            yield _finding(
                "scheme",
                split,
                layer,
                cases,
                f"tags do not fit {expected}, the scheme of the data: those of {split} look like {other.scheme}",
                "write all splits in one scheme: labelkit data convert IN OUT --to conll --drop scheme writes IOB2",
            )


def transitions(splits: Splits, layer: str, expected: Scheme, limit: int) -> Iterator[Finding]:
    """Yield tags that the scheme does not allow where they stand; splits in another scheme have been told of."""
    for split, examples in splits.items():
        own = schemes.detect(_sequences({split: examples}, layer))
        if own.scheme != expected and own.violations[expected]:
            continue
        cases = _misfits(examples, layer, expected, limit)
        if cases.count:
            yield _finding(
                "transitions",
                split,
                layer,
                cases,
                f"tags do not fit {expected} where they stand",
                "correct them, or let --set data.repair=true read them as the CoNLL scorer does",
            )


@lru_cache(maxsize=1 << 16)
def is_tag(label: str) -> bool:
    """Return whether a label reads as a tag."""
    try:
        schemes.split_tag(label)
    except DataError:
        return False
    return True


@lru_cache(maxsize=1 << 16)
def _fits(tag: str, expected: Scheme) -> bool:
    try:
        schemes.spans_of((tag,), expected)
    except DataError:
        return False
    return True


def spans_of(tags: Sequence[str], expected: Scheme) -> list[schemes.SpanTuple]:
    """Return the spans of tags; those that cannot be read, or are not of the scheme, mark nothing."""
    return schemes.spans_of([tag if _fits(tag, expected) else "O" for tag in tags], expected)


def _sequences(splits: Splits, layer: str) -> Iterator[tuple[str, ...]]:
    """Yield the tags of each example; those that cannot be read are told of as such, and count as O here."""
    for examples in splits.values():
        for _, found in labelled(examples, layer):
            yield _readable(found)


def _readable(labels_: tuple[str, ...]) -> tuple[str, ...]:
    if all(map(is_tag, labels_)):
        return labels_
    return tuple([label if is_tag(label) else "O" for label in labels_])


def _misfits(examples: Sequence[Example], layer: str, expected: Scheme, limit: int) -> Cases:
    cases = Cases(limit)
    for example, found in labelled(examples, layer):
        tags = _readable(found)
        for word in schemes.violations(tags, expected):
            cases.add(place_of(example, word), schemes.misfit(tags, word, expected).message if cases.wanted else "")
    return cases


def _finding(check: str, split: str, layer: str, cases: Cases, message: str, advice: str) -> Finding:
    return Finding(
        check=check,
        severity="error",
        split=split,
        layer=layer,
        count=cases.count,
        examples=cases.kept,
        message=message,
        advice=advice,
    )

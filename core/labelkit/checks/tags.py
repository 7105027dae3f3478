"""Checks of labels one by one: their number, and whether tags follow the tagging scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from labelkit.checks.common import Splits, label_count_fault, labelled
from labelkit.checks.findings import CaseCollector, Finding
from labelkit.data.scheme_conversion import is_tag, place_of
from labelkit.errors import DataError
from labelkit.labels import schemes
from labelkit.records import Example, Scheme

#: the labels of a layer are tags where at least this share of its labels other than O are valid tags
_TAG_SHARE = 0.5


def labels(splits: Splits, layer: str, limit: int, *, multilabel: bool = False) -> Iterator[Finding]:
    """Yield examples without labels, with more or fewer labels than words, or with several labels of a text.

    :param multilabel: a text may have several labels.
    """
    message = "examples have no labels, or not one for each word"
    advice = "give each word one label, O outside of spans; --columns says which column holds the labels"
    for split, examples in splits.items():
        cases = CaseCollector(limit)
        for example in examples:
            if fault := label_count_fault(example, layer, multilabel=multilabel):
                cases.add(place_of(example), fault)
        yield from cases.findings("labels", "error", split, message, advice, total=len(examples), layer=layer)


def detect_scheme(splits: Splits, layer: str, chosen: Scheme | None) -> Scheme | None:
    """Return the tagging scheme of a layer: ``chosen``, or else the best fitting one; None for plain labels."""
    marked = tags = 0
    for examples in splits.values():
        for example, values in labelled(examples, layer):
            if example.words is None:
                return None
            marked += len(values) - values.count("O")
            tags += sum(is_tag(label) for label in values if label != "O")
    if not marked or tags < _TAG_SHARE * marked:
        return None
    return chosen or schemes.detect(tags for split in splits.values() for _, tags in _valid_tags(split, layer)).scheme


def invalid_tags(splits: Splits, layer: str, limit: int) -> Iterator[Finding]:
    """Yield labels that are invalid as tags."""
    message = f"labels are invalid as tags, unlike the others of '{layer}' (valid: O, B-PER)"
    advice = "correct them; --columns says which column holds the tags"
    for split, examples in splits.items():
        cases = CaseCollector(limit)
        for example, values in labelled(examples, layer):
            for word, label in enumerate(values):
                if not is_tag(label):
                    cases.add(place_of(example, word), label)
        yield from cases.findings("scheme", "error", split, message, advice, layer=layer)


def violations(splits: Splits, layer: str, expected: Scheme, limit: int) -> Iterator[Finding]:
    """Yield splits in another scheme than the data as a whole, and tags of the others that their scheme forbids."""
    for split, examples in splits.items():
        detected = schemes.detect(tags for _, tags in _valid_tags(examples, layer))
        cases = CaseCollector(limit)
        for example, tags in _valid_tags(examples, layer):
            for word in schemes.violations(tags, expected):
                reason = schemes.violation_error(tags, word, expected).message if cases.has_room else ""
                cases.add(place_of(example, word), reason)
        if detected.scheme != expected and detected.violations[expected]:
            message = f"tags do not fit {expected}, the scheme of the data: {split} looks like {detected.scheme}"
            advice = "write all splits in one scheme: labelkit data convert IN OUT --to conll --drop scheme writes IOB2"
            yield from cases.findings("scheme", "error", split, message, advice, layer=layer)
        else:
            message = f"tags do not fit {expected} where they stand"
            advice = "correct them, or let --set data.repair=true read them as the CoNLL scorer does"
            yield from cases.findings("transitions", "error", split, message, advice, layer=layer)


def valid_spans(tags: Sequence[str], scheme: Scheme) -> list[schemes.SpanTuple]:
    """Return the spans of tags; invalid tags, and those of other schemes, count as O."""
    return schemes.spans_of([tag if _is_tag_of(tag, scheme) else "O" for tag in tags], scheme)


@lru_cache(maxsize=1 << 16)
def _is_tag_of(tag: str, scheme: Scheme) -> bool:
    try:
        schemes.spans_of((tag,), scheme)
    except DataError:
        return False
    return True


def _valid_tags(examples: Sequence[Example], layer: str) -> Iterator[tuple[Example, tuple[str, ...]]]:
    """Yield examples with their tags; invalid tags, which have findings of their own, count as O."""
    for example, values in labelled(examples, layer):
        valid = all(map(is_tag, values))
        yield example, values if valid else tuple([label if is_tag(label) else "O" for label in values])

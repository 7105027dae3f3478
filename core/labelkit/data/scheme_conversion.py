"""Convert the tags of examples to one tagging scheme; errors name the place of the first invalid tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path

from labelkit.data.views import map_examples
from labelkit.errors import DataError
from labelkit.labels import schemes
from labelkit.labels.tag_styles import invalid_tag_hint
from labelkit.records import Example, Labels, Scheme

#: where people keep the names of numbered labels
_NAME_FILES = ("label2id.json", "id2label.json", "label.json", "labels.json", "label_names.json", "labels.txt")


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemeConversion:
    """Splits that were converted to one scheme.

    :param source: the scheme that they were in; None for plain labels.
    :param repaired: the number of tags that were changed because they did not fit it.
    """

    splits: Mapping[str, Sequence[Example]]
    source: Scheme | None
    repaired: int = 0


def convert_scheme(
    splits: Mapping[str, Sequence[Example]],
    layer: str,
    target: Scheme,
    *,
    source: Scheme | None = None,
    repair: bool = False,
) -> SchemeConversion:
    """Return all splits with the tags of ``layer`` in the scheme ``target``.

    :param source: the scheme they are in; None to detect it from all splits together.
    :param repair: change tags that do not fit as the CoNLL scorer reads them, and count them, instead of raising.
    :raises DataError: a tag does not fit ``source``; names file and line.
    """
    detection = schemes.detect(labels_of(example, layer) for example in chain.from_iterable(splits.values()))
    source = source or detection.scheme
    fits = source not in detection.first
    if fits and source == target:
        return SchemeConversion(splits=splits, source=source)
    if not fits and not repair:
        number, word = detection.first[source]
        example = next(islice(chain.from_iterable(splits.values()), number, None))
        error = schemes.violation_error(labels_of(example, layer), word, source)
        if not is_tag(labels_of(example, layer)[word]):
            error.hint = _invalid_tag_hint(splits, layer, example, word)
        elif source != detection.scheme:
            error.hint = f"the tags look like {detection.scheme}: --set data.scheme={detection.scheme}"
        raise DataError(f"{place_of(example, word)}: {error.message}", hint=error.hint)
    repaired = 0
    if not fits:
        repaired = sum(count_repairs(example, layer, source) for example in chain.from_iterable(splits.values()))
    convert = partial(_convert_example, layer=layer, source=source, target=target, repair=repair)
    converted = {name: map_examples(examples, convert) for name, examples in splits.items()}
    return SchemeConversion(splits=converted, source=source, repaired=repaired)


def count_repairs(example: Example, layer: str, scheme: Scheme) -> int:
    """Return how many tags of an example do not fit ``scheme``.

    :raises DataError: a label is invalid as a tag; names file and line.
    """
    tags = labels_of(example, layer)
    try:
        return schemes.repair(tags, scheme)[1]
    except DataError as error:
        word = next(index for index, tag in enumerate(tags) if not is_tag(tag))
        raise DataError(f"{place_of(example, word)}: {error.message}", hint=error.hint) from error


def labels_of(example: Example, layer: str) -> tuple[str, ...]:
    """Return the labels of an example: one per word, or the one of its text."""
    labels = example.labels[layer]
    return (labels,) if isinstance(labels, str) else labels


def with_labels(example: Example, layer: str, labels: Labels) -> Example:
    """Return the example with other labels in ``layer``."""
    return replace(example, labels={**example.labels, layer: labels})


def place_of(example: Example, word: int | None = None) -> str:
    """Return ``file:line`` of an example, or of one of its words; the example's id where the file is unknown."""
    if example.place is not None:
        return str(example.place) if word is None else example.place.of_word(word)
    return f"example '{example.id}'" + ("" if word is None else f", word {word + 1}")


@lru_cache(maxsize=1 << 16)
def is_tag(label: str) -> bool:
    """Return whether a label is a valid tag, e.g. ``O`` or ``B-PER``."""
    try:
        schemes.split_tag(label)
    except DataError:
        return False
    return True


def _invalid_tag_hint(splits: Mapping[str, Sequence[Example]], layer: str, example: Example, word: int) -> str:
    """Return what to do about an invalid tag, by the other labels and the files beside."""
    counts = Counter[str]()
    for other in chain.from_iterable(splits.values()):
        counts.update(labels_of(other, layer))
    hint = invalid_tag_hint(labels_of(example, layer)[word], counts)
    if "label_names" in hint and example.place is not None:
        beside = (Path(example.place.file).with_name(name) for name in _NAME_FILES)
        if found := next((path for path in beside if path.is_file()), None):
            return f"numbers of labels need names: --set data.label_names={found}"
    return hint


def _convert_example(example: Example, *, layer: str, source: Scheme, target: Scheme, repair: bool) -> Example:
    before = labels_of(example, layer)
    fixed = schemes.repair(before, source)[0] if repair else before
    after = fixed if source == target else schemes.convert(fixed, source, target)
    return example if after == before else with_labels(example, layer, after)

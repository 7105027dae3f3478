"""Examples brought to one tagging scheme, or refused with the place of the first tag that does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, islice

from labelkit.data.views import changed
from labelkit.errors import DataError
from labelkit.labels import schemes
from labelkit.records import Example, Labels, Scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """Splits in one scheme.

    :param read: the scheme they were written in.
    :param repaired: tags that were changed because they did not fit it.
    """

    splits: Mapping[str, Sequence[Example]]
    read: Scheme
    repaired: int = 0


def retag(examples: Sequence[Example], layer: str, target: Scheme) -> Sequence[Example]:
    """Return ``examples`` with ``layer`` in the scheme ``target``, whichever they came in.

    :raises DataError: a tag does not fit the scheme that most of them follow; names file and line.
    """
    return harmonise({"": examples}, layer, target).splits[""]


def harmonise(
    splits: Mapping[str, Sequence[Example]],
    layer: str,
    target: Scheme,
    *,
    source: Scheme | None = None,
    repair: bool = False,
) -> Tagged:
    """Return all splits with ``layer`` in the scheme ``target``.

    :param source: the scheme they are in; None to find it from all of them together.
    :param repair: read tags that do not fit as the CoNLL scorer does, and count them, instead of refusing.
    :raises DataError: a tag that does not fit; names file and line.
    """
    everything = chain.from_iterable(splits.values())
    detection = schemes.detect(tags(example, layer) for example in everything)
    read = source or detection.scheme
    if read in detection.first and not repair:
        number, word = detection.first[read]
        example = next(islice(chain.from_iterable(splits.values()), number, None))
        raise _misfit(example, layer, word, read, detection.scheme)
    if read == target and read not in detection.first:
        return Tagged(splits=splits, read=read)
    repaired = 0
    if read in detection.first:
        repaired = sum(_repairs(example, layer, read) for example in chain.from_iterable(splits.values()))
    change = partial(_retagged, layer=layer, read=read, target=target, repair=repair)
    result = {name: changed(examples, change) for name, examples in splits.items()}
    return Tagged(splits=result, read=read, repaired=repaired)


def tags(example: Example, layer: str) -> tuple[str, ...]:
    """Return the labels of the words of a token example."""
    labels = example.labels[layer]
    return (labels,) if isinstance(labels, str) else labels


def located(example: Example, word: int | None, error: DataError) -> DataError:
    """Return ``error`` with the place of a word of ``example`` (or of all of it) in front."""
    return DataError(f"{place_of(example, word)}: {error.message}", hint=error.hint)


def place_of(example: Example, word: int | None = None) -> str:
    """Return ``file:line`` where it is known, or else the example's id."""
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


def with_labels(example: Example, layer: str, labels: Labels) -> Example:
    """Return the example with other labels in ``layer``."""
    return replace(example, labels={**example.labels, layer: labels})


def _retagged(example: Example, *, layer: str, read: Scheme, target: Scheme, repair: bool) -> Example:
    before = tags(example, layer)
    fixed = schemes.repair(before, read)[0] if repair else before
    after = fixed if read == target else schemes.convert(fixed, read, target)
    return example if after == before else with_labels(example, layer, after)


def _repairs(example: Example, layer: str, read: Scheme) -> int:
    """Return how many tags of an example do not fit the scheme ``read``."""
    found = tags(example, layer)
    try:
        return schemes.repair(found, read)[1]
    except DataError as error:
        word = next(index for index in range(len(found)) if not is_tag(found[index]))
        raise located(example, word, error) from error


def _misfit(example: Example, layer: str, word: int, read: Scheme, best: Scheme) -> DataError:
    error = schemes.violation_error(tags(example, layer), word, read)
    if read != best:
        error.hint = f"the tags look like {best}: --set data.scheme={best}"
    return located(example, word, error)

"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain

from labelkit.checks import characters, duplicates, encoder, tags, types
from labelkit.checks.findings import CHECKS, Finding
from labelkit.checks.loading import Loaded
from labelkit.encode.alignment import Encoding
from labelkit.records import Scheme

Tell = Callable[[str, int | None, int | None], object]
"""Told what is being done, and how much of how many examples is done where that is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What to check, and how.

    :param scheme: the tagging scheme of the data; None to find it.
    :param max_labels: more different classes of texts than this are taken for a wrong column.
    :param encoding: how the encoder takes examples; None where there is none.
    :param skip: names of checks that are left out.
    :param limit: how many examples a finding keeps.
    """

    scheme: Scheme | None = None
    max_labels: int = 200
    encoding: Encoding | None = None
    skip: Collection[str] = ()
    limit: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What the checks found.

    :param schemes: layer → the tagging scheme that it was read in; None for plain labels.
    :param findings: in the order of :data:`~labelkit.checks.findings.CHECKS`.
    """

    schemes: dict[str, Scheme | None]
    findings: tuple[Finding, ...]


def check(data: Loaded, asked: Asked, tell: Tell = lambda what, done, total: None) -> Checked:
    """Run every check that is not skipped."""
    schemes = {layer: _scheme(data, layer, asked) for layer in data.layers}
    found = chain(
        data.findings,
        _of_content(data, asked, tell),
        chain.from_iterable(_of_labels(data, layer, scheme, asked, tell) for layer, scheme in schemes.items()),
        _of_copies(data, asked, tell),
        _of_encoder(data, asked, tell),
    )
    order = {name: number for number, name in enumerate(CHECKS)}
    kept = [finding for finding in found if finding.check not in asked.skip]
    return Checked(schemes=schemes, findings=tuple(sorted(kept, key=lambda finding: order[finding.check])))


def _scheme(data: Loaded, layer: str, asked: Asked) -> Scheme | None:
    """Return the scheme that the tags are written in, which need not be the one that a source reads them into."""
    if layer in data.schemas and data.schemas[layer].scheme is None:
        return None
    return tags.scheme_of(data.splits, layer, asked.scheme)


def _of_content(data: Loaded, asked: Asked, tell: Tell) -> Iterator[Finding]:
    tell("characters", None, None)
    yield from characters.encoding(data.splits, asked.limit)
    yield from characters.empty(data.splits, asked.limit)
    yield from characters.characters(data.splits, asked.limit)


def _of_labels(data: Loaded, layer: str, scheme: Scheme | None, asked: Asked, tell: Tell) -> Iterator[Finding]:
    tell(f"labels of {layer}", None, None)
    limit, train = asked.limit, data.splits.get("train", ())
    yield from tags.labels(data.splits, layer, limit)
    if scheme is not None:
        yield from tags.scheme(data.splits, layer, scheme, limit)
        yield from tags.transitions(data.splits, layer, scheme, limit)
    found = types.types_of(data.splits, layer, scheme, data.kind)
    yield from types.types(found, data.schemas.get(layer), data.kind, len(train), asked.max_labels, limit)
    yield from types.spelling(found, limit)
    yield from types.balance(found, data.kind, limit)
    yield from types.order(train, layer, scheme, data.kind, limit)


def _of_copies(data: Loaded, asked: Asked, tell: Tell) -> Iterator[Finding]:
    if {"duplicates", "near-duplicates", "conflicts"} <= set(asked.skip):
        return
    tell("duplicates", None, None)
    copies = duplicates.copies_of(data.splits)
    for layer in data.layers:
        yield from duplicates.conflicts(copies, layer, asked.limit)
    yield from duplicates.duplicates(copies, asked.limit)
    if "near-duplicates" not in asked.skip:
        tell("near-duplicates", None, None)
        yield from duplicates.near_duplicates(copies, asked.limit)


def _of_encoder(data: Loaded, asked: Asked, tell: Tell) -> Iterator[Finding]:
    if asked.encoding is None or {"subtokens", "windows"} <= set(asked.skip):
        return
    sizes = {split: len(examples) for split, examples in data.splits.items()}
    found = encoder.covered(
        data.splits, asked.encoding, asked.limit, lambda split, done: tell(f"sub-tokens of {split}", done, sizes[split])
    )
    yield from encoder.subtokens(found)
    yield from encoder.windows(found, asked.encoding.max_length)

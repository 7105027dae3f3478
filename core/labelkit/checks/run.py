"""Run all checks of ``labelkit data check``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain

from labelkit.checks import characters, columns, duplicates, encoder, markup, tags, types
from labelkit.checks.findings import CHECKS, Finding
from labelkit.checks.loading import CheckedDataset
from labelkit.encode.alignment import Encoding
from labelkit.records import DataSettings, Scheme
from labelkit.records.html import html_table

CheckProgress = Callable[[str, int | None, int | None], object]
"""Called with what is being checked, and how many of how many examples are done where that is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """What to check, and how.

    :param settings: tagging scheme of the data, and the number of classes that is a sign of a wrong column.
    :param encoding: how the encoder tokenizes examples; None where there is no encoder.
    :param skip: names of checks that are left out.
    :param limit: how many examples a finding keeps.
    """

    settings: DataSettings = field(default_factory=DataSettings)
    encoding: Encoding | None = None
    skip: Collection[str] = ()
    limit: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """The findings of all checks.

    :param schemes: layer → the tagging scheme that it was read in; None for plain labels.
    :param findings: in the order of :data:`~labelkit.checks.findings.CHECKS`.
    """

    schemes: dict[str, Scheme | None]
    findings: tuple[Finding, ...]

    def _repr_html_(self) -> str:
        """Return the findings as a table for notebooks."""
        rows = ((one.message, one.severity, one.split, one.count, one.advice) for one in self.findings)
        return html_table(("finding", "severity", "split", "count", "advice"), rows)


def check(
    data: CheckedDataset, options: CheckOptions, progress: CheckProgress = lambda what, done, total: None
) -> CheckReport:
    """Run every check that is not skipped."""
    layer_schemes: dict[str, Scheme | None] = {}
    for layer in data.layers:
        # the scheme of the tags as written, which need not be the one that a source reads them into
        plain = layer in data.schemas and data.schemas[layer].scheme is None
        layer_schemes[layer] = None if plain else tags.detect_scheme(data.splits, layer, options.settings.source_scheme)
    found = chain(
        data.findings,
        _check_content(data, options, progress),
        *(_check_labels(data, layer, scheme, options, progress) for layer, scheme in layer_schemes.items()),
        _check_duplicates(data, options, progress),
        _check_encoding(data, options, progress),
    )
    order = list(CHECKS)
    kept = [finding for finding in found if finding.check not in options.skip]
    return CheckReport(
        schemes=layer_schemes, findings=tuple(sorted(kept, key=lambda finding: order.index(finding.check)))
    )


def _check_content(data: CheckedDataset, options: CheckOptions, progress: CheckProgress) -> Iterator[Finding]:
    progress("characters", None, None)
    for check_ in (columns.words, characters.encoding, characters.empty, characters.characters, markup.markup):
        yield from check_(data.splits, options.limit)


def _check_labels(
    data: CheckedDataset, layer: str, scheme: Scheme | None, options: CheckOptions, progress: CheckProgress
) -> Iterator[Finding]:
    progress(f"labels of {layer}", None, None)
    limit, train = options.limit, data.splits.get("train", ())
    several = data.multilabel or (layer in data.schemas and data.schemas[layer].multilabel)
    yield from tags.labels(data.splits, layer, limit, multilabel=several)
    if scheme is not None:
        yield from tags.invalid_tags(data.splits, layer, limit)
        yield from tags.violations(data.splits, layer, scheme, limit)
    if options.settings.numbers:
        return  # numbers are no types, which would have to be frequent
    yield from columns.labels(data.splits, layer, limit)
    counted = types.count_types(data.splits, layer, scheme, data.kind)
    yield from types.types(counted, data.schemas.get(layer), data.kind, len(train), options.settings.max_labels, limit)
    yield from types.spelling(counted, limit)
    yield from types.balance(counted, data.kind, limit)
    yield from types.order(train, layer, scheme, limit)


def _check_duplicates(data: CheckedDataset, options: CheckOptions, progress: CheckProgress) -> Iterator[Finding]:
    if {"duplicates", "near-duplicates", "conflicts"} <= set(options.skip):
        return
    progress("duplicates", None, None)
    index = duplicates.index_duplicates(data.splits)
    for layer in data.layers:
        yield from duplicates.conflicts(index, layer, options.limit)
    yield from duplicates.duplicates(index, options.limit)
    if "near-duplicates" not in options.skip:
        progress("near-duplicates", None, None)
        yield from duplicates.near_duplicates(index, options.limit)


def _check_encoding(data: CheckedDataset, options: CheckOptions, progress: CheckProgress) -> Iterator[Finding]:
    if options.encoding is None or {"subtokens", "windows"} <= set(options.skip):
        return

    def tokenizing(split: str, done: int) -> None:
        progress(f"subword tokens of {split}", done, len(data.splits[split]))

    found = encoder.measure_coverage(data.splits, options.encoding, options.limit, tokenizing)
    yield from encoder.subtokens(found)
    yield from encoder.windows(found, options.encoding.max_length)

"""A data reference read for a check: nothing stops at the first fault, everything that cannot be read is collected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labelkit.checks.findings import CaseCollector, Finding
from labelkit.data.arrow_cache import Tally, gather
from labelkit.data.corpus import context_for
from labelkit.data.reading import Parts, kind_of, open_split, splits_of
from labelkit.errors import DataError, nearest
from labelkit.formats.columns import ROLES
from labelkit.records import Example, Kind, LoadContext, ReadingPolicy, Schema, Source

_PLACED = re.compile(r"(.+?:\d+): (.*)", re.DOTALL)
_NOT_ENCODED = re.compile(r"not \S+ at byte offset")
_ANY = ("label", "labels", "tags")  # mean the layer of the task, whatever it is called

Tell = Callable[[str], object]
"""Told the name of a split before it is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedDataset:
    """What a check looks at.

    :param layers: those whose labels are checked.
    :param schemas: layer → the schema that its source names, where it names one.
    :param refs: split → where it comes from.
    :param findings: what could not be read.
    :param notes: what readers left out or changed on purpose.
    """

    reference: str
    kind: Kind
    layers: tuple[str, ...]
    splits: Mapping[str, Sequence[Example]]
    refs: Mapping[str, str]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def load(
    reference: str,
    layer: str | None,
    catalog: Parts,
    ctx: LoadContext,
    *,
    folder: Path,
    limit: int,
    tell: Tell = lambda split: None,
) -> CheckedDataset:
    """Read all splits of a data reference as far as they can be read.

    :param layer: the only layer to look at; None for all that the source has or ``--columns`` names.
    :param folder: for splits that are too large for memory; everything in it may be deleted afterwards.
    :param limit: how many examples a finding keeps.
    :raises DataError: nothing can be read at all, or there is no such layer.
    :raises UnknownNameError: nothing has that name.
    """
    ctx = replace(ctx, policy=replace(ctx.policy, undecodable="surrogateescape", as_written=True))
    ignoring = replace(ctx.policy, on_bad_record=lambda error: None, on_bad_span=lambda error: None)
    kind = kind_of(reference, catalog, replace(ctx, policy=ignoring))
    source = catalog.sources.get(reference)
    layers = _layers(layer, source, kind, ctx)
    ctx = context_for(ctx, layers[0], kind)
    refs = splits_of(reference, kind, catalog, ctx)
    if source is None and not reference.startswith("hub:"):
        _must_be_there(refs.values())
    splits: dict[str, Sequence[Example]] = {}
    findings: list[Finding] = []
    failures: list[DataError] = []
    for split in refs:
        tell(split)
        faults = ReadingFaults(split, limit)
        collecting = replace(ctx, policy=faults.policy(ctx.policy))
        opened = partial(open_split, reference, split, kind, catalog, collecting)
        examples = gather(faults.read(opened), folder / f"{split}.arrow", Tally())
        if faults.failed is None:
            splits[split] = examples
        else:
            failures.append(faults.failed)
        findings += faults.findings()
    if failures and not splits:
        raise failures[0]
    if not any(splits.values()) and not findings:
        raise DataError(f"'{reference}' is empty: it holds no examples", hint="check the files")
    if layer is not None and source is None:
        _must_hold(layer, splits, reference)
    return CheckedDataset(
        reference=reference,
        kind=kind,
        layers=layers,
        splits=splits,
        refs=refs,
        schemas=_schemas(source, layers, catalog),
        findings=tuple(findings),
        notes=tuple(_notes(source, splits, ctx)),
    )


def _layers(layer: str | None, source: Source | None, kind: Kind, ctx: LoadContext) -> tuple[str, ...]:
    if source is not None:
        if layer is not None and layer not in source.layers:
            raise DataError(f"source '{source.name}' has no layer '{layer}'", hint=nearest(layer, source.layers))
        return (layer,) if layer else tuple(source.layers)
    named = [name for name in ctx.columns if name not in ROLES]
    if layer is not None and (layer in named or not named or set(named) & set(_ANY)):
        return (layer,)
    if layer is not None:
        raise DataError(f"--columns names no layer '{layer}'", hint=nearest(layer, named))
    return tuple(named) or ("labels" if kind == "token" else "label",)


def _must_be_there(files: Iterable[str]) -> None:
    """Refuse a file that does not exist: that is a mistake in the command, not one in the data.

    :raises DataError: there is none of that name.
    """
    for file in files:
        if not Path(file).exists():
            raise DataError(f"{file} does not exist", hint="check the path")


def _must_hold(layer: str, splits: Mapping[str, Sequence[Example]], reference: str) -> None:
    """Refuse a layer that no example has: that is a mistake in the command, too.

    :raises DataError: no example has a layer of that name.
    """
    examples = [split[0] for split in splits.values() if split]
    if not examples or any(layer in example.labels for split in splits.values() for example in split):
        return
    names = dict.fromkeys(name for example in examples for name in (*example.labels, *example.extra))
    raise DataError(
        f"'{reference}' has no layer '{layer}'",
        hint=nearest(layer, names) if names else "say which column holds the labels: --columns LAYER=…",
    )


def _schemas(source: Source | None, layers: Sequence[str], catalog: Parts) -> dict[str, Schema]:
    if source is None:
        return {}
    names = {layer: source.layers[layer] or "" for layer in layers}
    return {layer: catalog.schemas[name] for layer, name in names.items() if name in catalog.schemas}


def _notes(source: Source | None, splits: Mapping[str, Sequence[Example]], ctx: LoadContext) -> Iterator[str]:
    yield from (f"{what}: {times:,}" for what, times in ctx.policy.counts.items())
    if source is None:
        return
    for split, published in source.counts.items():
        if split in splits and len(splits[split]) != published:
            yield f"{source.name}: {split} has {len(splits[split]):,} examples, {published:,} were published"


class ReadingFaults:
    """Collects the records of one split that cannot be read.

    :ivar failed: why nothing of the split can be read.
    """

    def __init__(self, split: str, limit: int) -> None:
        self.failed: DataError | None = None
        self._split = split
        self._records, self._lines, self._spans = CaseCollector(limit), CaseCollector(limit), CaseCollector(limit)
        self._stopped = CaseCollector(1)

    def policy(self, policy: ReadingPolicy) -> ReadingPolicy:
        """Return the policy by which readers skip records and spans, and add their errors here."""
        return replace(
            policy, on_bad_record=self._skip_record, on_bad_span=lambda error: _add_error(self._spans, error)
        )

    def read(self, opened: Callable[[], Iterable[Example]]) -> Iterator[Example]:
        """Yield examples until reading stops."""
        started = False
        try:
            for example in opened():
                started = True
                yield example
        except DataError as error:
            if started or self._records.count or self._lines.count:
                _add_error(self._stopped, error)
            else:
                self.failed = error

    def _skip_record(self, error: DataError) -> None:
        _add_error(self._lines if _NOT_ENCODED.search(error.message) else self._records, error)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each kind of fault."""
        if self.failed is not None:
            cases, advice = CaseCollector(1), self.failed.hint or "correct it and check again"
            _add_error(cases, self.failed)
            check = "encoding" if _NOT_ENCODED.search(self.failed.message) else "reading"
            message = "split cannot be read at all and was left out"
            yield from cases.findings(check, "error", self._split, message, advice)
        message, advice = "reading stopped here, what follows was not checked", "correct this place and check again"
        yield from self._stopped.findings("reading", "error", self._split, message, advice)
        message = "cannot be read and were left out"
        advice = "correct them, or remove them: labelkit run stops at the first one"
        yield from self._records.findings("reading", "error", self._split, message, advice)
        message = "lines are not in the encoding and were left out"
        advice = "give the right encoding with --encoding, or convert the file to UTF-8"
        yield from self._lines.findings("encoding", "error", self._split, message, advice)
        message = "spans cannot be written as labels of words and were left out"
        advice = "correct them, or give the words as a list; of two that overlap data.drop_overlaps=true keeps one"
        yield from self._spans.findings("spans", "error", self._split, message, advice)


def _add_error(cases: CaseCollector, error: DataError) -> None:
    """Add an error as a case, with the place that its message begins with."""
    match = _PLACED.fullmatch(error.message)
    cases.add(match[1] if match else "", match[2] if match else error.message)

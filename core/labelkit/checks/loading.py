"""A data reference read for a check: nothing stops at the first fault, everything that cannot be read is collected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labelkit.checks.findings import CaseCollector, Finding
from labelkit.data.arrow_cache import Tally, gather
from labelkit.data.corpus import DataOptions, context_for
from labelkit.data.reading import Parts, kind_of, open_split, splits_of
from labelkit.errors import DataError, nearest
from labelkit.files.reading import lines_with_ends
from labelkit.formats.fields import ROLES
from labelkit.records import Example, Kind, LoadContext, Schema, Source

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


@dataclass(frozen=True, kw_only=True, slots=True)
class LenientContext(LoadContext):
    """Surroundings in which a byte that is not in the encoding becomes half a surrogate pair, and reading goes on."""

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield ``(number, line)`` of a text file, without line ends."""
        for number, line in enumerate(lines_with_ends(path, self.encoding, "surrogateescape"), start=1):
            yield number, line.removesuffix("\n").removesuffix("\r")


def load(
    reference: str,
    layer: str | None,
    catalog: Parts,
    ctx: LoadContext,
    options: DataOptions,
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
    ctx = _lenient(ctx, options)
    kind = kind_of(reference, catalog, _skipping(ctx), options.format)
    source = catalog.sources.get(reference)
    layers = _layers(layer, source, kind, ctx)
    ctx = _with(ctx, context_for(ctx, layers[0], kind, options).options)
    refs = splits_of(reference, kind, catalog, ctx)
    if source is None and not reference.startswith("hub:"):
        _must_be_there(refs.values())
    splits: dict[str, Sequence[Example]] = {}
    findings: list[Finding] = []
    failures: list[DataError] = []
    for split in refs:
        tell(split)
        faults = ReadingFaults(split, limit)
        opened = partial(open_split, reference, split, kind, catalog, _with(ctx, faults.options()), options.format)
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


def _lenient(ctx: LoadContext, options: DataOptions) -> LenientContext:
    path = ctx.path if options.path is None else Path(options.path).expanduser()
    given = {name: getattr(ctx, name) for name in LoadContext.__dataclass_fields__}
    wanted = {"undecodable": "surrogateescape", "as_written": True}
    return LenientContext(**{**given, "path": path, "options": {**ctx.options, **wanted}})


def _with(ctx: LenientContext, options: Mapping[str, object]) -> LenientContext:
    return replace(ctx, options={**ctx.options, **options})


def _skipping(ctx: LenientContext) -> LenientContext:
    """Return surroundings in which what cannot be read is left out without a word."""
    return _with(ctx, {"skip": lambda error: None, "skip_span": lambda error: None})


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
    tally = ctx.options.get("tally")
    if isinstance(tally, Counter):
        yield from (f"{what}: {times:,}" for what, times in tally.items())
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

    def options(self) -> dict[str, object]:
        """Return the options that have readers skip records and spans."""
        return {"skip": self._skip_record, "skip_span": lambda error: _add_error(self._spans, error)}

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

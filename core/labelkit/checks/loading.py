"""Read a data reference for checks: reading goes on after a fault, and collects what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labelkit.checks.findings import CaseCollector, Finding
from labelkit.data.arrow_cache import store_if_large
from labelkit.data.corpus import context_for
from labelkit.data.holdout import hold_out_validation
from labelkit.data.label_notation import find_notation
from labelkit.data.multilabel import reading_several
from labelkit.data.reading import kind_of, reading_notes
from labelkit.data.resolution import resolve_reference
from labelkit.data.resolved_splits import DataCatalog, FileSplits, ResolvedReference
from labelkit.data.unknown_labels import mark_unknown, unknown_notes, with_real_labels
from labelkit.data.views import map_examples
from labelkit.errors import DataError, nearest
from labelkit.files.split_names import SPLITS
from labelkit.formats.columns import ROLES, TASK_LAYER_NAMES, usual_layer
from labelkit.labels.label_sets import SeveralLabelsError
from labelkit.records import DataSettings, Example, Kind, LoadContext, ReadingPolicy, Schema, Source
from labelkit.settings import TrainSettings

_PLACED = re.compile(r"(.+?:\d+): (.*)", re.DOTALL)
_NOT_ENCODED = re.compile(r"not \S+ at byte offset")


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedDataset:
    """The data that is checked.

    :param layers: the layers whose labels are checked.
    :param schemas: layer → the schema that its source names, where it names one.
    :param refs: split → where it comes from.
    :param findings: what could not be read.
    :param notes: what readers left out or changed on purpose.
    :param assumptions: what was assumed of the files where no setting says so.
    :param held_out: how many examples of train a run holds out as validation, which is checked as a part of train.
    :param multilabel: texts have any number of labels.
    """

    reference: str
    kind: Kind
    layers: tuple[str, ...]
    splits: Mapping[str, Sequence[Example]]
    refs: Mapping[str, str]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    held_out: int = 0
    multilabel: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """Split → the number of its examples, as a run uses them: with the held-out validation split."""
        sizes = {split: len(examples) for split, examples in self.splits.items()}
        if not self.held_out:
            return sizes
        sizes = {**sizes, "train": sizes["train"] - self.held_out, "validation": self.held_out}
        return {split: sizes[split] for split in SPLITS if split in sizes}


def load(
    reference: str,
    layer: str | None,
    catalog: DataCatalog,
    ctx: LoadContext,
    *,
    folder: Path,
    limit: int,
    progress: Callable[[str], object] = lambda split: None,
) -> CheckedDataset:
    """Read all splits of a data reference as far as they can be read.

    :param layer: the only layer to check; None for all that the source has or ``--columns`` names.
    :param folder: for splits that are too large for memory; everything in it may be deleted afterwards.
    :param limit: how many examples a finding keeps.
    :param progress: called with the name of a split before it is read.
    :raises DataError: nothing can be read at all, or there is no such layer.
    :raises UnknownNameError: nothing has that name.
    """
    ctx = replace(ctx, policy=replace(ctx.policy, undecodable="surrogateescape", as_written=True))
    refused: list[DataError] = []
    ignoring = replace(ctx.policy, on_bad_record=refused.append, on_bad_span=lambda error: None)
    kind = kind_of(reference, catalog, replace(ctx, policy=ignoring))
    source = catalog.sources.get(reference)
    layers = layers_to_check(layer, source, kind, ctx)
    ctx = context_for(ctx, layers[0], kind)
    resolved = resolve_reference(reference, kind, catalog, ctx)
    _check_files_exist(resolved)
    read = partial(read_leniently, resolved, folder=folder, limit=limit, progress=progress)
    splits, findings, several = reading_several(ctx, read)
    if not any(splits.values()):
        _check_kind_known(refused, findings)
    if layer is not None and source is None:
        check_layer_exists(layer, splits, reference)
    named = {layer: source.layers[layer] or "" for layer in layers} if source else {}
    for name in layers:
        splits = _read_labels(splits, name, ctx, source, written=kind == "token" and name not in named)
    return CheckedDataset(
        reference=reference,
        kind=kind,
        layers=layers,
        splits=splits,
        refs=resolved.refs,
        schemas={layer: catalog.schemas[name] for layer, name in named.items() if name in catalog.schemas},
        findings=findings,
        notes=(*reading_notes(source, splits, ctx), *(note for name in layers for note in unknown_notes(splits, name))),
        assumptions=tuple(ctx.policy.assumptions),
        held_out=count_held_out(splits, layers[0], kind, ctx.settings),
        multilabel=several,
    )


def _check_kind_known(refused: Sequence[DataError], findings: Sequence[Finding]) -> None:
    """Raise what other commands say where no record could be read, so that their kind was guessed.

    :param refused: the errors of records whose kind was not known.
    :param findings: those of records of the kind that was guessed.
    :raises DataError: the first of ``refused`` is none of them.
    """
    cases = [case for finding in findings for case in finding.examples]
    known = {text for case in cases for text in (case.text, f"{case.place}: {case.text}")}
    if refused and refused[0].message not in known:
        raise refused[0]


def count_held_out(splits: Mapping[str, Sequence[Example]], layer: str, kind: Kind, settings: DataSettings) -> int:
    """Return how many examples of train a run holds out as validation; 0 where there is one, or nothing to hold out."""
    train = splits.get("train", ())
    if "validation" in splits or len(train) < 2 or (kind == "text" and any(layer not in one.labels for one in train)):
        return 0
    seed = TrainSettings().seed if settings.validation_seed is None else settings.validation_seed
    return len(hold_out_validation(train, layer, kind, settings.validation_fraction, seed)[1])


def _check_files_exist(resolved: ResolvedReference) -> None:
    """Raise :class:`~labelkit.errors.DataError` if a file is missing: a mistake in the command, not in the data."""
    for file in resolved.files.values() if isinstance(resolved, FileSplits) else ():
        if not file.exists():
            raise DataError(f"{file} does not exist", hint="check the path")


def _read_labels(
    splits: Mapping[str, Sequence[Example]], layer: str, ctx: LoadContext, source: Source | None, *, written: bool
) -> dict[str, Sequence[Example]]:
    """Return the splits with labels marked as unknown, and read as they are ``written``."""
    marked = mark_unknown(splits, layer, with_real_labels(ctx, of_source=source is not None))
    if not written:
        return dict(marked)
    notation = find_notation(marked, layer, ctx, spans=None)
    return {split: map_examples(examples, notation.read) for split, examples in marked.items()}


def read_leniently(
    resolved: ResolvedReference, ctx: LoadContext, *, folder: Path, limit: int, progress: Callable[[str], object]
) -> tuple[dict[str, Sequence[Example]], tuple[Finding, ...], bool]:
    """Return the examples of each split that can be read, what cannot be read, and whether texts have several labels.

    See :func:`load`.

    :raises DataError: no split can be read, or all are empty.
    """
    splits: dict[str, Sequence[Example]] = {}
    findings: list[Finding] = []
    failures: list[DataError] = []
    for split in resolved.refs:
        progress(split)
        faults = ReadingFaults(split, limit)
        opened = partial(resolved.open, split, replace(ctx, policy=faults.policy(ctx.policy)))
        examples = store_if_large(faults.read(opened), folder / f"{split}.arrow", ReadingPolicy())
        if faults.failed is None:
            splits[split] = examples
        else:
            failures.append(faults.failed)
        findings += faults.findings()
    if failures and not splits:
        raise failures[0]
    if not any(splits.values()) and not findings:
        raise DataError(f"'{resolved.text}' is empty: it holds no examples", hint="check the files")
    return splits, tuple(findings), bool(ctx.settings.multilabel)


def layers_to_check(layer: str | None, source: Source | None, kind: Kind, ctx: LoadContext) -> tuple[str, ...]:
    """Return the layer that the user named, or else all layers of the source or of ``--columns``, or the usual one.

    :raises DataError: the source, or ``--columns``, has no such layer.
    """
    if source is not None:
        if layer is not None and layer not in source.layers:
            raise DataError(f"source '{source.name}' has no layer '{layer}'", hint=nearest(layer, source.layers))
        return (layer,) if layer else tuple(source.layers)
    named = [name for name in ctx.columns if name not in ROLES]
    if layer is not None and named and layer not in named and not set(named) & set(TASK_LAYER_NAMES):
        raise DataError(f"--columns names no layer '{layer}'", hint=nearest(layer, named))
    if layer is not None:
        return (layer,)
    return tuple(named) or (usual_layer(kind),)


def check_layer_exists(layer: str, splits: Mapping[str, Sequence[Example]], reference: str) -> None:
    """Raise :class:`~labelkit.errors.DataError` if no example has labels in ``layer``."""
    examples = [split[0] for split in splits.values() if split]
    if not examples or any(layer in example.labels for split in splits.values() for example in split):
        return
    names = dict.fromkeys(name for example in examples for name in (*example.labels, *example.extra))
    raise DataError(
        f"'{reference}' has no layer '{layer}'",
        hint=nearest(layer, names) if names else "say which column holds the labels: --columns LAYER=…",
    )


class ReadingFaults:
    """Collects the records of one split that cannot be read.

    :ivar failed: why nothing of the split can be read.
    """

    def __init__(self, split: str, limit: int) -> None:
        self.failed: DataError | None = None
        self._split = split
        self._records, self._lines, self._spans = CaseCollector(limit), CaseCollector(limit), CaseCollector(limit)
        self._stopped = CaseCollector(1)
        self._hints: set[str | None] = set()

    def policy(self, policy: ReadingPolicy) -> ReadingPolicy:
        """Return the policy by which readers skip records and spans, and add their errors here."""
        return replace(policy, on_bad_record=self._skip_record, on_bad_span=self._drop_span)

    def read(self, opened: Callable[[], Iterable[Example]]) -> Iterator[Example]:
        """Yield examples until reading stops."""
        started = False
        try:
            for example in opened():
                started = True
                yield example
        except SeveralLabelsError:
            raise  # all is read again
        except DataError as error:
            if started or self._records.count or self._lines.count:
                _add_error(self._stopped, error)
            else:
                self.failed = error

    def _skip_record(self, error: DataError) -> None:
        _add_error(self._lines if _NOT_ENCODED.search(error.message) else self._records, error)

    def _drop_span(self, error: DataError) -> None:
        self._hints.add(error.hint)
        _add_error(self._spans, error)

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
        message = "lines or records cannot be read and were left out"
        advice = "correct them, or remove them: labelkit run stops at the first one"
        yield from self._records.findings("reading", "error", self._split, message, advice)
        message = "lines are not in the encoding and were left out"
        advice = "give the right encoding with --encoding, or convert the file to UTF-8"
        yield from self._lines.findings("encoding", "error", self._split, message, advice)
        message = "spans cannot be written as labels of words and were left out"
        advice = (
            "correct them; data.align_spans=expand, contract or drop settles those that cut words, and of two that"
            " overlap data.drop_overlaps=true keeps one"
        )
        if len(self._hints) == 1 and None not in self._hints:  # one kind of fault, whose own hint fits better
            advice = str(next(iter(self._hints)))
        yield from self._spans.findings("spans", "error", self._split, message, advice)


def _add_error(cases: CaseCollector, error: DataError) -> None:
    """Add an error as a case, with the place that its message begins with."""
    match = _PLACED.fullmatch(error.message)
    cases.add(match[1] if match else "", match[2] if match else error.message)

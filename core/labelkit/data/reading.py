"""Read all splits of a data reference as they are, before their labels are checked or converted."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from labelkit.data.hub_datasets import HubDataset
from labelkit.data.multilabel import reading_several, with_multilabel
from labelkit.data.resolution import ProjectSplits, resolve_reference
from labelkit.data.resolved_splits import (
    DataCatalog,
    FileSplits,
    HubSplits,
    HubTables,
    MemorySplits,
    SourceSplits,
    of_split,
)
from labelkit.data.views import select_examples
from labelkit.errors import DataError
from labelkit.formats.class_labels import UNLABELLED
from labelkit.formats.recognition import reader_for
from labelkit.records import Example, Kind, LoadContext, Source

_SAMPLE = 50  # examples that say whether words or texts have labels


@dataclass(frozen=True, kw_only=True, slots=True)
class RawCorpus:
    """The splits of a data reference as they were read.

    :param refs: split → where it was read from: a path, ``SOURCE:SPLIT``, or ``hub:ID@COMMIT:SPLIT``.
    :param source: the named corpus, where it is one.
    :param notes: what the user should know, e.g. what readers left out.
    :param assumptions: what was assumed of the files.
    :param single_file: nothing says which split a single file is; it is read as train.
    :param formats: the names of the formats of its files.
    :param multilabel: its texts have any number of labels, by the setting or because some have several.
    :param annotation_files: those of its files that are exports of Label Studio.
    :param pinned: a reference to the data as they are now, where ``reference`` may come to mean others.
    """

    splits: Mapping[str, Sequence[Example]]
    refs: Mapping[str, str]
    source: Source | None = None
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    single_file: bool = False
    formats: tuple[str, ...] = ()
    multilabel: bool = False
    annotation_files: tuple[Path, ...] = ()
    pinned: str = ""


def read_raw_corpus(
    reference: str,
    kind: Kind,
    catalog: DataCatalog,
    ctx: LoadContext,
    on_progress: Callable[[str], object] = lambda what: None,
) -> RawCorpus:
    """Read every split of a data reference; again, where its texts turn out to have several labels.

    ``data.unlabelled=skip`` leaves examples without labels in the layer of ``ctx`` out.

    :param on_progress: called with what is read next.

    :raises DataError: something is missing, empty, or not readable.
    :raises UnknownNameError: no source, path or folder has this name; the nearest are suggested.
    """
    raw = reading_several(ctx, partial(_read_once, reference, kind, catalog, on_progress=on_progress))
    skips = ctx.settings.unlabelled == "skip" and ctx.layer is not None and ctx.policy.labels == "required"
    return _without_unlabelled(raw, ctx.layer) if skips else raw


def _without_unlabelled(raw: RawCorpus, layer: str | None) -> RawCorpus:
    """Return data without the examples that have no labels in ``layer``; a split that has none at all stays as it is.

    Readers of files leave such records out themselves: these are examples of sources, and those given in Python.
    """
    splits, left_out = dict(raw.splits), 0
    for split, examples in raw.splits.items():
        kept = array("q", (index for index, one in enumerate(examples) if layer in one.labels))
        if 0 < len(kept) < len(examples):
            splits[split], left_out = select_examples(examples, kept), left_out + len(examples) - len(kept)
    return replace(raw, splits=splits, notes=(*raw.notes, f"{UNLABELLED}: {left_out:,}")) if left_out else raw


def _read_once(
    reference: str, kind: Kind, catalog: DataCatalog, ctx: LoadContext, on_progress: Callable[[str], object]
) -> RawCorpus:
    ctx = replace(ctx, origins={})
    resolved = resolve_reference(reference, kind, catalog, ctx)
    splits = {}
    for split in resolved.refs:
        on_progress(f"reading {split}")
        splits[split] = resolved.read(split, ctx)
    source = resolved.source if isinstance(resolved, SourceSplits) else None
    hub = resolved.dataset if isinstance(resolved, HubSplits) else resolved
    hub_notes = hub.notes if isinstance(hub, HubDataset | HubTables) else ()
    return RawCorpus(
        splits=splits,
        refs={split: ctx.origins.get(split, ref) for split, ref in resolved.refs.items()},
        source=source,
        notes=(*hub_notes, *reading_notes(source, splits, ctx)),
        assumptions=tuple(ctx.policy.assumptions),
        single_file=isinstance(resolved, FileSplits) and resolved.single_file,
        formats=resolved.format_names(ctx),
        multilabel=bool(ctx.settings.multilabel),
        annotation_files=tuple(resolved.annotation_files(ctx)) if isinstance(resolved, FileSplits) else (),
        pinned=str(resolved.snapshot.reference) if isinstance(resolved, ProjectSplits) else "",
    )


def reading_notes(source: Source | None, splits: Mapping[str, Sequence[Example]], ctx: LoadContext) -> Iterator[str]:
    """Yield what readers left out or changed, and where a corpus differs in size from the published one."""
    yield from (f"{what}: {times:,}" for what, times in ctx.policy.counts.items())
    if source is None:
        return
    for split, published in source.counts.items():
        if split in splits and len(splits[split]) != published:
            yield f"{source.name}: {split} has {len(splits[split]):,} examples, {published:,} were published"


def kind_of(reference: str, catalog: DataCatalog, ctx: LoadContext) -> Kind:
    """Return the kind of the examples behind a data reference, by its source, its format or its first example."""
    resolved = resolve_reference(reference, None, catalog, ctx)
    if isinstance(resolved, SourceSplits):
        return resolved.source.kind
    split = next(iter(resolved.refs))
    if isinstance(resolved, MemorySplits):
        first = next(iter(resolved.open(split, ctx)), None)
        return "token" if first is not None and first.words is not None else "text"
    ctx = of_split(with_multilabel(ctx), split)  # several labels of the first text are no error here
    if isinstance(resolved, FileSplits):
        chosen = resolved.reader(split, ctx)
    else:
        chosen = reader_for(resolved.dataset.files[split][0], catalog.formats, ctx.settings.format, ctx=ctx)
    if chosen.kinds == ("token",):
        return "token"
    try:
        kind = _kind_of_examples(resolved.open(split, ctx))
    except DataError:
        # a .tsv without the columns of a table may hold CoNLL columns
        if chosen.name != "tsv" or ctx.settings.format:
            raise
        return "token"
    return kind


def _has_spans(example: Example) -> bool:
    return example.words is not None and any(set(labels) - {"O"} for labels in example.labels.values())


def _kind_of_examples(examples: Iterable[Example]) -> Kind:
    """Return the kind of the first examples: words, if one has any; a text without spans may come first.

    :raises DataError: the first one cannot be read.
    """
    iterator = iter(examples)
    first = next(iterator, None)
    if first is None or first.words is not None:
        return "text" if first is None else "token"
    with suppress(DataError):  # reported when it is read as what it is
        if any(map(_has_spans, islice(iterator, _SAMPLE))):
            return "token"
    return "text"

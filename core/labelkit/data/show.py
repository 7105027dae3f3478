"""Load a corpus to be shown: for tasks, or without one that says which layer and tagging scheme to read."""

from __future__ import annotations

from dataclasses import replace

from labelkit.data.corpus import Corpus, load_corpus, reading_settings
from labelkit.data.label_notation import find_notation
from labelkit.data.layer_schema import named_schema
from labelkit.data.reading import kind_of
from labelkit.data.resolved_splits import DataCatalog
from labelkit.data.scheme_conversion import is_tag
from labelkit.formats.columns import ROLES, usual_layer
from labelkit.records import LoadContext, ReadingPolicy, Task


def load_without_task(reference: str, layer: str | None, catalog: DataCatalog, ctx: LoadContext) -> Corpus:
    """Return the corpus behind ``reference``; labels that are tags are read as spans.

    :param layer: None for a source's first layer, the first one that ``--columns`` names, or the usual column.
    :raises DataError: the data cannot be read, or has no such layer.
    """
    kind = kind_of(reference, catalog, ctx)
    if source := catalog.sources.get(reference):
        layer = layer or next(iter(source.layers))
        schema = named_schema(source, layer, catalog.schemas)
        scheme = schema.scheme if schema else None
        return load_corpus(reference, layer=layer, kind=kind, scheme=scheme, catalog=catalog, ctx=ctx)
    if layer is None:
        layer = next((name for name in ctx.columns if name not in ROLES), usual_layer(kind))
    plain = replace(ctx, settings=replace(ctx.settings, allow_new_labels=True, scheme="auto"))
    corpus = load_corpus(reference, layer=layer, kind=kind, scheme=None, catalog=catalog, ctx=plain)
    labels = corpus.schema.labels
    if kind == "text" or labels == ("O",):
        return corpus
    if not all(map(is_tag, labels)):
        splits = {split.name: split.examples for split in corpus.splits.values()}
        if find_notation(splits, layer, replace(ctx, policy=ReadingPolicy()), spans=None).style is None:
            return corpus
    return load_corpus(reference, layer=layer, kind=kind, scheme="IOB2", catalog=catalog, ctx=ctx)


def load_for_task(reference: str, task: Task, catalog: DataCatalog, ctx: LoadContext) -> Corpus:
    """Return the corpus behind ``reference`` as a task reads it.

    :raises DataError: the data cannot be read, or has no such layer.
    """
    within = replace(ctx, settings=reading_settings(ctx.settings, task.kind, task.scheme))
    return load_corpus(reference, layer=task.layer, kind=task.kind, scheme=task.scheme, catalog=catalog, ctx=within)

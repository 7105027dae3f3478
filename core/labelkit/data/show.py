"""Read a data reference to look at it, without a task that says which layer and scheme are meant."""

from __future__ import annotations

from dataclasses import replace

from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.reading import kind_of
from labelkit.errors import DataError, nearest
from labelkit.formats.columns import ROLES
from labelkit.labels.schemes import split_tag
from labelkit.plugins.catalog import Catalog
from labelkit.records import Kind, LoadContext, Scheme


def read_for_show(reference: str, layer: str | None, catalog: Catalog, ctx: LoadContext) -> Corpus:
    """Return the corpus behind ``reference`` with the layer that is meant, in its scheme.

    Without ``layer``: a source's first one, the first one that ``--columns`` names, or the usual column. Labels that
    all read as tags are read as spans.

    :raises DataError: the data cannot be read, or has no such layer.
    """
    source = catalog.sources.get(reference)
    kind = kind_of(reference, catalog, ctx)
    chosen = layer or _default_layer(reference, kind, catalog, ctx)
    if source:
        if chosen not in source.layers:
            raise DataError(f"source '{reference}' has no layer '{chosen}'", hint=nearest(chosen, source.layers))
        named = source.layers[chosen]
        scheme = catalog.schemas[named].scheme if named and named in catalog.schemas else None
        return load_corpus(reference, layer=chosen, kind=kind, scheme=scheme, catalog=catalog, ctx=ctx)
    plain = replace(ctx, settings=replace(ctx.settings, allow_new_labels=True, scheme="auto"))
    corpus = load_corpus(reference, layer=chosen, kind=kind, scheme=None, catalog=catalog, ctx=plain)
    if kind == "text" or not _are_tags(corpus.schema.labels):
        return corpus
    tagged: Scheme = "IOB2"
    return load_corpus(reference, layer=chosen, kind=kind, scheme=tagged, catalog=catalog, ctx=ctx)


def _default_layer(reference: str, kind: Kind, catalog: Catalog, ctx: LoadContext) -> str:
    if source := catalog.sources.get(reference):
        return next(iter(source.layers))
    named = [name for name in ctx.columns if name not in ROLES]
    return named[0] if named else "labels" if kind == "token" else "label"


def _are_tags(labels: tuple[str, ...]) -> bool:
    try:
        prefixes = {split_tag(label)[0] for label in labels}
    except DataError:
        return False
    return bool(prefixes - {"O"})

"""``labelkit.data.load``: labelled data as a ``datasets.DatasetDict``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.api.data import data_reference
from labelkit.config.environment import Environment
from labelkit.config.reading_options import ReadingOptions
from labelkit.config.requests import columns_text
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

if TYPE_CHECKING:
    from datasets import DatasetDict


def load(
    reference: str | Path,
    *,
    layer: str | None = None,
    columns: str | Mapping[str, str | int] | None = None,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
) -> DatasetDict:
    """Return the splits of a data reference as ``datasets`` keeps them, for training or looking at elsewhere.

    Each row has ``id``, ``tokens`` or ``text`` (and ``pair``, of pairs of texts), the labels of the layer as
    ``ClassLabel`` numbers, and ``document``.
    A validation split is there only where the data has one. :func:`labelkit.run` takes the result as data.

    :param reference: a source, a path, ``train=…,test=…``, or ``hub:ID``.
    :param layer: the layer of labels; None: the only one of a source, or the usual one.
    :param columns: which column holds what.
    :param settings: setting → value of ``data.``, as for ``--set``.
    :param home: the folder of the cache; default as for the command.
    :raises LabelkitError: the data cannot be read.

    >>> labelkit.data.load("wnut17")["train"].features["ner"]  # doctest: +SKIP
    """
    from labelkit.checks.loading import layers_to_check
    from labelkit.data.hf_datasets import dataset_dict, names_of_labels
    from labelkit.data.layer_schema import are_pairs, check_examples
    from labelkit.data.reading import kind_of, read_raw_corpus

    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    text = data_reference(reference)[0] or ""
    reading = ReadingOptions(columns=None if columns is None else columns_text(columns), settings=settings or {})
    ctx = reading.context(catalog, environment, Home.find(os.environ, explicit=home).cache)
    kind = kind_of(text, catalog, ctx)
    chosen = layers_to_check(layer, catalog.sources.get(text), kind, ctx)[0]
    within = replace(ctx, layer=chosen, kind=kind)
    raw = read_raw_corpus(text, kind, catalog, within)
    several, numeric, pairs = raw.multilabel, ctx.settings.numbers, are_pairs(raw.splits, within)
    for split, examples in raw.splits.items():
        check_examples(split, examples, chosen, kind, multilabel=several, numeric=numeric, pairs=pairs)
    names = [] if ctx.settings.numbers else names_of_labels(raw.splits, chosen)
    return dataset_dict(raw.splits, kind, {chosen: names}, multilabel=raw.multilabel, pairs=pairs)

"""The plugin ``core``: the records that core itself supplies."""

from __future__ import annotations

from collections.abc import Iterable

from labelkit import sample
from labelkit.data.sources import SCHEMAS, SOURCES
from labelkit.formats.builtin import FORMATS
from labelkit.hookspecs import hookimpl
from labelkit.inference.decoders import DECODERS
from labelkit.label import terminal
from labelkit.metrics import classification, multilabel, regression, seqeval_metrics
from labelkit.models.heads import HEADS
from labelkit.models.references import resolve_bundled, resolve_hub, resolve_path, resolve_tiny
from labelkit.records import Decoder, Encoder, Format, Head, Metric, Schema, Source


@hookimpl
def labelkit_sources() -> Iterable[Source]:
    """Yield the synthetic sample corpora and the public corpora that core can read."""
    yield Source(
        name="sample",
        kind="token",
        layers=sample.LAYERS,
        splits=tuple(sample.SIZES),
        load=sample.load_sentences,
        licence="Apache-2.0",
        summary="synthetic sentences made by labelkit, with names, parts of speech and chunks",
        counts=sample.SIZES,
        synthetic=True,
    )
    yield Source(
        name="sample-reviews",
        kind="text",
        layers={"label": "sample-sentiment"},
        splits=tuple(sample.REVIEW_SIZES),
        load=sample.load_reviews,
        licence="Apache-2.0",
        summary="synthetic short reviews made by labelkit, with sentiment",
        counts=sample.REVIEW_SIZES,
        synthetic=True,
    )
    yield from SOURCES


@hookimpl
def labelkit_schemas() -> Iterable[Schema]:
    """Yield the schemas of these corpora."""
    yield from (*sample.SCHEMAS, *SCHEMAS)


@hookimpl
def labelkit_formats() -> Iterable[Format]:
    """Yield the file formats, and the one for the terminal."""
    yield from FORMATS
    yield terminal.FORMAT


@hookimpl
def labelkit_metrics() -> Iterable[Metric]:
    """Yield the metrics of spans, tags, classes, numbers and sets of labels."""
    yield from (*seqeval_metrics.METRICS, *classification.METRICS, *regression.METRICS, *multilabel.METRICS)


@hookimpl
def labelkit_decoders() -> Iterable[Decoder]:
    """Yield the decoders."""
    yield from DECODERS


@hookimpl
def labelkit_heads() -> Iterable[Head]:
    """Yield the heads."""
    yield from HEADS


@hookimpl
def labelkit_encoders() -> Iterable[Encoder]:
    """Yield the kinds of model reference."""
    yield Encoder(name="bundled", resolve=resolve_bundled, summary="all-MiniLM-L6-v2, from the extra labelkit[bundled]")
    yield Encoder(name="path", resolve=resolve_path, summary="a local Hugging Face folder")
    yield Encoder(name="hub", resolve=resolve_hub, summary="org/name[@REVISION] on the Hugging Face Hub")
    yield Encoder(name="tiny", resolve=resolve_tiny, summary="a tiny random encoder, for tests: tiny:bert")

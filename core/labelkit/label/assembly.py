"""Complete input examples before inference, and assemble labelled records from scores after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import EncodedExamples, Window
from labelkit.inference.calibration import apply_temperature
from labelkit.inference.decoding import (
    WordSpan,
    count_changes,
    decode,
    decode_spans,
    label_sequences,
    repair_label_ids,
)
from labelkit.inference.score_blocks import confidences
from labelkit.inference.thresholds import threshold_array
from labelkit.label.records import rename_reserved_fields
from labelkit.labels.numbers import number_text
from labelkit.labels.spans import joined_offsets, offsets_of
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.records import Decoder, Example, Kind, Labelled, Scores, Span
from labelkit.records.examples import Offsets
from labelkit.text.splitters import Splitter

if TYPE_CHECKING:
    from labelkit.inference.engine import WordScores


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Examples ready for the model: completed, preprocessed and cut into windows."""

    examples: Sequence[Example]
    encoded: EncodedExamples

    @property
    def longest(self) -> int:
        """The most subwords of a window, special tokens included; 0 without windows."""
        return max((len(window.ids) for window in self.encoded.windows), default=0)

    def by_example(self) -> list[Self]:
        """Return a batch for each example."""
        windows: list[list[Window]] = [[] for _ in self.examples]
        for window in self.encoded.windows:
            windows[window.example].append(replace(window, example=0))
        return [
            replace(self, examples=[example], encoded=EncodedExamples(own, [coverage]))
            for example, own, coverage in zip(self.examples, windows, self.encoded.coverage, strict=True)
        ]

    @classmethod
    def joined(cls, batches: Sequence[PreparedBatch]) -> PreparedBatch:
        """Return one batch of the examples of several."""
        examples: list[Example] = []
        windows: list[Window] = []
        for batch in batches:
            start = len(examples)
            windows += [replace(window, example=start + window.example) for window in batch.encoded.windows]
            examples += batch.examples
        coverage = [one for batch in batches for one in batch.encoded.coverage]
        return PreparedBatch(examples, EncodedExamples(windows, coverage))


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The scores of a prepared batch, and the name of the engine that computed them."""

    scores: WordScores
    engine: str


def complete_example(example: Example, kind: Kind, splitter: Splitter) -> Example:
    """Return an example with its text, and for kind ``token`` with words and offsets; labels are dropped.

    Words without a text are joined by spaces. So are words that do not occur in their text, which then becomes an own
    field of the record.
    """
    extra = dict(example.extra)
    if example.document is not None:
        extra.setdefault("document", example.document)
    text, words, offsets = example.text, example.words, example.offsets
    if kind == "text":
        text = " ".join(words or ()) if text is None else text
        extra = rename_reserved_fields(extra, "text", pair=example.pair is not None)
        return replace(example, text=text, words=None, offsets=None, labels={}, extra=extra)
    if words is None:
        text = text or ""
        offsets = splitter(text)
        words = tuple([text[start:end] for start, end in offsets])
    elif text is not None and offsets is None:
        offsets = offsets_of(words, text)
    if offsets is None:
        if text is not None:
            extra["text"] = text
        text, offsets = " ".join(words), joined_offsets(words)
    extra = rename_reserved_fields(extra, "token")
    return replace(example, text=text, words=words, offsets=offsets, labels={}, extra=extra)


def assemble_records(
    batch: PreparedBatch, scored: ScoredBatch, info: CheckpointInfo, decoder: Decoder
) -> list[Labelled]:
    """Decode the scores of a batch and return a record for each of its examples.

    :raises LabelkitError: if the decoder fails.
    """
    found = scored.scores
    scores = Scores(
        values=found.values,
        lengths=found.lengths,
        schema=info.schema,
        parameters=found.parameters,
        thresholds=threshold_array(info.thresholds, info.schema),
    )
    ids = decode(decoder, scores)
    if info.schema.numeric:
        return _number_records(batch, ids.tolist(), scored.engine, info.run)
    if info.schema.multilabel:
        return _set_records(batch, ids, found.values, scored.engine, info)
    if info.kind == "text":
        values = apply_temperature(found.values, info.temperature)
        return _text_records(batch, ids.tolist(), values, scored.engine, info)
    confidence = confidences(found.values, ids, info.temperature)
    spans = decode_spans(ids, confidence, scores)
    repaired = repair_label_ids(ids, scores)
    changes = count_changes(ids, repaired, scores)
    rows = zip(batch.examples, label_sequences(repaired, scores), spans, batch.encoded.coverage, changes, strict=True)
    return [
        Labelled(
            id=example.id,
            text=example.text or "",
            words=example.words,
            labels=labels,
            spans=tuple([_text_span(example.text or "", example.offsets or (), span) for span in found_spans]),
            offsets=example.offsets or (),
            coverage=replace(coverage, repaired=changed) if changed else coverage,
            extra=example.extra,
            engine=scored.engine,
            run=info.run,
        )
        for example, labels, found_spans, coverage, changed in rows
    ]


def _text_records(
    batch: PreparedBatch, ids: list[int], values: NDArray[np.float32], engine: str, info: CheckpointInfo
) -> list[Labelled]:
    labels, run = info.schema.label_names, info.run
    probabilities = np.round(np.exp(values).astype(np.float64), 4).tolist()
    rows = zip(batch.examples, ids, probabilities, batch.encoded.coverage, strict=True)
    return [
        Labelled(
            id=example.id,
            text=example.text or "",
            pair=example.pair,
            label=labels[label],
            score=confidence[label],
            scores=dict(zip(labels, confidence, strict=True)),
            coverage=coverage,
            extra=example.extra,
            engine=engine,
            run=run,
        )
        for example, label, confidence, coverage in rows
    ]


def _set_records(
    batch: PreparedBatch,
    ids: NDArray[np.bool_],
    values: NDArray[np.float32],
    engine: str,
    info: CheckpointInfo,
) -> list[Labelled]:
    names, run = info.schema.label_names, info.run
    probabilities = np.round(np.exp(values).astype(np.float64), 4).tolist()
    rows = zip(batch.examples, ids, probabilities, batch.encoded.coverage, strict=True)
    return [
        Labelled(
            id=example.id,
            text=example.text or "",
            pair=example.pair,
            labels=tuple([names[column] for column in np.flatnonzero(chosen).tolist()]),
            scores=dict(zip(names, row, strict=True)),
            coverage=coverage,
            extra=example.extra,
            engine=engine,
            run=run,
        )
        for example, chosen, row, coverage in rows
    ]


def _number_records(batch: PreparedBatch, numbers: list[float], engine: str, run: str) -> list[Labelled]:
    rounded = [float(f"{number:.6g}") for number in numbers]
    return [
        Labelled(
            id=example.id,
            text=example.text or "",
            pair=example.pair,
            label=number_text(number),
            number=number,
            coverage=coverage,
            extra=example.extra,
            engine=engine,
            run=run,
        )
        for example, number, coverage in zip(batch.examples, rounded, batch.encoded.coverage, strict=True)
    ]


def _text_span(text: str, offsets: Offsets, span: WordSpan) -> Span:
    """Return a span of words as a span of the text."""
    start, end = offsets[span.first][0], offsets[span.stop - 1][1]
    return Span(start=start, end=end, label=span.label, text=text[start:end], score=span.score)

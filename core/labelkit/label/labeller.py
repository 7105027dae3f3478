"""A trained labeller: text or words in, labelled records out, nothing lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from labelkit.catalog import Catalog
from labelkit.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.data.preprocess import apply
from labelkit.data.schemes import spans_of
from labelkit.encode.align import Encoding, encode, encode_texts, surfaces_of, texts_of
from labelkit.errors import LabelkitError
from labelkit.label.decode import decode, sentences
from labelkit.label.splitters import find_splitter
from labelkit.records import Coverage, Decoder, Example, Labelled, Metric, Preprocessor, Scores, Span
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.label.engine import Engine, WordScores

#: sub-tokens in a batch, padding included
BUDGET = 4096


class Labeller:
    """What a run leaves: a checkpoint that labels new text. Get one from :func:`labelkit.load`."""

    def __init__(
        self, folder: Path, info: CheckpointInfo, decoder: Decoder, preprocessors: Sequence[Preprocessor]
    ) -> None:
        self.folder = folder
        self.info = info
        self._decoder = decoder
        self._preprocessors = tuple(preprocessors)
        self._splitter = find_splitter(info.splitter)
        self._engine = _engine(folder, info)

    @classmethod
    def open(cls, reference: str, home: Home, catalog: Catalog) -> Self:
        """Open the checkpoint of a run, or of a folder when ``reference`` is written with a separator.

        :raises LabelkitError: there is none, it is damaged, or a plugin that it needs is missing.
        """
        folder, files = locate(reference, home)
        info = read_checkpoint(folder, files)
        decoder = catalog.find("decoder", info.decoder)
        preprocessors = [
            _same_version(catalog.find("preprocessor", name), version) for name, version in info.preprocessors
        ]
        return cls(folder, info, decoder, preprocessors)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that it can give."""
        return self.info.schema.label_names

    def label(self, text: str | Sequence[str]) -> Labelled:
        """Label one text, or one sentence that is split into words already.

        Any text will do: every word gets exactly one label, and ``text[span.start:span.end] == span.text``.
        """
        return next(iter(self.label_all([text])))

    def label_all(self, texts: Iterable[str | Sequence[str]]) -> list[Labelled]:
        """Label some texts at once, in order."""
        given = [self._example(str(number), text) for number, text in enumerate(texts, 1)]
        examples = apply(self._preprocessors, given)
        if self.info.kind == "text":
            return self._label_texts(examples)
        encoded = encode(self._engine.encoding, surfaces_of(examples))
        found = self._engine.score(encoded.windows, [len(example.words or ()) for example in examples])
        return self._records(examples, found, encoded.coverage)

    def score(self, examples: Sequence[Example], metrics: Sequence[Metric]) -> dict[str, Any]:
        """Score gold examples of the checkpoint's layer with ``metrics``, as a run scores its test split.

        :raises LabelkitError: a metric failed.
        """
        from labelkit.evaluate.split import Scoring, score_split

        seen = apply(self._preprocessors, examples)
        schema, encoding = self.info.schema, self._engine.encoding
        texts = schema.kind == "text"
        encoded = encode_texts(encoding, texts_of(seen)) if texts else encode(encoding, surfaces_of(seen))
        scoring = Scoring(self.info.layer, schema, self._decoder, metrics)
        return score_split(self._engine, encoded.windows, seen, scoring)

    def _label_texts(self, examples: Sequence[Example]) -> list[Labelled]:
        encoded = encode_texts(self._engine.encoding, texts_of(examples))
        found = self._engine.score_texts(encoded.windows, len(examples))
        ids = decode(self._decoder, Scores(values=found.values, lengths=found.lengths, schema=self.info.schema))
        rows = zip(examples, ids.tolist(), np.exp(found.values).tolist(), encoded.coverage, strict=True)
        return [self._text_record(example, label, chances, covered) for example, label, chances, covered in rows]

    def _text_record(self, example: Example, label: int, chances: list[float], coverage: Coverage) -> Labelled:
        names = self.labels
        return Labelled(
            id=example.id,
            text=example.text or "",
            label=names[label],
            score=round(chances[label], 4),
            scores={name: round(chance, 4) for name, chance in zip(names, chances, strict=True)},
            coverage=coverage,
            extra=example.extra,
        )

    def _example(self, id_: str, text: str | Sequence[str]) -> Example:
        if self.info.kind == "text":
            return Example(id=id_, text=text if isinstance(text, str) else " ".join(text))
        if isinstance(text, str):
            offsets = self._splitter(text)
            return Example(id=id_, words=tuple(text[start:end] for start, end in offsets), text=text, offsets=offsets)
        words = tuple(text)
        return Example(id=id_, words=words, text=" ".join(words), offsets=_joined_offsets(words))

    def _records(self, examples: Sequence[Example], found: WordScores, coverage: Sequence[Coverage]) -> list[Labelled]:
        scores = Scores(values=found.values, lengths=found.lengths, schema=self.info.schema)
        ids = decode(self._decoder, scores)
        chances = np.exp(found.values[np.arange(len(ids)), ids])
        stops = np.cumsum(found.lengths)
        each = [chances[stop - length : stop].tolist() for stop, length in zip(stops, found.lengths, strict=True)]
        rows = zip(examples, sentences(ids, scores), each, coverage, strict=True)
        return [self._record(*row) for row in rows]

    def _record(self, example: Example, labels: tuple[str, ...], chances: list[float], coverage: Coverage) -> Labelled:
        text, offsets = example.text or "", example.offsets or ()
        return Labelled(
            id=example.id,
            text=text,
            words=example.words,
            labels=labels,
            spans=self._spans(text, offsets, labels, chances),
            offsets=offsets,
            coverage=coverage,
            extra=example.extra,
        )

    def _spans(
        self, text: str, offsets: tuple[tuple[int, int], ...], labels: tuple[str, ...], chances: list[float]
    ) -> tuple[Span, ...]:
        """Return the spans that the labels mean; a span's score is that of its least certain word.

        Plain labels make one span per word.
        """
        scheme = self.info.schema.scheme
        found = spans_of(labels, scheme) if scheme else [(i, i + 1, label) for i, label in enumerate(labels)]
        return tuple(
            Span(
                start=offsets[first][0],
                end=offsets[stop - 1][1],
                label=label,
                text=text[offsets[first][0] : offsets[stop - 1][1]],
                score=round(min(chances[first:stop]), 4),
            )
            for first, stop, label in found
        )


def _engine(folder: Path, info: CheckpointInfo) -> Engine:
    from labelkit.encode.model import load_classifier, quiet
    from labelkit.encode.tokenizer import load_tokenizer
    from labelkit.hardware import detect
    from labelkit.label.engine import Engine

    with quiet():
        model: Any = load_classifier(folder, info.schema, trained=True)
        tokenizer = load_tokenizer(folder)
    model = model.to(detect().type).eval()
    encoding = Encoding.of(tokenizer, info.max_length, info.overlap)
    return Engine(model, encoding, "fp32", BUDGET, info.schema.label_names.index(info.fallback))


def _joined_offsets(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    offsets, start = [], 0
    for word in words:
        offsets.append((start, start + len(word)))
        start += len(word) + 1
    return tuple(offsets)


def _same_version(preprocessor: Preprocessor, version: str) -> Preprocessor:
    if preprocessor.version != version:
        raise LabelkitError(
            f"trained with preprocessor '{preprocessor.name}' {version}, installed is {preprocessor.version}",
            hint="install the plugin's version of that time, or train again",
        )
    return preprocessor


def locate(reference: str, home: Home) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Return the checkpoint folder that a RUN means, and the files that the registry knows of it.

    :raises LabelkitError: there is no such run or folder, or the checkpoint is gone.
    """
    if "/" in reference or "\\" in reference:
        return Path(reference).expanduser(), {}
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        run = registry.find(reference, finished=True)
        folder = registry.checkpoint_folder(run.id)
        best = registry.show(run.id).best
    return folder, dict(best.files) if best else {}

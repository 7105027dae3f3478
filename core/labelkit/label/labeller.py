"""A trained labeller: text or words in, labelled records out, nothing lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from labelkit.data.preprocess import apply
from labelkit.encode.alignment import EncodedExamples, Encoding, encode, encode_texts, surfaces_of, texts_of
from labelkit.errors import LabelkitError, nearest
from labelkit.inference.calibration import apply_temperature
from labelkit.inference.decoding import WordSpan, count_changes, decode, decode_spans, label_sequences, repair_label_ids
from labelkit.label.records import rename_reserved_fields
from labelkit.labels.spans import joined_offsets, offsets_of
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.plugins.catalog import Catalog
from labelkit.records import Coverage, Decoder, Example, Labelled, Metric, Preprocessor, Scores, Span
from labelkit.registry import Home
from labelkit.text.splitters import find_splitter

if TYPE_CHECKING:
    from threading import Event

    from labelkit.hardware import Hardware
    from labelkit.inference.engine import Engine, WordScores
    from labelkit.inference.onnx.export import OnnxModel

#: records that are made at once of scores that are there
RECORDS = 2048
#: kind of device → sub-tokens in a batch, padding included, to begin with: on a processor what its caches hold
BUDGETS = {"cpu": 1024, "cuda": 65536}
TextInput = str | Sequence[str] | Example


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Examples that only wait for the model: words split, preprocessors applied, windows cut."""

    examples: Sequence[Example]
    encoded: EncodedExamples


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The scores of what was ready, and the name of the engine that gave them."""

    scores: WordScores
    engine: str


class Labeller:
    """What a run leaves: a checkpoint that labels new text. Get one from :func:`labelkit.load`.

    :param precision: ``"fp32"``; ``"bf16"``, quicker where the processor computes it natively, and now and then another
        label; or ``"auto"`` for whichever the hardware does well.
    :param engine: one of :data:`labelkit.inference.onnx.engine.ENGINES`; with ``"auto"`` many records go through
        OpenVINO or ONNX Runtime where that is installed and quicker.
    :param cache: where ONNX models are kept; None: torch does everything.
    """

    def __init__(
        self,
        folder: Path,
        info: CheckpointInfo,
        decoder: Decoder,
        preprocessors: Sequence[Preprocessor],
        precision: str = "fp32",
        engine: str = "auto",
        cache: Path | None = None,
    ) -> None:
        self.folder = folder
        self.info = info
        self._decoder = decoder
        self._preprocessors = tuple(preprocessors)
        self._splitter = find_splitter(info.splitter)
        self._engine = self._used = _engine(folder, info, precision, engine, cache)
        #: where it is worth while with many records to try another engine; None: nowhere
        self._cache = cache if engine == "auto" else None
        self._quick: Engine | None = None
        #: what went otherwise than planned, one line each
        self.notes: list[str] = []

    @classmethod
    def open(
        cls,
        reference: str,
        home: Home,
        catalog: Catalog,
        precision: str = "fp32",
        decoder: str | None = None,
        engine: str = "auto",
    ) -> Self:
        """Open the checkpoint of a run, or of a folder when ``reference`` is written with a separator.

        :param decoder: the name of another decoder than the one that the run chose.
        :raises LabelkitError: there is none, it is damaged, a plugin that it needs is missing, or the decoder does not
            fit.
        """
        folder, files = find_checkpoint(reference, home)
        info = read_checkpoint(folder, files)
        chosen = _decoder(catalog, decoder or info.decoder, info)
        preprocessors = [
            _same_version(catalog.find("preprocessor", name), version) for name, version in info.preprocessors
        ]
        return cls(folder, info, chosen, preprocessors, precision, engine, home.cache)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that it can give."""
        return self.info.schema.label_names

    @property
    def decoder(self) -> Decoder:
        """How scores become labels."""
        return self._decoder

    @property
    def engine(self) -> Engine:
        """What computed the last scores, or will compute the first ones."""
        return self._used

    @property
    def engines(self) -> str:
        """What computes the scores, by name: of the first records, and of the others where there are many."""
        quick = self._quicker()
        then = "" if quick is None else f", then {quick}-{self._engine.precision}"
        return f"{self._engine.name}{then} on {self._engine.model.device.type}"

    def label(self, text: str | Sequence[str]) -> Labelled:
        """Label one text, or one sentence that is split into words already.

        Any text will do: every word gets exactly one label, and ``text[span.start:span.end] == span.text``.
        """
        return next(iter(self.label_all([text])))

    def label_all(self, texts: Iterable[str | Sequence[str]]) -> list[Labelled]:
        """Label some texts at once, in order."""
        return self.finish(self.prepare([_numbered(number, text) for number, text in enumerate(texts, 1)]))

    def stream(self, texts: Iterable[TextInput]) -> Iterator[Labelled]:
        """Label any number of texts in bounded memory, in order; what comes is read as it is needed.

        :raises LabelkitError: one of them cannot be labelled.
        """
        from labelkit.label.stream import label_stream

        given = (each if isinstance(each, Example) else _numbered(n, each) for n, each in enumerate(texts, 1))
        found = chain.from_iterable(label_stream(self, given, strict=True))
        return (record for record in found if isinstance(record, Labelled))

    def score(self, examples: Sequence[Example], metrics: Sequence[Metric]) -> dict[str, Any]:
        """Score gold examples of the checkpoint's layer with ``metrics``, as a run scores its test split.

        :raises LabelkitError: a metric failed.
        """
        from labelkit.inference.prediction import ScoringOptions, score_split

        seen = apply(self._preprocessors, examples)
        scoring = ScoringOptions(self.info.layer, self.info.schema, self._decoder, metrics, self.info.temperature)
        return score_split(self._engine, self._encode(seen).windows, seen, scoring).figures

    def scores(self, examples: Sequence[Example]) -> tuple[WordScores, list[Coverage]]:
        """Return a log-probability for each label of each word (or text), and how each example was covered.

        :param examples: with words, or with texts for a labeller of texts; their labels are ignored.
        """
        from labelkit.inference.prediction import score_windows

        seen = apply(self._preprocessors, examples)
        encoded = self._encode(seen)
        text = self.info.kind == "text"
        lengths = np.array([1 if text else len(example.words or ()) for example in examples], np.int64)
        return score_windows(self._engine, encoded.windows, lengths, self.info.schema), encoded.coverage

    def records(
        self, examples: Sequence[Example], found: WordScores, coverage: Sequence[Coverage]
    ) -> Iterator[Labelled]:
        """Yield the records that :meth:`scores` means, a part of them at a time."""
        borders = np.concatenate(([0], np.cumsum(found.lengths)))
        for start in range(0, len(examples), RECORDS):
            stop = min(start + RECORDS, len(examples))
            words = slice(int(borders[start]), int(borders[stop]))
            part = replace(
                found, values=found.values[words], lengths=found.lengths[start:stop], covered=found.covered[words]
            )
            whole = [self._whole(example) for example in examples[start:stop]]
            ready = PreparedBatch(whole, EncodedExamples([], list(coverage[start:stop])))
            yield from self._records(ready, ScoredBatch(part, self._used.name))

    def prepare(self, examples: Sequence[Example]) -> PreparedBatch:
        """Do what can be done without the model; another thread may do it meanwhile.

        :param examples: each with a text, or words, or both; their labels are ignored.
        :raises LabelkitError: a preprocessor failed.
        """
        # a list: what is made when it is asked for would be made again and again
        seen = list(apply(self._preprocessors, [self._whole(example) for example in examples]))
        return PreparedBatch(seen, self._encode(seen))

    def compute(self, ready: PreparedBatch, *, many: bool = False, stop: Event | None = None) -> ScoredBatch:
        """Let the model score what :meth:`prepare` gave; another thread may do it meanwhile.

        :param many: there are so many records that a quicker engine pays for its start.
        :param stop: once it is set nobody waits for the scores.
        :raises LabelkitError: the engine failed.
        :raises labelkit.inference.engine.InferenceStoppedError: ``stop`` was set.
        """
        from labelkit.inference.onnx.engine import OnnxError

        self._used = self._quickest() if many else self._engine
        try:
            return self._computed(ready, stop)
        except OnnxError as error:
            if self._used is self._engine:
                raise
            self._used = self._only(self._engine, error)
            return self._computed(ready, stop)

    def finish(self, ready: PreparedBatch, computed: ScoredBatch | None = None) -> list[Labelled]:
        """Label what :meth:`prepare` gave.

        :param computed: what :meth:`compute` gave for it, where that was asked before.
        """
        return self._records(ready, self.compute(ready) if computed is None else computed)

    def with_onnx_model(self, model: OnnxModel, runtime: str) -> Self:
        """Return the same labeller with an ONNX model in place of torch's, whatever is known of that model."""
        from labelkit.inference.onnx.engine import with_onnx_model

        other = copy(self)
        other._engine = other._used = with_onnx_model(self._engine, model, runtime)
        other._cache, other._quick, other.notes = None, None, []
        return other

    def _quicker(self) -> str | None:
        from labelkit.inference.onnx.engine import faster_runtime

        return faster_runtime(self._engine, self._cache) if self._cache is not None else None

    def _quickest(self) -> Engine:
        """Return what is quickest with many records: once tried, it is kept."""
        from labelkit.inference.onnx.engine import load_onnx_engine

        if self._quick is None and self._cache is not None and (wanted := self._quicker()) is not None:
            try:
                self._quick = load_onnx_engine(self._engine, self.folder, wanted, self._cache)
            except LabelkitError as error:
                return self._only(self._engine, error)
        return self._quick or self._engine

    def _only(self, engine: Engine, error: LabelkitError) -> Engine:
        """Go on with ``engine`` alone, as the other one failed."""
        self.notes.append(f"{engine.name} alone: {error.message}")
        self._cache = self._quick = None
        return engine

    def _computed(self, ready: PreparedBatch, stop: Event | None) -> ScoredBatch:
        engine, windows = self._used, ready.encoded.windows
        if self.info.kind == "text":
            return ScoredBatch(engine.score_texts(windows, len(ready.examples), stop), engine.name)
        words = [len(example.words or ()) for example in ready.examples]
        return ScoredBatch(engine.score(windows, words, stop), engine.name)

    def _records(self, ready: PreparedBatch, computed: ScoredBatch) -> list[Labelled]:
        return self._label_texts(ready, computed) if self.info.kind == "text" else self._label_words(ready, computed)

    def _encode(self, examples: Sequence[Example]) -> EncodedExamples:
        if self.info.kind == "text":
            return encode_texts(self._engine.encoding, texts_of(examples))
        return encode(self._engine.encoding, surfaces_of(examples))

    def _whole(self, example: Example) -> Example:
        """Return the example with the text, and for a labeller of words with words and offsets."""
        extra = dict(example.extra)
        if example.document is not None:
            extra.setdefault("document", example.document)
        text, words, offsets = example.text, example.words, example.offsets
        if self.info.kind == "text":
            extra = rename_reserved_fields(extra, "text")
            text = " ".join(words or ()) if text is None else text
            return replace(example, text=text, words=None, offsets=None, labels={}, extra=extra)
        if words is None:
            text = text or ""
            offsets = self._splitter(text)
            words = tuple([text[start:end] for start, end in offsets])
        elif text is not None and offsets is None:
            offsets = offsets_of(words, text)
        if offsets is None:  # the words are given alone, or they are not those of the text
            if text is not None:
                extra["text"] = text
            text, offsets = " ".join(words), joined_offsets(words)
        extra = rename_reserved_fields(extra, "token")
        return replace(example, text=text, words=words, offsets=offsets, labels={}, extra=extra)

    def _label_texts(self, ready: PreparedBatch, computed: ScoredBatch) -> list[Labelled]:
        found = computed.scores
        ids = decode(self._decoder, Scores(values=found.values, lengths=found.lengths, schema=self.info.schema))
        values = apply_temperature(found.values, self.info.temperature)
        chances = np.round(np.exp(values).astype(np.float64), 4).tolist()
        rows = zip(ready.examples, ids.tolist(), chances, ready.encoded.coverage, strict=True)
        return [self._text_record(*row, computed.engine) for row in rows]

    def _text_record(
        self, example: Example, label: int, chances: list[float], coverage: Coverage, engine: str
    ) -> Labelled:
        return Labelled(
            id=example.id,
            text=example.text or "",
            label=self.labels[label],
            score=chances[label],
            scores=dict(zip(self.labels, chances, strict=True)),
            coverage=coverage,
            extra=example.extra,
            engine=engine,
        )

    def _label_words(self, ready: PreparedBatch, computed: ScoredBatch) -> list[Labelled]:
        found = computed.scores
        scores = Scores(values=found.values, lengths=found.lengths, schema=self.info.schema)
        ids = decode(self._decoder, scores)
        values = apply_temperature(found.values, self.info.temperature)
        chances = np.exp(values[np.arange(len(ids)), ids])
        spans = decode_spans(ids, chances, scores)
        fixed = repair_label_ids(ids, scores)
        repaired = count_changes(ids, fixed, scores)
        rows = zip(ready.examples, label_sequences(fixed, scores), spans, ready.encoded.coverage, repaired, strict=True)
        return [self._record(*row, computed.engine) for row in rows]

    def _record(
        self,
        example: Example,
        labels: tuple[str, ...],
        spans: list[WordSpan],
        coverage: Coverage,
        repaired: int,
        engine: str,
    ) -> Labelled:
        text, offsets = example.text or "", example.offsets or ()
        return Labelled(
            id=example.id,
            text=text,
            words=example.words,
            labels=labels,
            spans=tuple([_span(text, offsets, found) for found in spans]),
            offsets=offsets,
            coverage=replace(coverage, repaired=repaired) if repaired else coverage,
            extra=example.extra,
            engine=engine,
        )


def _numbered(number: int, given: str | Sequence[str]) -> Example:
    if isinstance(given, str):
        return Example(id=str(number), text=given)
    return Example(id=str(number), words=tuple(given))


def _span(text: str, offsets: tuple[tuple[int, int], ...], found: WordSpan) -> Span:
    """Return a span of words as one of the text; its score is that of its least certain word."""
    start, end = offsets[found.first][0], offsets[found.stop - 1][1]
    return Span(start=start, end=end, label=found.label, text=text[start:end], score=found.score)


def _engine(folder: Path, info: CheckpointInfo, precision: str, wanted: str, cache: Path | None) -> Engine:
    from labelkit.hardware import detect, precision_for
    from labelkit.inference.engine import Engine
    from labelkit.inference.onnx.engine import ENGINES, load_onnx_engine
    from labelkit.models import architectures
    from labelkit.models.loading import load_classifier, silence_transformers
    from labelkit.models.tokenizer import load_tokenizer

    if wanted not in ENGINES:
        raise LabelkitError(f"unknown engine '{wanted}'", hint=nearest(wanted, ENGINES))
    with silence_transformers():
        model: Any = load_classifier(folder, info.schema, trained=True)
        tokenizer = load_tokenizer(folder)
    onnx = wanted not in ("auto", "torch") and cache is not None
    hardware: Hardware = detect(cpu=onnx)
    model = model.to(hardware.type).eval()
    encoding = Encoding.of(tokenizer, info.max_length, info.overlap)
    chosen, _ = architectures.precision_for(model.config, precision_for(precision, hardware))
    fallback = info.schema.label_names.index(info.fallback)
    engine = Engine(model, encoding, chosen, BUDGETS[hardware.type], fallback)
    return load_onnx_engine(engine, folder, wanted, cache) if onnx and cache is not None else engine


def _decoder(catalog: Catalog, name: str, info: CheckpointInfo) -> Decoder:
    decoder: Decoder = catalog.find("decoder", name)
    if decoder.kind != info.kind:
        fitting = [known for known, other in catalog.decoders.items() if other.kind == info.kind]
        raise LabelkitError(
            f"decoder '{name}' is for kind {decoder.kind}, the labeller is of kind {info.kind}",
            hint=f"known: {', '.join(fitting)}",
        )
    return decoder


def _same_version(preprocessor: Preprocessor, version: str) -> Preprocessor:
    if preprocessor.version != version:
        raise LabelkitError(
            f"trained with preprocessor '{preprocessor.name}' {version}, installed is {preprocessor.version}",
            hint="install the plugin's version of that time, or train again",
        )
    return preprocessor


def find_checkpoint(reference: str, home: Home) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Return the checkpoint folder that a RUN means, and the files that the registry knows of it.

    :raises LabelkitError: there is no such run or folder, or the checkpoint is gone.
    """
    if "/" in reference or "\\" in reference:
        return Path(reference).expanduser(), {}
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        run = registry.runs.find(reference, finished=True)
        folder = registry.runs.checkpoint_folder(run.id)
        best = registry.runs.get(run.id).best
    return folder, dict(best.files) if best else {}

"""The labeller of a checkpoint: it predicts labels for texts and words, losslessly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from labelkit.config.environment import Environment
from labelkit.data.preprocess import apply
from labelkit.encode.alignment import EncodedExamples, Encoding, encode, encode_texts, surfaces_of, texts_of
from labelkit.encode.running_text import encode_running, texts_with_words
from labelkit.errors import ModelError
from labelkit.inference.score_blocks import blocks
from labelkit.label.assembly import PreparedBatch, ScoredBatch, assemble_records, complete_example
from labelkit.label.engine_selection import EngineSelector
from labelkit.label.loading import (
    EngineOptions,
    find_decoder,
    find_first_task,
    find_head,
    find_preprocessors,
    load_engine,
)
from labelkit.label.operating_points import OperatingPoint, find_operating_points
from labelkit.label.plugin_settings import CheckpointContext, checkpoint_context
from labelkit.label.records import apply_thresholds, drop_low_scores
from labelkit.label.text_inputs import TextInput, check_pair, numbered_examples
from labelkit.labels.numbers import refuse_numbers
from labelkit.models.adoption import AdoptionOptions
from labelkit.models.checkpoint import CheckpointInfo, read_train_mentions
from labelkit.models.checksums import ChecksumMemory
from labelkit.plugins.catalog import Catalog
from labelkit.records import Context, Coverage, Decoder, Example, Labelled, Mentions, Metric, Preprocessor, TextPair
from labelkit.registry import Home
from labelkit.registry.checkpoint_folders import Reference, ResolvedCheckpoint, resolve_checkpoint
from labelkit.text.splitters import find_splitter

if TYPE_CHECKING:
    from threading import Event

    import datasets
    from numpy.typing import NDArray

    from labelkit.inference.engine import Engine, WordScores
    from labelkit.inference.onnx.export import OnnxModel
    from labelkit.label.probabilities import Probabilities
    from labelkit.settings import FileScheme, SplitterName

#: records assembled at once from existing scores
RECORDS = 2048


class Labeller:
    """The labeller of a checkpoint. Get one from :func:`labelkit.load`.

    :param cache: folder of ONNX models, for a faster engine on large inputs; None: ``engine`` computes everything.
    :param context: in which functions of plugins are called; None: that of no settings.
    """

    def __init__(
        self,
        folder: Path,
        info: CheckpointInfo,
        decoder: Decoder,
        preprocessors: Sequence[Preprocessor],
        engine: Engine,
        cache: Path | None = None,
        context: CheckpointContext | None = None,
    ) -> None:
        self.folder = folder
        self.info = info
        self._context = context or CheckpointContext(Context())
        self._decoder = decoder
        self._preprocessors = tuple(preprocessors)
        self._splitter = find_splitter(info.splitter)
        self._selector = EngineSelector(engine, folder, cache)
        self._points: Mapping[str, OperatingPoint] = {}

    @classmethod
    def open(
        cls,
        reference: Reference,
        home: Home,
        catalog: Catalog,
        precision: str = "fp32",
        decoder: str | None = None,
        engine: str = "auto",
        device: str = "auto",
        splitter: str | None = None,
        *,
        task: str | None = None,
        all_tasks: bool = False,
        scheme: str | None = None,
        operating_point: str | None = None,
        trial: bool = False,
        verify: bool = False,
    ) -> Labeller:
        """Open the checkpoint of a run, of a folder written with a separator, or of ``hub:org/name[@REVISION]``.

        :param precision: ``"fp32"``; ``"bf16"``, faster where the processor computes it natively, with a different
            label now and then; or ``"auto"`` for the one that the hardware is good at.
        :param decoder: name of the decoder; None for the run's own.
        :param engine: one of :data:`labelkit.inference.onnx.engine.ENGINES`; with ``"auto"`` the ONNX model beside the
            checkpoint is loaded, without torch, where there is one, and large inputs are labelled by OpenVINO or ONNX
            Runtime if one is installed and faster.
        :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
        :param splitter: how raw text is split into words; None for the checkpoint's own.
        :param task: of a checkpoint of several tasks the one to label with; None for the first.
        :param all_tasks: label with all tasks where there are several and none is chosen.
        :param scheme: the tagging scheme of the labels of a model that labelkit did not train; None: by their names.
        :param operating_point: leave out labels scored below the threshold of their type that reaches this precision
            or recall on validation, see :func:`labelkit.label.operating_points.parse_targets`.
        :param trial: a contract check labels made-up data, see :attr:`labelkit.Context.trial`.
        :param verify: compute the checksums of all files, also of those that have not changed since they were computed.
        :raises LabelkitError: there is no such checkpoint, it is damaged, or a part that it needs is missing or unfit.
        """
        if splitter is not None:
            find_splitter(splitter)
        offline, checksums = Environment.read().offline, ChecksumMemory(home.cache, verify=verify)
        said = AdoptionOptions(splitter=cast("SplitterName", splitter), scheme=cast("FileScheme", scheme))
        resolved = resolve_checkpoint(
            reference, home, catalog.tasks, offline=offline, options=said, checksum=checksums.sha256
        )
        how = EngineOptions(precision, decoder, engine, device, offline, trial)
        chosen = None if all_tasks and task is None and resolved.info.others else task or resolved.info.task
        infos = resolved.info.of_tasks if chosen is None else {chosen: resolved.info.of_task(chosen)}
        points = {} if operating_point is None else find_operating_points(operating_point, infos, home, decoder)
        return cls._of_tasks(resolved, chosen, catalog, home, how, checksums, points)

    @classmethod
    def _of_tasks(
        cls,
        resolved: ResolvedCheckpoint,
        task: str | None,
        catalog: Catalog,
        home: Home,
        how: EngineOptions,
        checksums: ChecksumMemory,
        points: Mapping[str, OperatingPoint],
    ) -> Labeller:
        """Return the labeller of one task of a checkpoint, or of all of several for None, at its operating points."""
        labeller: Labeller
        if task is None:
            from labelkit.label.joint_loading import load_joint_labeller

            labeller = load_joint_labeller(resolved.folder, resolved.info, catalog, how, home.cache, checksums.sha256)
            checksums.save()
        else:
            labeller = cls._of_task(resolved, task, catalog, home, how, checksums)
        labeller._points = points
        return labeller

    @classmethod
    def _of_task(
        cls,
        resolved: ResolvedCheckpoint,
        task: str,
        catalog: Catalog,
        home: Home,
        how: EngineOptions,
        checksums: ChecksumMemory,
    ) -> Self:
        """Return the labeller of one task of a checkpoint."""
        folder, whole, info = resolved.folder, resolved.info, resolved.info.of_task(task)
        found = checkpoint_context(info, catalog, offline=how.offline, trial=how.trial)
        chosen = find_decoder(catalog, how.decoder or info.decoder, info, found.context)
        preprocessors = find_preprocessors(catalog, info, found.context)
        head, first = find_head(catalog, info), find_first_task(catalog, whole, task)
        loaded = load_engine(
            folder,
            info,
            head,
            how.precision,
            how.engine,
            home.cache,
            found.context,
            how.device,
            checksums.sha256,
            first,
        )
        checksums.save()
        labeller = cls(folder, info, chosen, preprocessors, loaded.engine, context=found)
        if how.engine == "auto" and (first is None or loaded.kept):  # other ONNX models are those of the first task
            labeller._selector = EngineSelector(loaded.engine, folder, home.cache, loaded.kept)
        labeller._selector.notes += [loaded.note] if loaded.note else []
        return labeller

    @property
    def checkpoint_context(self) -> CheckpointContext:
        """The context of the checkpoint's plugins."""
        return self._context

    @property
    def preprocessors(self) -> tuple[Preprocessor, ...]:
        """The preprocessors of its examples, in order."""
        return self._preprocessors

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that it predicts."""
        return self.info.schema.label_names

    @property
    def decoder(self) -> Decoder:
        """The decoder, which turns scores into labels."""
        return self._decoder

    @property
    def encoding(self) -> Encoding:
        """How it turns examples into windows of subwords."""
        return self._selector.loaded.encoding

    @property
    def engine(self) -> Engine:
        """The engine that computed the last scores, or will compute the first ones."""
        return self._selector.current

    @property
    def engines(self) -> str:
        """The names of its engines: of the one for the first records, and of a faster one for large inputs."""
        return self._selector.description

    @property
    def notes(self) -> list[str]:
        """Failures of the faster engine, settings that plugins have gained since training, and targets of the operating
        point that are not reached, one line each.
        """
        of_points = [note for point in self._points.values() for note in point.notes]
        return [*self._context.notes, *self._selector.notes, *of_points]

    @property
    def operating_points(self) -> Mapping[str, OperatingPoint]:
        """The operating point of each task; empty where all labels are kept."""
        return self._points

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed of a model that labelkit did not train and that is no run, a sentence each."""
        return self.info.assumptions if self.info.run == self.info.adopted else ()

    @property
    def context(self) -> Context:
        """The context in which functions of plugins are called."""
        return self._context.context

    def label(self, text: str | Sequence[str] | TextPair, *, min_score: float | None = None) -> Labelled:
        """Label one text or one pair of texts, or for a labeller of words one sentence that is split into words.

        Works for any text: every word gets exactly one label, and ``text[span.start:span.end] == span.text``.

        :param min_score: leave out spans, or the label of a text, with a lower score.
        :raises LabelkitError: it is neither; a labeller of texts takes no list.
        """
        return next(iter(self.label_all([text], min_score=min_score)))

    def label_all(self, texts: Iterable[TextInput], *, min_score: float | None = None) -> list[Labelled]:
        """Label several texts at once and return the records in order.

        :param min_score: leave out spans, or labels of texts, with a lower score.
        :raises LabelkitError: one is no text; names its position.
        """
        records = self.finish(self.prepare(list(numbered_examples(texts, self.info.kind))))
        return records if min_score is None else [self.above(min_score, record) for record in records]

    def probabilities(self, texts: Iterable[TextInput]) -> Probabilities:
        """Return the calibrated probabilities of all labels for each text, or each word of each text.

        >>> found = labeller.probabilities(["A fine film.", "A bad one."])  # doctest: +SKIP
        >>> found.labels, found.values.shape  # doctest: +SKIP
        (('negative', 'positive'), (2, 2))

        :raises LabelkitError: the labeller predicts numbers, or one is no text.
        """
        from labelkit.label.probabilities import predict_probabilities

        return predict_probabilities(self, texts)

    def label_dataset(
        self,
        dataset: datasets.Dataset,
        *,
        column: str | None = None,
        pair: str | None = None,
        prefix: str = "predicted_",
        min_score: float | None = None,
    ) -> datasets.Dataset:
        """Return a ``datasets.Dataset`` with the labels of its rows as further columns.

        A labeller of words adds ``predicted_words``, ``predicted_labels`` and ``predicted_spans``, one of texts
        ``predicted_label`` and ``predicted_score``. With several tasks the name of the task follows ``predicted_``.
        Rows are labelled a thousand at a time; the result of a dataset on disk is written to its cache.

        :param column: of texts, or of words; None: ``tokens``, ``text`` and the like.
        :param pair: the column of second texts, for a labeller of pairs; None: ``pair`` or ``text_pair``.
        :param prefix: of the names of the new columns.
        :param min_score: leave out spans, or labels of texts, with a lower score.
        :raises LabelkitError: there is no such column, a new one exists already, or a row cannot be labelled.
        """
        from labelkit.label.dataset_columns import label_dataset

        return label_dataset(self, dataset, column=column, pair=pair, prefix=prefix, min_score=min_score)

    def stream(self, texts: Iterable[TextInput], *, min_score: float | None = None) -> Iterator[Labelled]:
        """Label any number of texts in order and in bounded memory; ``texts`` is read lazily.

        :param min_score: leave out spans, or labels of texts, with a lower score.
        :raises LabelkitError: if a text cannot be labelled.
        """
        from labelkit.label.stream import label_stream

        examples = numbered_examples(texts, self.info.kind)
        results = chain.from_iterable(label_stream(self, examples, strict=True))
        records = (record for record in results if isinstance(record, Labelled))
        return records if min_score is None else (self.above(min_score, record) for record in records)

    def score(
        self,
        examples: Sequence[Example],
        metrics: Sequence[Metric],
        train_mentions: Callable[[], Mentions] | None = None,
    ) -> dict[str, Any]:
        """Compute metrics on gold examples of the checkpoint's layer, as a run does on its test split.

        :param train_mentions: see :attr:`labelkit.Predictions.train_mentions`; None: those that the checkpoint keeps.
        :raises LabelkitError: if a metric fails.
        """
        from labelkit.inference.prediction import ScoringOptions, score_split

        prepared = apply(self._preprocessors, examples)
        kept = read_train_mentions(self.folder) if train_mentions is None else None
        mentions = train_mentions if kept is None else lambda: kept
        info = self.info
        options = ScoringOptions(
            layer=info.layer,
            schema=info.schema,
            decoder=self._decoder,
            metrics=metrics,
            temperature=info.temperature,
            train_mentions=mentions,
            thresholds=info.thresholds,
        )
        return score_split(self._selector.loaded, self._encode(prepared).windows, prepared, options).figures

    def scores(self, examples: Sequence[Example]) -> tuple[WordScores, list[Coverage]]:
        """Return a log-probability for each label of each word (or text), and the coverage of each example.

        :param examples: with words, or with texts for a labeller of texts; labels are ignored.
        """
        from labelkit.inference.prediction import score_windows

        encoded = self._encode(apply(self._preprocessors, examples))
        text = self.info.kind == "text"
        lengths = np.array([1 if text else len(example.words or ()) for example in examples], np.int64)
        found = score_windows(self._selector.loaded, encoded.windows, lengths, self.info.schema)
        self._check_finite(found)
        return found, encoded.coverage

    def decode(self, found: WordScores) -> NDArray[Any]:
        """Return what the decoder predicts by scores from :meth:`scores`, without what the operating point leaves out.

        Plain labels of words, and those of texts with one label, are all there: there is no id for none.
        """
        from labelkit.inference.prediction import decode_scores
        from labelkit.inference.scored_labels import labels_above, threshold_of_types

        info = self.info
        ids = decode_scores(found, self._decoder, info.schema, info.thresholds)
        point = self._points.get(info.task)
        if point is None:
            return ids
        return labels_above(
            found, ids, info.schema, info.temperature, threshold_of_types(point.thresholds, info.schema)
        )

    def records(
        self, examples: Sequence[Example], found: WordScores, coverage: Sequence[Coverage]
    ) -> Iterator[Labelled]:
        """Yield the records of scores from :meth:`scores`."""
        borders = np.concatenate(([0], np.cumsum(found.lengths)))
        for start in range(0, len(examples), RECORDS):
            stop = min(start + RECORDS, len(examples))
            words = slice(int(borders[start]), int(borders[stop]))
            part = replace(
                found, values=found.values[words], lengths=found.lengths[start:stop], covered=found.covered[words]
            )
            completed = [self._complete(example) for example in examples[start:stop]]
            batch = PreparedBatch(completed, EncodedExamples([], list(coverage[start:stop])))
            yield from self.finish(batch, ScoredBatch(part, self.engine.name))

    def prepare(self, examples: Sequence[Example]) -> PreparedBatch:
        """Split, preprocess and encode examples: everything before inference; thread-safe.

        :param examples: each with a text, words, or both; labels are ignored.
        :raises LabelkitError: if a preprocessor fails.
        """
        # a list, because a lazy sequence would be computed at every access
        completed = list(apply(self._preprocessors, [self._complete(example) for example in examples]))
        return PreparedBatch(completed, self._encode(completed))

    def compute(self, batch: PreparedBatch, *, large: bool = False, stop: Event | None = None) -> ScoredBatch:
        """Run inference on a batch; in as many threads at a time as the engine has streams, once that is loaded.

        :param large: the input is so large that a faster engine is worth its loading time.
        :param stop: event that cancels inference.
        :raises LabelkitError: if the engine fails, or scores are not finite.
        :raises labelkit.inference.engine.InferenceStoppedError: if ``stop`` is set.
        """
        windows, examples = batch.encoded.windows, batch.examples

        def score(engine: Engine) -> WordScores:
            if self.info.kind == "text":
                return engine.score_texts(windows, len(examples), stop)
            return engine.score(windows, [len(example.words or ()) for example in examples], stop)

        scores = self._selector.compute(score, large=large)
        self._check_finite(scores)
        return ScoredBatch(scores, self.engine.name)

    def finish(self, batch: PreparedBatch, scored: ScoredBatch | None = None) -> list[Labelled]:
        """Decode a batch and return its records in order.

        :param scored: the result of :meth:`compute`; None to compute it now.
        """
        records = assemble_records(batch, scored or self.compute(batch), self.info, self._decoder)
        return self.at_operating_point(records, self.info)

    def at_operating_point(self, records: list[Labelled], info: CheckpointInfo) -> list[Labelled]:
        """Return the records of a task without the labels that its operating point leaves out."""
        point = self._points.get(info.task)
        if point is None:
            return records
        return [apply_thresholds(record, point.thresholds, info.schema.scheme) for record in records]

    def with_onnx_model(self, model: OnnxModel, runtime: str) -> Self:
        """Return the same labeller with an ONNX model as its only engine, whether it was accepted or not."""
        from labelkit.inference.onnx.engine import with_onnx_model

        other = copy(self)
        other._selector = EngineSelector(with_onnx_model(self._selector.loaded, model, runtime), self.folder, None)
        return other

    def above(self, min_score: float, record: Labelled) -> Labelled:
        """Return a record without what is scored lower.

        :raises LabelkitError: the labeller predicts numbers, which have no scores.
        """
        refuse_numbers(self.info.schema, "min_score")
        return drop_low_scores(record, min_score, self.info.schema.scheme)

    def _check_finite(self, found: WordScores) -> None:
        """Raise if a score is NaN or infinite: every decoder would make labels of it, in silence the first ones.

        A label may be impossible, of a log-probability of minus infinity.

        :raises ModelError: one is.
        """
        values = found.values
        if any((np.isnan(values[block]) | np.isposinf(values[block])).any() for block in blocks(values)):
            raise ModelError(
                f"checkpoint {self.folder} computes scores that are not finite numbers",
                hint="its weights are damaged, or its training diverged: label with another run, or train again",
            )

    def _encode(self, examples: Sequence[Example]) -> EncodedExamples:
        encoding = self.encoding
        for example in examples:
            check_pair(example, self.info)
        if self.info.kind == "text":
            return encode_texts(encoding, texts_of(examples))
        if self.info.tokenizer_input == "text":
            return encode_running(encoding, texts_with_words(examples))
        return encode(encoding, surfaces_of(examples))

    def _complete(self, example: Example) -> Example:
        return complete_example(example, self.info.kind, self._splitter)

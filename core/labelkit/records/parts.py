"""The parts that plugins yield: tasks, sources, formats, preprocessors, metrics, decoders, encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.records.evaluate_modules import from_module
from labelkit.records.examples import Example, Kind, Labels, LoadContext, Schema
from labelkit.records.labelled import Labelled, Output
from labelkit.settings import Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A named corpus.

    :param layers: layer name → the name of its schema, or None for one taken from train.
    :param splits: the splits that ``load`` knows, e.g. ``("train", "validation", "test")``.
    :param load: ``load(split, ctx)`` gives the split's examples, the same ones each time.
    :param counts: split → number of examples, where the corpus is fixed.
    :param synthetic: made by a program; scores on it say nothing about real text.
    """

    name: str
    kind: Kind
    layers: Mapping[str, str | None]
    splits: tuple[str, ...]
    load: Callable[[str, LoadContext], Iterable[Example]]
    licence: str
    summary: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    synthetic: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A file format: how labelled text is read, and how it is written.

    :param kinds: which kinds of example it can hold.
    :param suffixes: file endings without ``.gz``, e.g. ``(".conll",)``.
    :param read: ``read(path, ctx)`` yields examples with raw labels; None when it only writes.
    :param write: ``write(records, output)`` consumes the records one by one; None when it only reads.
    :param needs_file: what it writes is nothing for a terminal or a pipe, e.g. because it is binary.
    """

    name: str
    kinds: tuple[Kind, ...]
    suffixes: tuple[str, ...]
    read: Callable[[Path, LoadContext], Iterable[Example]] | None = None
    write: Callable[[Iterable[Labelled], Output], None] | None = None
    summary: str = ""
    needs_file: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessor:
    """A change to what the tokenizer sees.

    It runs in training and in labelling alike.

    :param apply: returns the example with :attr:`Example.surface` set: as many words as before; ``words``, ``text`` and
        ``offsets`` untouched.
    :param version: to be raised with every change of behaviour: a checkpoint asks for the one that it was trained with.
    """

    name: str
    kind: Kind
    apply: Callable[[Example], Example]
    version: str = "1"
    summary: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What a metric compares, at word level over all gold words.

    :param references: gold labels, one tuple per sentence (``token``) or one label per text (``text``).
    :param predictions: predicted labels in the same shape.
    :param scores: log-probabilities, float32 of shape (words or texts, labels), where they are known.
    """

    references: Sequence[Labels]
    predictions: Sequence[Labels]
    schema: Schema
    scores: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What the figures of a metric are made of, so that intervals and tests of significance come in a moment.

    :param rows: counts of each sentence (or text), float64 of shape (examples, counts).
    :param figures: ``figures(sums)`` of summed rows, of shape (..., counts), gives names → arrays of shape (...), NaN
        where undefined; ``per_type`` may hold a mapping of type → figures.
    """

    rows: NDArray[np.float64]
    figures: Callable[[NDArray[np.float64]], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A score.

    :param compute: gives names → figures; ``per_type`` may hold a mapping of type → figures.
    :param key: the figure that ranks checkpoints, e.g. ``"f1"``.
    :param higher_is_better: False for a figure that should fall, such as an error rate.
    :param counts: gives what the figures are made of, for a metric that is a function of sums over sentences.
    """

    name: str
    kind: Kind
    compute: Callable[[Predictions], Mapping[str, Any]]
    key: str
    higher_is_better: bool = True
    summary: str = ""
    counts: Callable[[Predictions], Counts] | None = None

    @classmethod
    def from_evaluate(
        cls,
        module: Callable[[], Any] | str | Path,
        *,
        name: str,
        kind: Kind,
        key: str,
        higher_is_better: bool = True,
        summary: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Metric:
        """Wrap an ``evaluate.EvaluationModule``: one that ``module()`` makes when it is first needed, or one on disk.

        :param module: makes it, or the path of its file or folder.
        :param options: further arguments of its ``compute``, e.g. ``{"average": "macro"}``.
        """
        compute = from_module(module, kind, options)
        return cls(name=name, kind=kind, compute=compute, key=key, higher_is_better=higher_is_better, summary=summary)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What a decoder turns into labels: many sentences (or texts) at once.

    :param values: log-probabilities, float32 of shape (words, labels); sentences lie one after the other.
    :param lengths: words of each sentence, int64 of shape (sentences,); all 1 for kind ``text``.
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int64]
    schema: Schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoder:
    """How scores become labels.

    :param decode: returns label ids, an int64 array of shape (words,); for a multi-label schema a bool array of shape
        (texts, labels).
    """

    name: str
    kind: Kind
    decode: Callable[[Scores], NDArray[Any]]
    summary: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedEncoder:
    """A model reference made concrete: a local Hugging Face folder.

    :param folder: where its files are.
    :param revision: the commit or package version it came from.
    :param sha256: of its weights file, in hex.
    """

    folder: Path
    revision: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoder:
    """A kind of model reference, ``name`` or ``name:rest``.

    :param resolve: ``resolve(rest, ctx)`` finds the model's folder, core loads it; a model that is not there is a
        ``LabelkitError``.
    """

    name: str
    resolve: Callable[[str, LoadContext], ResolvedEncoder]
    summary: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A labelling task: data that names its parts.

    :param layer: the layer of the examples that it learns.
    :param source: the source used when no ``--data`` is given.
    :param preprocess: names of preprocessors, in order.
    :param metrics: names of metrics; the first one chooses the checkpoint.
    :param decoder: the name of the decoder.
    :param recipes: the folder of its ``NAME.toml`` recipes.
    :param examples: a handful of gold examples, used by contract checks, docs and smoke runs.
    :param scheme: the tagging scheme of its labels; None when they are plain labels.
    """

    name: str
    summary: str
    kind: Kind
    layer: str
    source: str
    metrics: tuple[str, ...]
    preprocess: tuple[str, ...] = ()
    decoder: str = "argmax"
    recipes: Path | None = None
    examples: tuple[Example, ...] = ()
    scheme: Scheme | None = None

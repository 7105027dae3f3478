"""The frozen records that flow between plugins and core.

Records are keyword-only. New fields come with defaults, so a plugin written today keeps working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from labelkit.errors import DataError
from labelkit.versioning import deprecate_fields

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["token", "text"]
Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU"]
Labels = tuple[str, ...] | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an example stands in a file.

    :param file: the path as the user gave it.
    :param line: the line of its first word or of its record, counted from 1.
    :param word_lines: the line of each word where words have lines of their own; else empty.
    """

    file: str
    line: int
    word_lines: Sequence[int] = ()

    def of_word(self, index: int) -> str:
        """Return ``file:line`` of the word at ``index``."""
        return f"{self.file}:{self.word_lines[index] if self.word_lines else self.line}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One labelled sentence (kind ``token``) or one labelled text (kind ``text``).

    :param id: unique within its split.
    :param words: the words, for kind ``token``.
    :param text: the text; for kind ``token`` the one that ``offsets`` refer to, where there is one.
    :param labels: layer name → one label per word (``token``) or one label (``text``).
    :param document: which document it belongs to; borders are kept when a validation split is carved.
    :param extra: the caller's own fields, carried through labelling untouched.
    :param offsets: start and end of each word in ``text``, in code points.
    :param surface: what the tokenizer sees instead of ``words`` or ``text``; set by preprocessors only.
    :param place: where it was read, for messages.
    """

    id: str
    words: tuple[str, ...] | None = None
    text: str | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    document: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    offsets: tuple[tuple[int, int], ...] | None = None
    surface: Labels | None = None
    place: Place | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The labels of one layer, in the order of their ids.

    Give ``types`` and a ``scheme`` for spans, or plain ``labels``.

    :param types: span types, e.g. ``("person", "location")``.
    :param labels: plain labels, e.g. part-of-speech tags or classes.
    :param scheme: how spans become one label per word; None for plain labels.
    :param multilabel: whether an example may carry several of the labels (kind ``text``).
    """

    name: str
    kind: Kind
    types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    scheme: Scheme | None = None
    multilabel: bool = False

    def __post_init__(self) -> None:
        if self.scheme is None and not self.labels:
            raise DataError(f"schema '{self.name}' needs either types and a scheme, or labels")
        if (self.scheme and self.labels) or (self.types and not self.scheme):
            raise DataError(f"schema '{self.name}' mixes span types and plain labels")
        names = self.types or self.labels
        if len(set(names)) != len(names) or "" in names:
            raise DataError(f"schema '{self.name}' has an empty or repeated label")

    @classmethod
    def bio(cls, name: str, *types: str) -> Schema:
        """Return a token schema of span ``types`` in the IOB2 scheme.

        >>> Schema.bio("pets", "cat").label_names
        ('O', 'B-cat', 'I-cat')
        """
        return cls(name=name, kind="token", types=types, scheme="IOB2")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Every label, closed under the scheme, in the order of their ids."""
        if self.scheme is None:
            return self.labels
        prefixes = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}[self.scheme]
        return ("O", *(f"{prefix}-{type_}" for type_ in self.types for prefix in prefixes))


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadContext:
    """What a source, format or encoder may know of its surroundings; plugins read no environment.

    :param root: the folder of corpora (``LABELKIT_DATA``), where it is set.
    :param path: the folder or file that the user named for this source.
    :param cache: a folder that may be created and filled.
    :param offline: no network may be used.
    :param revision: the wanted revision of a Hub repository.
    :param encoding: how text files are encoded.
    :param columns: field name → column name or number, from ``--columns``.
    :param options: the plan's other ``data.`` settings.
    :param origins: split → where a source really took it from, e.g. ``hub:ID@COMMIT:train``; for the source to fill
        in where its name does not tell, so that the run records it.
    """

    root: Path | None = None
    path: Path | None = None
    cache: Path = Path("labelkit-runs/cache")
    offline: bool = False
    revision: str | None = None
    encoding: str = "utf-8"
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    origins: MutableMapping[str, str] = field(default_factory=dict)

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield ``(number, line)`` of a text file, plain or ``.gz``, counted from 1, without line ends.

        :raises DataError: the file is missing, or not in :attr:`encoding` (names the byte offset).
        """
        from labelkit.data.files import read_lines

        return read_lines(path, self.encoding)

    def folder(self, name: str) -> Path:
        """Return :attr:`path`, or else the folder ``name`` under :attr:`root`.

        :raises DataError: neither exists.
        """
        from labelkit.data.files import corpus_folder

        return corpus_folder(name, self.path, self.root)


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
class Span:
    """A labelled stretch of text: ``text[start:end]``, in code points, ``end`` exclusive.

    :param start: where it begins in the record's text.
    :param end: where it ends, exclusive.
    :param label: its type, without the prefix of a tagging scheme.
    :param text: what stands there.
    :param score: how sure the labeller is, from 0 to 1; None for labels that were read.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How an input was covered, so that nothing is lost in silence.

    :param words: words of the input (1 for a whole text).
    :param windows: windows the encoder read.
    :param fallback: words that got the fallback label, for whichever reason.
    :param no_subtokens: of these, words that the tokenizer turns into nothing.
    :param too_long: of these, words with more sub-tokens than a window holds.
    :param below_min_score: spans (or labels of whole texts) that were left out because their score was too low.
    :param repaired: tags that the decoder gave and that were rewritten to fit the scheme; their spans are the same.
    """

    words: int
    windows: int
    fallback: int = 0
    no_subtokens: int = 0
    too_long: int = 0
    below_min_score: int = 0
    repaired: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """One labelled input, as ``--json`` and the writing formats show it.

    For kind ``token``: ``words``, ``labels`` and ``spans``; for kind ``text``: ``label``, ``score``, ``scores``.

    :param id: the caller's own, or the number of the record.
    :param text: the caller's own, or the words joined by one space.
    :param coverage: how the input was covered.
    :param words: the words that were labelled, for kind ``token``.
    :param labels: one label per word, valid in their scheme.
    :param spans: what the labels mean; None where it was not worked out, or the labels are plain.
    :param label: the label of a text.
    :param score: how sure the labeller is of ``label``, from 0 to 1.
    :param scores: label → score, for every label of the schema.
    :param offsets: start and end of each word in ``text``, in code points.
    :param extra: the caller's own fields.
    :param engine: what computed the scores, e.g. ``torch-bf16``; empty for labels that were read.
    """

    id: str
    text: str
    coverage: Coverage
    words: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    label: str | None = None
    score: float | None = None
    scores: Mapping[str, float] | None = None
    offsets: tuple[tuple[int, int], ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    engine: str = ""


class Output(Protocol):
    """Where a format writes: one main stream, and files beside it for formats that need several."""

    @property
    def stream(self) -> BinaryIO:
        """The main stream."""

    def beside(self, suffix: str) -> BinaryIO:
        """Open a file next to the main one with another ``suffix``; an error when writing to a pipe."""


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
        from labelkit.evaluate.wrap import from_module

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


deprecate_fields(globals())

"""Examples, the schema of their labels, and the context in which they are read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from labelkit.errors import DataError
from labelkit.files.reading import corpus_folder, lines_with_ends
from labelkit.records.contexts import Context
from labelkit.settings import DataSettings, Scheme

if TYPE_CHECKING:
    from labelkit.records.parts import Format

_EXAMPLES = re.compile(r" \(.*?\)(?![^\s,;:])")


class Assumption(NamedTuple):
    """An automatic decision about data that no setting made.

    ``statement`` says what was assumed, and ``otherwise`` the option or change of the file that says otherwise.
    """

    statement: str
    otherwise: str

    def __str__(self) -> str:
        return f"{self.statement}: {self.otherwise}"


Kind = Literal["token", "text"]
Labels = tuple[str, ...] | str
#: the words of each mention of a split
Mentions = Container[tuple[str, ...]]
#: start and end of each word in a text, in code points
Offsets = tuple[tuple[int, int], ...]
#: scheme → the prefixes of its tags: begin, inside, and where the scheme has them last and single
SCHEME_PREFIXES: Mapping[Scheme, str] = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}


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
        return f"{self.file}:{self.line_of(index)}"

    def line_of(self, index: int | None) -> int:
        """Return the line of the word at ``index``; that of the example for None, and without lines of words."""
        return self.line if index is None or not self.word_lines else self.word_lines[index]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts that are labelled together, such as premise and hypothesis: ``TextPair("It rains.", "It is wet.")``.

    :param text: the first text.
    :param pair: the second one, which the tokenizer reads as the second segment of its input.
    """

    text: str
    pair: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One labelled sentence (kind ``token``) or one labelled text (kind ``text``).

    :param id: unique within its split.
    :param words: the words, for kind ``token``.
    :param text: the text; for kind ``token`` the one that ``offsets`` refer to, where there is one.
    :param labels: layer name → one label per word (``token``) or one label (``text``); where texts may have several
        labels, a tuple of them, empty for none.
    :param document: which document it belongs to; a validation split is held out by whole documents.
    :param extra: the caller's own fields, carried through labelling untouched.
    :param offsets: start and end of each word in ``text``, in code points.
    :param surface: what the tokenizer sees instead of ``words`` or ``text``; set by preprocessors only. A text may have
        several parts, see :attr:`labelkit.Preprocessor.parts`.
    :param place: where it was read, for messages.
    :param pair: the second text, where the label is one of a pair of texts (kind ``text``). The surface of a pair is a
        tuple of two texts.
    """

    id: str
    words: tuple[str, ...] | None = None
    text: str | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    document: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    offsets: Offsets | None = None
    surface: Labels | None = None
    place: Place | None = None
    pair: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The labels of one layer, in the order of their ids.

    Give ``types`` and a ``scheme`` for spans, or plain ``labels``, or say that labels are numbers.

    :param types: span types, e.g. ``("person", "location")``.
    :param labels: plain labels, e.g. part-of-speech tags or classes.
    :param scheme: how spans become one label per word; None for plain labels.
    :param multilabel: whether an example may carry several of the labels (kind ``text``).
    :param numeric: labels are numbers, written as text (kind ``text``); there are no names of labels.
    """

    name: str
    kind: Kind
    types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    scheme: Scheme | None = None
    multilabel: bool = False
    numeric: bool = False

    def __post_init__(self) -> None:
        if self.numeric and (self.types or self.labels or self.scheme or self.kind != "text"):
            raise DataError(f"schema '{self.name}' is numeric: it holds numbers of texts, and no labels")
        if self.scheme is None and not self.labels and not self.numeric:
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
        prefixes = SCHEME_PREFIXES[self.scheme]
        return ("O", *(f"{prefix}-{type_}" for type_ in self.types for prefix in prefixes))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingPolicy:
    """What a reader does with records and spans that it cannot use, and where it counts what it leaves out.

    :param on_bad_record: called with the error of a record that cannot be used, which is then skipped; None raises it.
    :param on_bad_span: called with the error of a span that cannot be used, which is then dropped from its record;
        None raises it.
    :param undecodable: bytes that are not in the encoding: ``strict`` raises, ``surrogateescape`` reads each as half a
        surrogate pair.
    :param labels: ``ignored`` where the records are to be labelled: labels that they have are not read.
    :param as_written: leave tags as they are in the files, valid or not, for those who check the files.
    :param keep_columns: columns of words that nobody asked for become own fields of their examples, a list of values
        each, for those who write the examples again.
    :param find_pairs: a column with a usual name of second texts is one where nobody says otherwise.
    :param counts: what was skipped, dropped or changed on purpose → how often; shown as notes.
    :param assumptions: what was assumed of the files where no setting says so, each a sentence with the setting that
        says otherwise; shown wherever the data are, and recorded with a run.
    """

    on_bad_record: Callable[[DataError], object] | None = None
    on_bad_span: Callable[[DataError], object] | None = None
    undecodable: Literal["strict", "surrogateescape"] = "strict"
    labels: Literal["required", "ignored"] = "required"
    as_written: bool = False
    keep_columns: bool = False
    find_pairs: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    assumptions: dict[str, None] = field(default_factory=dict)

    def assume(self, statement: str, otherwise: str) -> None:
        """Note an automatic decision about the data, and how to say otherwise.

        :param statement: what was assumed, such as ``each line is a text``.
        :param otherwise: the option, or the change of the file, that says otherwise, such as ``--set data.format=csv
            reads a table``.
        :raises ValueError: nothing says otherwise.
        """
        if not otherwise.strip():
            raise ValueError(f"an assumption needs how to say otherwise: {statement}")
        self.note_assumption(str(Assumption(statement, otherwise)))

    def note_assumption(self, line: str) -> None:
        """Note the ``line`` that :meth:`assume` made under another policy.

        Of lines that differ only in parentheses, which hold examples, the first one is kept.
        """
        plain = _EXAMPLES.sub("", line)
        if all(_EXAMPLES.sub("", known) != plain for known in self.assumptions):
            self.assumptions[line] = None

    def renewed(self) -> ReadingPolicy:
        """Return this policy with counts and assumptions of its own, none so far."""
        return replace(self, counts=Counter(), assumptions={})

    def add(self, other: ReadingPolicy) -> None:
        """Add what was counted and assumed under another policy."""
        self.counts.update(other.counts)
        for line in other.assumptions:
            self.note_assumption(line)

    def skip_record(self, error: DataError) -> None:
        """Report ``error`` of a record that the reader then skips.

        :raises DataError: ``error`` itself, if :attr:`on_bad_record` is None.
        """
        if self.on_bad_record is None:
            raise error
        self.on_bad_record(error)

    def leave_out(self, what: str, error: DataError) -> None:
        """Count a record without a label as ``what``; report its ``error`` where all faults are collected."""
        if self.on_bad_record is None:
            self.counts[what] += 1
        else:
            self.on_bad_record(error)

    def drop_span(self, error: DataError) -> None:
        """Report ``error`` of a span that the reader then drops from its record.

        :raises DataError: ``error`` itself, if :attr:`on_bad_span` is None.
        """
        if self.on_bad_span is None:
            raise error
        self.on_bad_span(error)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadContext(Context):
    """What a source, format or encoder knows of its surroundings: all that a :class:`Context` holds, and the data.

    :param root: the folder of corpora (``LABELKIT_DATA``), where it is set.
    :param path: the folder or file that the user named for this source.
    :param cache: a folder that may be created and filled.
    :param revision: the requested revision of a Hub repository.
    :param encoding: the encoding of text files.
    :param columns: field name → column name or number, from ``--columns``.
    :param settings: the plan's ``data.`` settings.
    :param layer: the layer of labels to read; None for the reader's usual one.
    :param kind: the kind of examples to read; None where the data decides.
    :param policy: what to do with records and spans that cannot be used.
    :param origins: split → the reference that it was really read from, e.g. ``hub:ID@COMMIT:train``; a source sets it
        where that differs from ``SOURCE:SPLIT``, and the run records it.
    :param memory: split → its data, where data was given in Python instead of a reference.
    :param formats: file formats by name, for ``labelkit.read``; where there are none, those of all plugins.
    :param label_studio_token: the personal access token for projects of Label Studio; None for sources and formats.
    """

    root: Path | None = None
    path: Path | None = None
    cache: Path = Path("labelkit-runs/cache")
    revision: str | None = None
    encoding: str = DataSettings().encoding
    columns: Mapping[str, str] = field(default_factory=dict)
    settings: DataSettings = field(default_factory=DataSettings)
    layer: str | None = None
    kind: Kind | None = None
    policy: ReadingPolicy = field(default_factory=ReadingPolicy)
    origins: MutableMapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    label_studio_token: str | None = field(default=None, repr=False)

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield ``(number, line)`` of a text file, plain or compressed, counted from 1, without line ends.

        :raises DataError: the file is missing, not in :attr:`encoding` (names the byte offset), or a line is longer
            than ``data.max_record``.
        """
        lines = lines_with_ends(path, self.encoding, self.policy.undecodable, self.settings.max_record)
        for number, line in enumerate(lines, start=1):
            yield number, line.removesuffix("\n").removesuffix("\r")

    def folder(self, name: str) -> Path:
        """Return :attr:`path`, or else the folder ``name`` under :attr:`root`.

        :raises DataError: neither exists.
        """
        return corpus_folder(name, self.path, self.root)

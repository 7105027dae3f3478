"""What a format promises: the same bytes for the same records, and to read back what it wrote, or to refuse."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from labelkit.errors import LabelkitError
from labelkit.records import Coverage, Example, Format, Kind, Labelled, LoadContext, Span
from labelkit.settings import DataSettings
from labelkit.testing.base import Broken, Question, calling_offline, example_fault, require, require_none
from labelkit.testing.elsewhere import Repeatable, print_of
from labelkit.testing.hostile import TEXTS, WORDS
from labelkit.testing.kinds import KINDS

#: words and their tags; the tags are valid in IOB2
SENTENCES = (
    (("Ada", "Lovelace", "lived", "in", "London", "."), ("B-PER", "I-PER", "O", "O", "B-LOC", "O")),
    (("It", "rained", "."), ("O", "O", "O")),
    (("Zürich", "東京", "and", "Rome"), ("B-LOC", "B-LOC", "O", "B-LOC")),
)
#: what somebody may call a type of entity or a class of texts
LABELS = ("two words", 'a,"b"\tc\nd', "#", "<b>", "[x]", "x|y=z;", "-", "_", "東京")
REVIEWS = (("A warm, funny film.", "POSITIVE"), ('Flat, "slow" and badly written', "NEGATIVE"), ("Hm…", "POSITIVE"))


def _fields(known: Format) -> None:
    wrong = [kind for kind in known.kinds if kind not in KINDS]
    require(
        known.kinds and not wrong, f"kinds of format '{known.name}' is {known.kinds}", "write ('token',) or the like"
    )
    require_none(
        (
            f"suffix {suffix!r} of format '{known.name}' is no file ending in lower case"
            for suffix in known.suffixes
            if not suffix.startswith(".") or suffix != suffix.lower() or suffix.endswith(".gz")
        ),
        "write it as '.conll'; .gz is taken off before",
    )
    require_none(_taken(known), "choose another ending: core's formats keep theirs, whatever is installed")
    require(
        known.read or known.write, f"format '{known.name}' neither reads nor writes", "give it read=, write= or both"
    )


def _taken(known: Format) -> Iterator[str]:
    """Yield which suffixes are core's already, as ``.new.csv`` is, too."""
    from labelkit.formats.builtin import FORMATS

    if known in FORMATS:
        return
    for suffix in known.suffixes:
        for other in FORMATS:
            if other.suffixes and suffix.endswith(tuple(other.suffixes)):
                yield f"suffix {suffix!r} of format '{known.name}' is that of core's format '{other.name}'"


def _writes(known: Format) -> None:
    for kind in known.kinds:
        for records in (gold(kind), labelled(kind), ()):
            _written(known, records)


def _repeats(known: Format) -> None:
    for kind in known.kinds:
        for records in (gold(kind), labelled(kind)):
            require(
                _written(known, records) == _written(known, records),
                f"format '{known.name}' writes other bytes when it writes the same {kind} records again",
                "write nothing but the records: no time, no random ids, no sets in their own order",
            )


def _prints(known: Format) -> dict[str, str]:
    return {
        f"{kind} records": print_of([_written(known, each(kind)) for each in (gold, labelled)]) for kind in known.kinds
    }


def _reads_back(known: Format) -> None:
    for kind in known.kinds:
        for what, records in (("gold records", gold(kind)), ("records that labelkit labelled", labelled(kind))):
            try:
                faults = _differences(records, _round_trip(known, kind, records))
            except LabelkitError as error:
                advice = "let read() take all that write() writes"
                raise Broken(f"format '{known.name}' does not read {what} back: {error}", advice) from error
            require_none(
                (f"format '{known.name}', {what}: {fault}" for fault in faults),
                "let read() give the words and labels (or text and label) that write() was given, in order",
            )


def _refuses(known: Format) -> None:
    """What a format cannot hold is no fault, to lose it in silence is."""
    for kind in known.kinds:
        for record in hostile(kind):
            try:
                found = _round_trip(known, kind, (record,))
            except LabelkitError:
                continue
            require_none(
                (f"format '{known.name}' loses something: {fault}" for fault in _differences((record,), found)),
                "escape it, or raise labelkit.LabelkitError in write() for what the format cannot hold",
            )


# -- records ----------------------------------------------------------------------------------------------------------


def gold(kind: Kind) -> tuple[Labelled, ...]:
    """Return some records whose labels were read."""
    if kind == "token":
        return tuple(_sentence(str(number), *each) for number, each in enumerate(SENTENCES, 1))
    return tuple(_review(str(number), *each) for number, each in enumerate(REVIEWS, 1))


def labelled(kind: Kind) -> tuple[Labelled, ...]:
    """Return the same as labelkit gives them: with coverage, spans and scores."""
    return tuple(
        replace(
            record,
            coverage=replace(record.coverage, windows=1),
            spans=_spans(record) if kind == "token" else None,
            score=None if kind == "token" else 0.75,
            scores=None if kind == "token" else {str(record.label): 0.75, "OTHER": 0.25},
            engine="torch-fp32",
        )
        for record in gold(kind)
    )


def hostile(kind: Kind) -> Iterator[Labelled]:
    """Yield records with everything that users' texts may hold."""
    if kind == "text":
        yield from (_review("1", text, "POSITIVE") for text in TEXTS)
        yield from (_review("1", "fine", label) for label in ("", " two words ", *LABELS))
        return
    yield from (_sentence("1", ("New", "York"), (f"B-{label}", f"I-{label}")) for label in LABELS)
    for words in filter(None, WORDS):  # a sentence without words is nothing that could be lost
        yield _sentence("1", words, ("B-PER", *("O" for _ in words))[: len(words)])


def _sentence(id_: str, words: tuple[str, ...], labels: tuple[str, ...]) -> Labelled:
    from labelkit.labels.spans import joined_offsets

    return Labelled(
        id=id_,
        text=" ".join(words),
        words=words,
        labels=labels,
        offsets=joined_offsets(words),
        coverage=Coverage(words=max(len(words), 1), windows=0),
    )


def _review(id_: str, text: str, label: str) -> Labelled:
    return Labelled(id=id_, text=text, label=label, coverage=Coverage(words=1, windows=0))


def _spans(record: Labelled) -> tuple[Span, ...]:
    from labelkit.labels.schemes import spans_of

    offsets, text = record.offsets or (), record.text
    places = [(offsets[a][0], offsets[b - 1][1], label) for a, b, label in spans_of(record.labels or (), "IOB2")]
    return tuple(Span(start=a, end=b, label=label, text=text[a:b], score=0.75) for a, b, label in places)


# -- writing and reading ----------------------------------------------------------------------------------------------


def _written(known: Format, records: Iterable[Labelled]) -> dict[str, bytes]:
    """Return the files that are written, by name."""
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        try:
            _write(known, records, Path(folder))
        except LabelkitError as error:
            advice = "it has to take records of the kinds that it declares"
            raise Broken(f"write() of format '{known.name}' refuses plain records: {error}", advice) from error
        files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _write(known: Format, records: Iterable[Labelled], folder: Path) -> Path:
    from labelkit.files.output import new_output

    assert known.write is not None  # else the question does not apply
    target = folder / f"out{(*known.suffixes, '.txt')[0]}"
    advice = "write any record of the kinds that it declares, one by one, or raise labelkit.LabelkitError"
    with calling_offline(f"write() of format '{known.name}'", advice, may=LabelkitError), new_output(target) as output:
        known.write(iter(tuple(records)), output)
    return target


def _round_trip(known: Format, kind: Kind, records: Iterable[Labelled]) -> list[Example]:
    """Return what is read of the records that are written.

    :raises LabelkitError: the format says that it cannot hold them.
    """
    assert known.read is not None  # else the question does not apply
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        target = _write(known, records, Path(folder))
        layer = "labels" if kind == "token" else "label"
        ctx = LoadContext(path=target, kind=kind, layer=layer, settings=DataSettings(splitter="whitespace"))
        advice = "read all that write() writes, or raise labelkit.LabelkitError"
        with calling_offline(f"read() of format '{known.name}', given what it wrote,", advice, may=LabelkitError):
            return list(known.read(target, ctx))


def _differences(records: Iterable[Labelled], examples: Iterable[Example]) -> Iterator[str]:
    """Yield what was not read back as it was written."""
    for record, example in zip_longest(records, examples):
        if record is None or example is None:
            yield "not as many examples are read as were written"
            return
        if difference := _difference(record, example):
            yield difference


def _difference(record: Labelled, example: object) -> str:
    from labelkit.labels.notation import as_iob2

    if fault := example_fault(example, "text" if record.words is None else "token"):
        return f"read() yields what it may not: {fault}"
    assert isinstance(example, Example)
    found = next(iter(example.labels.values()), None)
    before: tuple[object, object]
    after: tuple[object, object]
    if record.words is None:
        before, after = (record.text, record.label), (example.text, found)
    elif not isinstance(found, tuple) or example.words != record.words:
        before, after = (record.words, record.labels), (example.words, found)
    else:
        before, after = (record.words, as_iob2(record.labels or ())), (example.words, as_iob2(found))
    return "" if before == after else f"{before!r:.150} is read as {after!r:.150}"


def _only_reads(known: Format) -> str:
    return "" if known.write else "it only reads"


def _only_one_way(known: Format) -> str:
    return _only_reads(known) or ("" if known.read else "it only writes")


#: what another process has to write as well
REPEATABLE = Repeatable(what="bytes", prints=_prints, needs=("repeats",), unless=_only_reads)
QUESTIONS = (
    Question(
        name="fields",
        asks="kinds are known, suffixes are file endings that core has not, and it reads or writes",
        ask=_fields,
    ),
    Question(
        name="writes",
        asks="it writes gold records, labelled ones, and none at all",
        ask=_writes,
        needs=("fields",),
        unless=_only_reads,
    ),
    Question(
        name="repeats",
        asks="the same records are the same bytes",
        ask=_repeats,
        needs=("writes",),
        unless=_only_reads,
    ),
    Question(
        name="reads-back",
        asks="it reads the words and labels, or the text and label, that it wrote",
        ask=_reads_back,
        needs=("writes",),
        unless=_only_one_way,
    ),
    Question(
        name="refuses",
        asks="any text in a record is read back as it was, or refused by a `LabelkitError`; never lost in silence",
        ask=_refuses,
        needs=("reads-back",),
        unless=_only_one_way,
    ),
)

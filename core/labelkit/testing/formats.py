"""Contract checks of formats: the same bytes for the same records, and whatever is written is read back or refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from labelkit.data.example_validation import example_fault
from labelkit.errors import LabelkitError
from labelkit.files.compression import COMPRESSED_SUFFIXES
from labelkit.formats.columns import usual_layer
from labelkit.records import Coverage, Example, Format, Kind, Labelled, LoadContext, Span
from labelkit.settings import DataSettings
from labelkit.testing.adversarial_texts import TEXTS, WORDS
from labelkit.testing.framework import KINDS, Broken, CheckSet, offline_call, require, require_none
from labelkit.testing.subprocess_checks import Reproducible, digest

#: words and their tags; the tags are valid in IOB2
SENTENCES = (
    (("Ada", "Lovelace", "lived", "in", "London", "."), ("B-PER", "I-PER", "O", "O", "B-LOC", "O")),
    (("It", "rained", "."), ("O", "O", "O")),
    (("Zürich", "東京", "and", "Rome"), ("B-LOC", "B-LOC", "O", "B-LOC")),
)
#: names of types and classes that careless code does not escape
LABELS = ("two words", 'a,"b"\tc\nd', "#", "<b>", "[x]", "x|y=z;", "-", "_", "東京")
REVIEWS = (("A warm, funny film.", "POSITIVE"), ('Flat, "slow" and badly written', "NEGATIVE"), ("Hm…", "POSITIVE"))


CHECKS = CheckSet()


def only_reads(known: Format) -> str:
    """Return why checks of writing do not apply, or an empty text."""
    return "" if known.write else "it only reads"


def one_way(known: Format) -> str:
    """Return why checks of reading back do not apply, or an empty text."""
    return only_reads(known) or ("" if known.read else "it only writes")


@CHECKS.check("fields")
def check_fields(known: Format) -> None:
    """Kinds are known, suffixes are file endings that core has not, and it reads or writes."""
    from labelkit.formats.builtin import FORMATS

    unknown = [kind for kind in known.kinds if kind not in KINDS]
    require(
        known.kinds and not unknown, f"kinds of format '{known.name}' is {known.kinds}", "write ('token',) or the like"
    )
    require_none(
        (
            f"suffix {suffix!r} of format '{known.name}' is no file ending in lower case"
            for suffix in known.suffixes
            if not suffix.startswith(".") or suffix != suffix.lower() or suffix.endswith(COMPRESSED_SUFFIXES)
        ),
        "write it as '.conll'; .gz and the like are taken off before",
    )
    require_none(
        (
            f"suffix {suffix!r} of format '{known.name}' is that of core's format '{other.name}'"
            for suffix in known.suffixes
            for other in FORMATS
            if other.name != known.name
            and other.suffixes
            and suffix.endswith(tuple(other.suffixes))  # .new.csv is .csv, too
        ),
        "choose another ending: core's formats keep theirs, whatever is installed",
    )
    require(
        known.read or known.write, f"format '{known.name}' neither reads nor writes", "give it read=, write= or both"
    )


@CHECKS.check("writes", needs=("fields",), skip_reason=only_reads)
def check_writes(known: Format) -> None:
    """It writes gold records, labelled ones, and none at all."""
    for kind in known.kinds:
        for records in (gold_records(kind), labelled_records(kind), ()):
            written_files(known, records)


@CHECKS.check("repeats", needs=("writes",), skip_reason=only_reads)
def check_repeatable(known: Format) -> None:
    """The same records are the same bytes."""
    for kind in known.kinds:
        for records in (gold_records(kind), labelled_records(kind)):
            require(
                written_files(known, records) == written_files(known, records),
                f"format '{known.name}' writes other bytes when it writes the same {kind} records again",
                "write nothing but the records: no time, no random ids, no sets in their own order",
            )


@CHECKS.check("reads-back", needs=("writes",), skip_reason=one_way)
def check_reads_back(known: Format) -> None:
    """It reads the words and labels, or the text and label, that it wrote."""
    for kind in known.kinds:
        for what, records in (
            ("gold records", gold_records(kind)),
            ("records that labelkit labelled", labelled_records(kind)),
        ):
            try:
                faults = find_differences(records, round_trip(known, kind, records))
            except LabelkitError as error:
                advice = "let read() take all that write() writes"
                raise Broken(f"format '{known.name}' does not read {what} back: {error}", advice) from error
            require_none(
                (f"format '{known.name}', {what}: {fault}" for fault in faults),
                "let read() give the words and labels (or text and label) that write() was given, in order",
            )


@CHECKS.check("refuses", needs=("reads-back",), skip_reason=one_way)
def check_refuses_what_it_cannot_hold(known: Format) -> None:
    """Any text is read back as it was or refused by a `LabelkitError`, never lost in silence."""
    for kind in known.kinds:
        for record in adversarial_records(kind):
            try:
                found = round_trip(known, kind, (record,))
            except LabelkitError:
                continue
            require_none(
                (f"format '{known.name}' loses something: {fault}" for fault in find_differences((record,), found)),
                "escape it, or raise labelkit.LabelkitError in write() for what the format cannot hold",
            )


def digest_written(known: Format) -> dict[str, str]:
    """Return kind of records → digest of the files that are written."""
    return {
        f"{kind} records": digest([written_files(known, each(kind)) for each in (gold_records, labelled_records)])
        for kind in known.kinds
    }


REPRODUCIBLE = Reproducible("bytes", digest_written, needs=("repeats",), skip_reason=only_reads)


# -- records ----------------------------------------------------------------------------------------------------------


def gold_records(kind: Kind) -> tuple[Labelled, ...]:
    """Return some records with labels that were read."""
    if kind == "token":
        return tuple(sentence(str(number), *each) for number, each in enumerate(SENTENCES, 1))
    return tuple(review(str(number), *each) for number, each in enumerate(REVIEWS, 1))


def labelled_records(kind: Kind) -> tuple[Labelled, ...]:
    """Return the same records as a labeller returns them: with coverage, spans and scores."""
    from labelkit.labels.schemes import spans_of

    records = []
    for record in gold_records(kind):
        changes: dict[str, Any] = {"coverage": replace(record.coverage, windows=1), "engine": "torch-fp32"}
        if kind == "token":
            offsets, text = record.offsets or (), record.text
            tagged = spans_of(record.labels or (), "IOB2")
            places = [(offsets[first][0], offsets[stop - 1][1], label) for first, stop, label in tagged]
            changes["spans"] = tuple(Span(start=a, end=b, label=x, text=text[a:b], score=0.75) for a, b, x in places)
        else:
            changes |= {"score": 0.75, "scores": {str(record.label): 0.75, "OTHER": 0.25}}
        records.append(replace(record, **changes))
    return tuple(records)


def adversarial_records(kind: Kind) -> Iterator[Labelled]:
    """Yield records with whatever the texts and labels of users may hold."""
    if kind == "text":
        yield from (review("1", text, "POSITIVE") for text in TEXTS)
        yield from (review("1", "fine", label) for label in ("", " two words ", *LABELS))
        return
    yield from (sentence("1", ("New", "York"), (f"B-{label}", f"I-{label}")) for label in LABELS)
    for words in filter(None, WORDS):  # a sentence without words may be left out
        yield sentence("1", words, ("B-PER", *("O" for _ in words))[: len(words)])


def sentence(id_: str, words: tuple[str, ...], labels: tuple[str, ...]) -> Labelled:
    """Return a record of labelled words."""
    from labelkit.labels.spans import joined_offsets

    text, coverage = " ".join(words), Coverage(words=max(len(words), 1), windows=0)
    return Labelled(id=id_, text=text, words=words, labels=labels, offsets=joined_offsets(words), coverage=coverage)


def review(id_: str, text: str, label: str) -> Labelled:
    """Return a record of a labelled text."""
    return Labelled(id=id_, text=text, label=label, coverage=Coverage(words=1, windows=0))


# -- writing and reading ----------------------------------------------------------------------------------------------


def write(known: Format, records: Iterable[Labelled], folder: Path) -> Path:
    """Write records into a folder and return the main file.

    :raises LabelkitError: the format refuses a record.
    """
    from labelkit.files.output import new_output

    assert known.write is not None  # else the check does not apply
    target = folder / f"out{(*known.suffixes, '.txt')[0]}"
    advice = "write any record of the kinds that it declares, one by one, or raise labelkit.LabelkitError"
    with offline_call(f"write() of format '{known.name}'", advice, may=LabelkitError), new_output(target) as output:
        known.write(iter(tuple(records)), output)
    return target


def written_files(known: Format, records: Iterable[Labelled]) -> dict[str, bytes]:
    """Return name → content of the files that are written for plain records."""
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        try:
            write(known, records, Path(folder))
        except LabelkitError as error:
            advice = "it has to take records of the kinds that it declares"
            raise Broken(f"write() of format '{known.name}' refuses plain records: {error}", advice) from error
        files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def round_trip(known: Format, kind: Kind, records: Iterable[Labelled]) -> list[Example]:
    """Return the examples that are read from the records that are written.

    :raises LabelkitError: the format refuses a record.
    """
    assert known.read is not None  # else the check does not apply
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        target = write(known, records, Path(folder))
        layer = usual_layer(kind)
        settings = DataSettings(splitter="whitespace", predictions_as_gold=True)
        ctx = LoadContext(path=target, kind=kind, layer=layer, settings=settings)
        advice = "read all that write() writes, or raise labelkit.LabelkitError"
        with offline_call(f"read() of format '{known.name}', given what it wrote,", advice, may=LabelkitError):
            return list(known.read(target, ctx))


def find_differences(records: Iterable[Labelled], examples: Iterable[Example]) -> Iterator[str]:
    """Yield which records differ from the examples that were read; tags are compared in IOB2."""
    from labelkit.labels.notation import as_iob2

    for record, example in zip_longest(records, examples):
        if record is None or example is None:
            yield "not as many examples are read as were written"
            return
        if fault := example_fault(example, "text" if record.words is None else "token"):
            yield f"read() yields an invalid example: {fault}"
            continue
        labels = next(iter(example.labels.values()), None)
        before, after = (record.text, record.label), (example.text, labels)
        if record.words is not None:
            before, after = (record.words, record.labels), (example.words, labels)
            if isinstance(labels, tuple) and example.words == record.words:
                before, after = (record.words, as_iob2(record.labels or ())), (example.words, as_iob2(labels))
        if before != after:
            yield f"{before!r:.150} is read as {after!r:.150}"

"""brat's standoff files: the text in ``NAME.txt``, its annotations in ``NAME.ann``, or a folder of such pairs.

``T1<TAB>PER 0 5<TAB>Alice``; offsets count the code points of the whole text file, line ends included. Each line of the
text is a record (``data.unit=document``: each file is one). A record that is not a whole line, because its text holds a
line end or is blank, gets a note with its offsets; the score of a span is a note as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import DataError
from labelkit.files.compression import sibling, uncompressed_name
from labelkit.files.reading import read_bytes
from labelkit.files.split_names import canonical_split
from labelkit.formats.encoding import encode_text
from labelkit.formats.span_locator import SpanLocator
from labelkit.formats.tools.annotations import AnnotatedText, read_annotations, span_objects
from labelkit.formats.tools.span_records import to_spans
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Span

IGNORED = "relations, events, attributes and notes of brat were left out"
#: ``data.discontinuous`` → what such spans are counted as
DISCONTINUOUS = {
    "drop": "discontinuous spans were dropped",
    "join": "discontinuous spans were joined with what is between their parts",
    "split": "discontinuous spans were split into their parts",
}
_RECORD = "LabelkitRecord"
_SCORE = "score "
# All that Python or brat treats as the end of a line; the copy of a span's text may hold none.
_LINE_ENDS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_TYPE_AND_OFFSETS = re.compile(r"(\S+) ([0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)*)")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the records of a pair of files, or of all pairs in a folder; each file of a folder is a document.

    :raises DataError: a file is missing, or an annotation is invalid or does not fit its text; names file and line.
    """
    if not path.is_dir():
        if not uncompressed_name(path.name).endswith(".ann"):
            raise DataError(f"{path} is no annotation file of brat", hint="give its .ann file, or the folder of both")
        yield from _read_pair(path, ctx)
        return
    for file in sorted(path.rglob("*.ann")):
        yield from _read_pair(file, ctx, str(file.relative_to(path).with_suffix("")))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write each record as a line of the text file, and its spans to the annotation file.

    :raises DataError: a label holds white space, or the text or its spans cannot be written.
    """
    text, writer = output.beside(".txt"), _AnnotationWriter()
    for labelled in records:
        text.write(encode_text(f"{labelled.text}\n", labelled, "brat's files"))
        output.stream.write(encode_text("".join(writer.lines(labelled)), labelled, "brat's files"))


FORMAT = Format(
    name="brat",
    kinds=("token",),
    suffixes=(".ann",),
    read=read,
    write=write,
    needs_file=True,
    summary="brat standoff: spans in NAME.ann, the text beside it in NAME.txt",
)


def annotation_splits(folder: Path) -> dict[str, Path] | None:
    """Return split → file or folder for a folder of brat's files; None for any other folder.

    Folders or files with names of splits are these splits; without them, all of it is train.
    """
    try:
        inside = sorted(folder.iterdir())
    except OSError:  # reported by whatever reads the folder
        return None
    folders = [path for path in inside if path.is_dir() and _has_annotations(path)]
    for paths in (folders, [path for path in inside if path.suffix == ".ann"]):
        splits = {split: path for path in paths if (split := canonical_split(path.stem))}
        if "train" in splits:
            return splits
    return {"train": folder} if _has_annotations(folder) else None


def _has_annotations(folder: Path) -> bool:
    """Return whether there is an annotation file in a folder or one level below."""
    return next(chain(folder.glob("*.ann"), folder.glob("*/*.ann")), None) is not None


# -- writing ----------------------------------------------------------------------------------------------------------


class _AnnotationWriter:
    """Numbers annotations and notes, and counts the offset of each record in the text file."""

    def __init__(self) -> None:
        self.start = 0
        self.spans = self.notes = self.records = 0

    def lines(self, labelled: Labelled) -> Iterator[str]:
        """Yield the lines of a record, whose text comes next in the text file."""
        text, start = labelled.text, self.start
        self.start += len(text) + 1
        self.records += 1
        if "\n" in text or text.endswith("\r") or not text.strip():
            yield self.note(_RECORD, f"D{self.records}", f"{start} {start + len(text)}")
        for span in to_spans(labelled).spans:
            if not span.label or any(char.isspace() for char in span.label):
                raise DataError(
                    f"record '{labelled.id}': the label {span.label!r} cannot be written in brat, it holds white space",
                    hint="rename it, or use another format, e.g. --to doccano",
                )
            self.spans += 1
            parts = list(parts_within_lines(text, span))
            offsets = ";".join(f"{start + first} {start + stop}" for first, stop in parts)
            copy = _LINE_ENDS.sub(" ", " ".join(text[first:stop] for first, stop in parts))
            yield f"T{self.spans}\t{span.label} {offsets}\t{copy}\n"
            if span.score is not None:
                yield self.note("AnnotatorNotes", f"T{self.spans}", f"{_SCORE}{span.score}")

    def note(self, kind: str, target: str, content: str) -> str:
        """Return the line of a note about ``target``."""
        self.notes += 1
        return f"#{self.notes}\t{kind} {target}\t{content}\n"


def parts_within_lines(text: str, span: Span) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the parts of a span between line ends, which brat's spans cannot hold."""
    start = span.start
    for line in text[span.start : span.end].split("\n"):
        if line:
            yield start, start + len(line)
        start += len(line) + 1


# -- reading ----------------------------------------------------------------------------------------------------------


class _Unit(NamedTuple):
    """The offsets and the line of a record in the text file."""

    start: int
    end: int
    line: int


def _read_pair(path: Path, ctx: LoadContext, document: str | None = None) -> Iterator[Example]:
    source = sibling(path, ".txt")
    content = read_bytes(source, ctx.settings.max_record)
    try:
        text = content.decode(ctx.encoding)  # all of it: offsets count line ends and a byte order mark too
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: not {ctx.encoding.upper()} at byte offset {error.start}",
            hint="give the right one with --encoding",
        ) from error
    annotations = parse_annotations(path, text, ctx)
    units = list(find_units(text, annotations.records, whole=ctx.settings.unit == "document"))
    spans_of_units = assign_spans(annotations.spans, units, path, ctx)
    predicted_by = "labelkit" if annotations.scored else None

    def parse(index: int) -> AnnotatedText:
        identifier = None if document is None else f"{document}:{index + 1}"
        unit = units[index]
        return AnnotatedText(
            text=text[unit.start : unit.end],
            spans=spans_of_units[index],
            id=identifier,
            document=document,
            predicted_by=predicted_by,
            given={"spans": span_objects(spans_of_units[index])} if spans_of_units[index] else {},
        )

    yield from read_annotations(source, ctx, ((unit.line, index) for index, unit in enumerate(units)), parse)


class _Annotations(NamedTuple):
    """What an annotation file holds.

    :param spans: ``(line, span)`` of each.
    :param records: the offsets of records that are not whole lines, sorted.
    :param scored: spans have scores, which labelkit writes with its predictions.
    """

    spans: list[tuple[int, TextSpan]]
    records: list[tuple[int, int]]
    scored: bool


def parse_annotations(path: Path, text: str, ctx: LoadContext) -> _Annotations:
    """Return the spans of an annotation file, and what labelkit noted in it.

    :raises DataError: a span is invalid, and ``ctx.policy`` does not drop it; names file and line.
    """
    locator = SpanLocator(text, ctx)
    spans: list[tuple[int, TextSpan]] = []
    records: list[tuple[int, int]] = []
    scored = False
    for number, line in ctx.lines(path):
        id_, _, rest = line.partition("\t")
        content, _, tail = rest.partition("\t")
        if id_.startswith("T"):
            try:
                spans += [(number, span) for span in parse_span_line(content, tail, text, locator, ctx)]
            except DataError as error:
                known = _with_line_ends(error, content, tail, text)
                ctx.policy.drop_span(known.at(f"{path}:{number}"))
        elif id_.startswith("#") and content.startswith(_RECORD) and (match := re.fullmatch(r"(\d+) (\d+)", tail)):
            records.append((int(match[1]), int(match[2])))
        elif tail.startswith(_SCORE):
            scored = True
        elif line.strip():
            ctx.policy.counts[IGNORED] += 1
    return _Annotations(spans, sorted(records), scored)


def _with_line_ends(error: DataError, content: str, surface: str, text: str) -> DataError:
    """Return the error of a span; if it fits the text with other line ends, with a hint that says so."""
    match = _TYPE_AND_OFFSETS.fullmatch(content)
    if match is None or "\r\n" not in text or ";" in match[2]:
        return error
    start, end = map(int, match[2].split(" "))
    if text.replace("\r\n", "\n")[start:end] != surface:
        return error
    hint = "its offsets fit the text with line feeds alone as line ends: write the .txt file so (dos2unix)"
    return DataError(error.message, hint=hint)


def parse_span_line(
    content: str, surface: str, text: str, locator: SpanLocator, ctx: LoadContext
) -> Sequence[TextSpan]:
    """Return the span of a line; several parts are one span if only white space separates them.

    Other spans of several parts become what ``data.discontinuous`` says, and are counted.

    :param content: the type and the offsets.
    :param surface: brat's copy of the span's text.
    :raises DataError: the line is invalid, or its span is refused; names no file.
    """
    match = _TYPE_AND_OFFSETS.fullmatch(content)
    if match is None:
        raise DataError(
            f"invalid span '{content}', a type and offsets are needed"[:300],
            hint="write it as T1<TAB>PER 0 5<TAB>Alice",
        )
    pairs = [tuple(map(int, part.split(" "))) for part in match[2].split(";")]
    if len(pairs) == 1:
        return [locator.span(pairs[0][0], pairs[0][1], match[1], surface or None)]
    parts = [locator.span(start, end, match[1]) for start, end in pairs]
    whole = TextSpan(min(part.start for part in parts), max(part.end for part in parts), match[1])
    if all(
        before.end <= after.start and not text[before.end : after.start].strip() for before, after in pairwise(parts)
    ):
        return [whole]
    how = ctx.settings.discontinuous
    if how == "error":
        raise DataError(
            f"the span {match[2]} ({match[1]}) is discontinuous, which tags of words cannot express",
            hint="--set data.discontinuous=drop, join or split reads such spans so; or correct it in brat",
        )
    ctx.policy.counts[DISCONTINUOUS[how]] += 1
    return {"drop": [], "join": [whole], "split": sorted(set(parts))}[how]


def find_units(text: str, records: Sequence[tuple[int, int]], *, whole: bool) -> Iterator[_Unit]:
    """Yield the records of a text: those with offsets, and all other lines that are not blank.

    :param records: offsets of records that are not whole lines, sorted.
    :param whole: the text is one record.
    """
    if whole:
        yield _Unit(0, len(text), 1)
        return
    waiting = list(reversed(records))
    start, line = 0, 1
    while start < len(text):
        if waiting and waiting[-1][0] <= start:
            end = max(start, min(waiting.pop()[1], len(text)))
            yield _Unit(start, end, line)
        else:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            stop = end - 1 if text[start:end].endswith("\r") else end
            if text[start:stop].strip():
                yield _Unit(start, stop, line)
        line += text.count("\n", start, end + 1)
        start = end + 1


def assign_spans(
    spans: Sequence[tuple[int, TextSpan]], units: Sequence[_Unit], path: Path, ctx: LoadContext
) -> list[list[TextSpan]]:
    """Return the spans of each unit, with offsets from the start of the unit.

    :raises DataError: a span reaches beyond its unit, and ``ctx.policy`` does not drop it; names file and line.
    """
    starts = [unit.start for unit in units]
    assigned: list[list[TextSpan]] = [[] for _ in units]
    for line, span in spans:
        index = bisect_right(starts, span.start) - 1
        if index < 0 or span.end > units[index].end:
            message = f"{path}:{line}: the span {span.start}-{span.end} ({span.label}) reaches beyond its line"
            hint = "--set data.unit=document reads each file as one record"
            ctx.policy.drop_span(DataError(message, hint=hint))
        else:
            base = units[index].start
            assigned[index].append(TextSpan(span.start - base, span.end - base, span.label))
    return assigned

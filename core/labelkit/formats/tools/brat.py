"""brat's standoff files: the text in ``NAME.txt``, its annotations in ``NAME.ann``, or a folder of such pairs.

``T1<TAB>PER 0 5<TAB>Alice``; offsets count the code points of the whole text file, line ends included. Each line of the
text is a record (``data.unit=document``: each file is one). A record that is no whole line, because its text holds a
line end or is blank, gets a note with its place; the score of a span is a note as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import DataError
from labelkit.files.reading import open_bytes, reading_errors
from labelkit.files.split_names import canonical_split
from labelkit.formats.tools.reading import Anchor, Found, left_out, read_each
from labelkit.formats.tools.writing import marked
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Span

IGNORED = "relations, events, attributes and notes of brat were left out"
_RECORD = "LabelkitRecord"
_SCORE = "score "
# Whatever Python or brat takes for the end of a line; the copy of a span's text may hold none.
_LINE_ENDS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_PLACE = re.compile(r"(\S+) ([0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)*)")


class _Unit(NamedTuple):
    """A record's place in the text file."""

    start: int
    end: int
    line: int


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the records of a pair of files, or of all pairs in a folder; each file of a folder is a document.

    :raises DataError: a file is missing, an annotation cannot be used, or does not fit its text; names file and line.
    """
    if not path.is_dir():
        yield from _pair(path, ctx)
        return
    for file in sorted(path.rglob("*.ann")):
        yield from _pair(file, ctx, str(file.relative_to(path).with_suffix("")))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write each record as a line of the text file, and its spans to the annotation file.

    :raises DataError: a label holds white space, or a text or its spans cannot be held.
    """
    text, writer = output.beside(".txt"), _Writer()
    for labelled in records:
        text.write(_encoded(f"{labelled.text}\n", labelled))
        output.stream.write(_encoded("".join(writer.lines(labelled)), labelled))


FORMAT = Format(
    name="brat",
    kinds=("token",),
    suffixes=(".ann",),
    read=read,
    write=write,
    needs_file=True,
    summary="brat standoff: spans in NAME.ann, the text beside it in NAME.txt",
)


def pairs_of(folder: Path) -> dict[str, Path] | None:
    """Return split → file or folder for a folder of brat's files; None for any other folder.

    Folders called like splits are splits, and so are files; otherwise all of it is train.
    """
    try:
        inside = sorted(folder.iterdir())
    except OSError:  # whoever reads it as something else says what is wrong
        return None
    for found in ([one for one in inside if one.is_dir() and _holds(one)], [f for f in inside if f.suffix == ".ann"]):
        splits = {split: one for one in found if (split := canonical_split(one.stem))}
        if "train" in splits:
            return splits
    return {"train": folder} if _holds(folder) else None


def _holds(folder: Path) -> bool:
    """Whether there is an annotation file in a folder, or in one just below."""
    return next(chain(folder.glob("*.ann"), folder.glob("*/*.ann")), None) is not None


# -- writing ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Numbers annotations and notes, and knows where in the text file each record starts."""

    def __init__(self) -> None:
        self._start = 0
        self._marks = self._notes = self._records = 0

    def lines(self, labelled: Labelled) -> Iterator[str]:
        """Yield the lines of a record, whose text comes next in the text file."""
        text, start = labelled.text, self._start
        self._start += len(text) + 1
        self._records += 1
        if "\n" in text or text.endswith("\r") or not text.strip():
            yield self._note(_RECORD, f"D{self._records}", f"{start} {start + len(text)}")
        for span in marked(labelled).spans:
            if not span.label or any(mark.isspace() for mark in span.label):
                raise DataError(
                    f"record '{labelled.id}': the label {span.label!r} cannot be written in brat, it holds white space",
                    hint="rename it, or use another format, e.g. --to doccano",
                )
            self._marks += 1
            pieces = list(_pieces(text, span))
            places = ";".join(f"{start + first} {start + stop}" for first, stop in pieces)
            copy = _LINE_ENDS.sub(" ", " ".join(text[first:stop] for first, stop in pieces))
            yield f"T{self._marks}\t{span.label} {places}\t{copy}\n"
            if span.score is not None:
                yield self._note("AnnotatorNotes", f"T{self._marks}", f"{_SCORE}{span.score}")

    def _note(self, kind: str, target: str, content: str) -> str:
        self._notes += 1
        return f"#{self._notes}\t{kind} {target}\t{content}\n"


def _pieces(text: str, span: Span) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a span that lie within lines: brat's spans hold no line end."""
    start = span.start
    for line in text[span.start : span.end].split("\n"):
        if line:
            yield start, start + len(line)
        start += len(line) + 1


def _encoded(text: str, labelled: Labelled) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"record '{labelled.id}' holds half a surrogate pair, which brat's files cannot",
            hint="another format can hold it, e.g. --to jsonl",
        ) from error


# -- reading ----------------------------------------------------------------------------------------------------------


def _pair(path: Path, ctx: LoadContext, document: str | None = None) -> Iterator[Example]:
    source = path.with_suffix(".txt")
    text = _text(source, ctx.encoding)
    spans, marked_off = _annotations(path, text, ctx)
    units = list(_units(text, marked_off, whole=ctx.settings.unit == "document"))
    shares = _shared(spans, units, path, ctx.policy.on_bad_span)

    def found(number: int, unit: _Unit) -> Found:
        name = None if document is None else f"{document}:{number}"
        return Found(text=text[unit.start : unit.end], marks=shares[number - 1], id=name, document=document)

    numbered = ((unit.line, (number, unit)) for number, unit in enumerate(units, start=1))
    yield from read_each(source, ctx, numbered, lambda _, given: found(*given))


def _text(path: Path, encoding: str) -> str:
    """Return the text, every character of it: offsets count line ends as they are, and a byte order mark too."""
    with reading_errors(path), open_bytes(path) as stream:
        content = stream.read()
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not {encoding.upper()} at byte offset {error.start}", hint="give the right one with --encoding"
        ) from error


def _annotations(path: Path, text: str, ctx: LoadContext) -> tuple[list[tuple[int, TextSpan]], list[tuple[int, int]]]:
    """Return ``(line, span)`` of an annotation file, and where records lie that are no whole lines."""
    anchor = Anchor(text, ctx)
    spans: list[tuple[int, TextSpan]] = []
    records: list[tuple[int, int]] = []
    for number, line in ctx.lines(path):
        id_, _, rest = line.partition("\t")
        what, _, tail = rest.partition("\t")
        if id_.startswith("T"):
            try:
                spans.append((number, _span(what, tail, text, anchor)))
            except DataError as error:
                raised = DataError(f"{path}:{number}: {error.message}", hint=error.hint)
                if ctx.policy.on_bad_span is None:
                    raise raised from error
                ctx.policy.on_bad_span(raised)
        elif id_.startswith("#") and what.startswith(_RECORD) and (place := re.fullmatch(r"(\d+) (\d+)", tail)):
            records.append((int(place[1]), int(place[2])))
        elif line.strip() and not tail.startswith(_SCORE):
            left_out(ctx, IGNORED)
    return spans, sorted(records)


def _span(what: str, surface: str, text: str, anchor: Anchor) -> TextSpan:
    """Return the span of a line; its pieces are one where only white space parts them.

    :raises DataError: it is not one, or has several parts; names no file.
    """
    match = _PLACE.fullmatch(what)
    if match is None:
        raise DataError(f"'{what}' is no type with a place"[:300], hint="write it as T1<TAB>PER 0 5<TAB>Alice")
    pieces = [[int(number) for number in piece.split(" ")] for piece in match[2].split(";")]
    span = anchor.span(pieces[0][0], pieces[-1][1], match[1], surface if len(pieces) == 1 and surface else None)
    for (_, stop), (start, _) in pairwise(pieces):
        if not stop <= start or text[stop:start].strip():
            raise DataError(
                f"the span {match[2]} ({match[1]}) has several parts, which tags of words cannot say",
                hint="make it one in brat, or take its line out",
            )
    return span


def _units(text: str, records: Sequence[tuple[int, int]], *, whole: bool) -> Iterator[_Unit]:
    """Yield the records of a text: those marked off, the other lines that are not blank; or all of it as one."""
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


def _shared(
    spans: Sequence[tuple[int, TextSpan]],
    units: Sequence[_Unit],
    path: Path,
    skip: Callable[[DataError], object] | None = None,
) -> Mapping[int, list[TextSpan]]:
    """Return the spans of each unit by its index, counted from the unit's start.

    :param skip: called with the error of a span that is left out; None raises it.
    :raises DataError: one does not lie in a single unit.
    """
    starts = [unit.start for unit in units]
    shares: dict[int, list[TextSpan]] = {index: [] for index in range(len(units))}
    for line, span in spans:
        index = bisect_right(starts, span.start) - 1
        if index < 0 or span.end > units[index].end:
            error = DataError(
                f"{path}:{line}: the span {span.start}-{span.end} ({span.label}) reaches beyond its line",
                hint="--set data.unit=document reads each file as one record",
            )
            if skip is None:
                raise error
            skip(error)
            continue
        base = units[index].start
        shares[index].append(TextSpan(span.start - base, span.end - base, span.label))
    return shares

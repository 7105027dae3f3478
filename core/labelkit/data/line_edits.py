"""Change labels in the lines of data files, and nothing else: every other byte of a file stays as it is."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.files.reading import reading_errors, text_codec
from labelkit.labels.schemes import PREFERENCE, lenient_spans, tags_of
from labelkit.labels.unknown import UNKNOWN, keep_unknown
from labelkit.records import Example, Labels, Schema, Scheme

#: lines without a change that a diff shows around a changed one
CONTEXT = 2
_CONVERT = "labelkit data convert REF copy.jsonl makes a copy that can be corrected"
#: how fields of a line are found: between tabs, or between blanks
_FIELDS = (re.compile(r"[^\t]+"), re.compile(r"[^ \t]+"))

Tags = Callable[[Labels], Sequence[str]]
"""Returns labels as a file writes them, one for each word, or one for a text."""


class LineChange(NamedTuple):
    """A line that has another label now, without line ends; counted from 1."""

    line: int
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectedFile:
    """A data file with corrected lines.

    :param content: the whole file after the corrections.
    :param lines: the lines before them, without their ends.
    :param changes: line → change, in the order of the file.
    """

    path: Path
    content: bytes
    lines: Sequence[str]
    changes: Mapping[int, LineChange]

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff."""
        yield f"--- {self.path}"
        yield f"+++ {self.path}"
        shown = sorted({near for line in self.changes for near in range(line - CONTEXT, line + CONTEXT + 1)})
        inside = [line for line in shown if 1 <= line <= len(self.lines)]
        for hunk in _runs(inside):
            yield f"@@ -{hunk[0]},{len(hunk)} +{hunk[0]},{len(hunk)} @@"
            for line in hunk:
                if (change := self.changes.get(line)) is None:
                    yield f" {self.lines[line - 1]}"
                else:
                    yield f"-{change.before}"
                    yield f"+{change.after}"


def correct_files(
    examples: Sequence[Example], corrected: Mapping[int, Labels], layer: str, schema: Schema, encoding: str
) -> list[CorrectedFile]:
    """Return the files of examples with corrected labels, which are not written.

    Column files keep their scheme, and their columns; of JSON Lines, the lines of corrected records are written anew.

    :param corrected: the position of an example → its corrected labels, in the scheme of ``schema``.
    :raises DataError: a file is compressed or remote, or its labels are not written as tags of a scheme, or as plain
        labels, in a column or a field; names file and line.
    """
    by_file: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        if example.place is not None:
            by_file.setdefault(example.place.file, []).append(number)
        elif number in corrected:
            raise DataError(f"{place_of(example)}: it is in no file, so no line can be corrected", hint=_CONVERT)
    found = []
    for file, numbers in by_file.items():
        if any(number in corrected for number in numbers):
            found.append(_correct_file(Path(file), encoding, numbers, examples, corrected, layer, schema))
    return found


def _correct_file(
    path: Path,
    encoding: str,
    numbers: Sequence[int],
    examples: Sequence[Example],
    corrected: Mapping[int, Labels],
    layer: str,
    schema: Schema,
) -> CorrectedFile:
    text = _LinesOfFile(path, encoding)
    own = [number for number in numbers if number in corrected]
    by_word = bool(examples[own[0]].place and examples[own[0]].place.word_lines)  # type: ignore[union-attr]
    changes: dict[int, LineChange] = {}
    if by_word:
        whole, some = ([examples[number] for number in which] for which in (numbers, own))
        column = _find_column(text, whole, some, layer, schema)
        edit = partial(_edit_words, text, column)
    else:
        edit = partial(_edit_record, text, schema)
    for number in own:
        for change in edit(examples[number], examples[number].labels[layer], corrected[number]):
            changes[change.line] = change
    ordered = dict(sorted(changes.items()))
    return CorrectedFile(path=path, content=text.with_changes(ordered), lines=text.lines, changes=ordered)


class _LinesOfFile:
    """The lines of a file, and its bytes."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self._codec = path, text_codec(encoding)
        if not path.is_file():
            raise DataError(f"{path} is not a file on this machine, so its lines cannot be corrected", hint=_CONVERT)
        with reading_errors(path):
            content = path.read_bytes()
        if self._codec.startswith(("utf-16", "utf-32")):
            raise DataError(f"{path}: lines in {encoding} cannot be corrected", hint="write the file anew in UTF-8")
        self._end = b"\n" if b"\n" in content else b"\r"
        self._raw = content.split(self._end)
        try:
            decoded = [line.decode(self._codec.removesuffix("-sig")) for line in self._raw]
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: it is compressed, or not in {encoding}, so no line of it can be corrected",
                hint="unpack it, or give --encoding",
            ) from error
        self._marks = [line[:1] if line[:1] == "\ufeff" else "" for line in decoded]
        self._tails = ["\r" if line.endswith("\r") else "" for line in decoded]
        #: without byte order marks and carriage returns
        self.lines = [
            line[len(mark) : len(line) - len(tail)]
            for line, mark, tail in zip(decoded, self._marks, self._tails, strict=True)
        ]

    def with_changes(self, changes: Mapping[int, LineChange]) -> bytes:
        """Return the content of the file with other lines."""
        raw = list(self._raw)
        codec = self._codec.removesuffix("-sig")
        for line, change in changes.items():
            raw[line - 1] = f"{self._marks[line - 1]}{change.after}{self._tails[line - 1]}".encode(codec)
        return self._end.join(raw)


# -- column files -----------------------------------------------------------------------------------------------------


class _Column(NamedTuple):
    """Where the labels of a column file stand, and how they are written."""

    fields: re.Pattern[str]
    number: int
    tags: Tags


def _find_column(
    text: _LinesOfFile, examples: Sequence[Example], corrected: Sequence[Example], layer: str, schema: Schema
) -> _Column:
    """Return the column that holds the labels of most words of a file, and those of all corrected examples.

    :raises DataError: there is none, or there are two; names a line.
    """
    best: dict[int, list[_Column]] = {}
    for fields in _FIELDS:
        for tags in _notations(schema):
            for number, count in _matches(text, fields, tags, examples, layer).items():
                best.setdefault(count, []).append(_Column(fields, number, tags))
    found = best[max(best)] if best else []
    sure = [one for one in found if not _first_miss(text, one, corrected, layer)]
    if len({column.number for column in sure}) == 1:
        return sure[0]
    if sure:
        raise DataError(f"{text.path}: two columns hold the same labels, so neither can be corrected", hint=_CONVERT)
    line = _first_miss(text, found[0], corrected, layer) if found else 1
    raise DataError(
        f"{text.path}:{line}: no column has the labels of these words as they were read",
        hint=f"tags in IOB1, IOB2, BIOES and BILOU, and plain labels, can be corrected in place: {_CONVERT}",
    )


def _matches(
    text: _LinesOfFile, fields: re.Pattern[str], tags: Tags, examples: Sequence[Example], layer: str
) -> Counter[int]:
    """Return column → the number of words whose label it holds; the columns of the shortest line only."""
    counts, width = Counter[int](), sys.maxsize
    for line, label in _labelled_lines(examples, tags, layer):
        row = [field.strip() for field in fields.findall(text.lines[line - 1])]
        width = min(width, len(row))
        counts.update(number for number, field in enumerate(row) if field == label)
    return Counter({number: count for number, count in counts.items() if number < width})


def _first_miss(text: _LinesOfFile, column: _Column, examples: Sequence[Example], layer: str) -> int:
    """Return the first line whose label a column does not hold; 0 where there is none."""
    for line, label in _labelled_lines(examples, column.tags, layer):
        if column.fields.findall(text.lines[line - 1])[column.number].strip() != label:
            return line
    return 0


def _labelled_lines(examples: Sequence[Example], tags: Tags, layer: str) -> Iterator[tuple[int, str]]:
    """Yield line and label of each word whose label is known."""
    for example in examples:
        assert example.place is not None
        for line, label in zip(example.place.word_lines, tags(example.labels[layer]), strict=True):
            if label != UNKNOWN:
                yield line, label


def _edit_words(
    text: _LinesOfFile, column: _Column, example: Example, before: Labels, after: Labels
) -> Iterator[LineChange]:
    assert example.place is not None
    for line, old, new in zip(example.place.word_lines, column.tags(before), column.tags(after), strict=True):
        if old == new:
            continue
        content = text.lines[line - 1]
        start, end = list(column.fields.finditer(content))[column.number].span()
        field = content[start:end].replace(old, new, 1)
        yield LineChange(line, content, content[:start] + field + content[end:])


def _notations(schema: Schema) -> Iterator[Tags]:
    """Yield the ways in which files may write labels."""
    if schema.scheme is None:
        yield lambda labels: (labels,) if isinstance(labels, str) else labels
    else:
        for scheme in PREFERENCE:
            yield partial(_tags_in, scheme=scheme)


def _tags_in(labels: Labels, *, scheme: Scheme) -> tuple[str, ...]:
    assert not isinstance(labels, str)
    return keep_unknown(labels, tags_of(lenient_spans(labels), len(labels), scheme))


# -- JSON Lines -------------------------------------------------------------------------------------------------------


def _edit_record(
    text: _LinesOfFile, schema: Schema, example: Example, before: Labels, after: Labels
) -> Iterator[LineChange]:
    """Yield the change of the line that holds a record.

    :raises DataError: it is no object of JSON, or has no field, or several, with the labels.
    """
    assert example.place is not None
    line = example.place.line
    content = text.lines[line - 1] if line <= len(text.lines) else ""
    try:
        record: Any = json.loads(content)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise DataError(
            f"{example.place}: of records, those of JSON Lines can be corrected line by line", hint=_CONVERT
        )
    found = [
        (name, tags(after))
        for tags in _notations(schema)
        for name, value in record.items()
        if _holds(value, tags(before), several=schema.multilabel)
    ]
    if len({name for name, _ in found}) != 1:
        what = "no field holds" if not found else f"the fields {' and '.join(dict.fromkeys(n for n, _ in found))} hold"
        raise DataError(f"{example.place}: {what} its labels as they were read", hint=_CONVERT)
    name, labels = found[0]
    record[name] = labels[0] if isinstance(record[name], str) else list(labels)
    compact = (",", ":") if '":' in content and '": ' not in content else None
    try:
        written = json.dumps(record, ensure_ascii=content.isascii(), separators=compact, allow_nan=False)
    except ValueError as error:
        raise DataError(f"{example.place}: a field holds NaN or infinity, which JSON does not know") from error
    yield LineChange(line, content, written)


def _holds(value: Any, labels: Sequence[str], *, several: bool) -> bool:
    """Return whether a field holds labels."""
    if isinstance(value, str):
        return [value] == list(labels)
    if not isinstance(value, list):
        return False
    return sorted(map(str, value)) == sorted(labels) if several else value == list(labels)


def _runs(lines: Sequence[int]) -> Iterator[list[int]]:
    """Yield runs of lines that follow each other."""
    run: list[int] = []
    for line in lines:
        if run and line != run[-1] + 1:
            yield run
            run = []
        run.append(line)
    if run:
        yield run

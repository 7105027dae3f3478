"""The layout of a column file, judged by its first lines, and its sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import DataError
from labelkit.formats.column_choice import ChosenColumns, choose_columns, header_of, is_sentence_name
from labelkit.formats.column_lines import (
    BLANKS,
    Line,
    Separation,
    find_separation,
    first_lines,
    is_document_start,
    without_marks,
    without_predicted_mark,
)
from labelkit.formats.column_profiles import ColumnProfile, profile_columns
from labelkit.formats.record_limit import limited_sentences
from labelkit.labels.tag_styles import find_form
from labelkit.records import Assumption, LoadContext

#: lines that decide about the layout of a file
SAMPLE = 5000
_LANGUAGE = re.compile(r"([a-z]{2,3}(?:[-_][a-z]{2,8}){0,2}:)(?=.)", re.DOTALL)
_LABELS = ("tags", "types", "O", "brackets")
_FEW = 3  # columns of a word, where none of them shows what it is
_COMMENTS = Assumption(
    "lines that begin with # before a sentence are comments", "--set data.comments=false reads them as words"
)


class ColumnSentence(NamedTuple):
    """A sentence as parsed.

    :param document: number of its document, from 1.
    :param lines: number of the line of each word.
    :param rows: the columns of each word.
    """

    document: int
    lines: Sequence[int]
    rows: list[list[str]]


@dataclass(kw_only=True)
class ColumnFile:
    """The layout of a column file.

    :param header: the names of the columns, where the first row holds them.
    :param width: the number of columns.
    :param first: the number of the first line with columns.
    :param sentence_column: the column whose value changes where a sentence begins; None where blank lines separate.
    :param counting: the values of the sentence column count the words of each sentence.
    :param known: the labels of the first lines, which distinguish words that begin with # from comments.
    :param prefixes: prefixes of words that are no part of them.
    """

    path: Path
    ctx: LoadContext
    separation: Separation
    header: tuple[str, ...] = ()
    width: int = 0
    first: int = 0
    columns: ChosenColumns = field(default_factory=lambda: ChosenColumns(words=0))
    profiles: Sequence[ColumnProfile] = ()
    sentence_column: int | None = None
    counting: bool = False
    prefixes: frozenset[str] = frozenset()

    @classmethod
    def open(cls, path: Path, ctx: LoadContext) -> tuple[ColumnFile, Iterator[Line]]:
        """Return the layout of a file and all of its lines, and note what was assumed.

        :raises DataError: the file cannot be read, or a column that ``--columns`` names does not exist.
        """
        given = without_marks(limited_sentences(path, ctx.lines(path), ctx.settings.max_record), ctx)
        lines = without_predicted_mark(path, given, ctx)
        seen, content = first_lines(lines, SAMPLE)
        found = cls(path=path, ctx=ctx, separation=find_separation(content, ctx))
        sentences = found._sample(seen)
        if sentences:
            found._describe(sentences)
        elif odd := [value for value in ctx.columns.values() if not re.fullmatch(r"-?[0-9]{1,9}", value)]:
            choose_columns((), (), ctx, f"{path}:1 ({odd[0]})")
        for statement in filter(None, (found.separation.assumed, *found.columns.assumed)):
            ctx.policy.assume(*statement)
        return found, chain(seen, lines)

    def rows(self, number: int, line: str, *, inside: bool) -> list[list[str]]:
        """Return the columns of each word of a line; none if it is blank, a comment or the header.

        :param inside: the line follows others of the same sentence.
        :raises DataError: their number differs from that of the first line; names file and line.
        """
        if not line.strip(BLANKS) or (self.header and number == self.first):
            return []
        rows = self.separation.rows(line)
        if not inside and line[0] == "#" and self._is_comment(line, rows):
            return []
        self.width = self.width or len(rows[0])
        if all(len(row) == self.width for row in rows):
            return rows
        # U+00A0 and other white space alone is a word in a file of bare words, and a blank line elsewhere.
        if line.isspace() and len(rows[0]) < self.width:
            return []
        found = next(len(row) for row in rows if len(row) != self.width)
        raise DataError(
            f"{self.path}:{number}: {self.width} columns expected as in line {self.first}, {found} found",
            hint=self._uneven_hint(line, found),
        )

    def _uneven_hint(self, line: str, found: int) -> str:
        """Return what to do about a line with ``found`` columns instead of :attr:`width`."""
        if found == 1:
            return f"'{line.strip()[:30]}' has no label; sentences are separated by blank lines, not by a mark"
        labels = any(profile.kind in _LABELS for profile in self.profiles)
        if self.separation.name == "spaces" and self.width > _FEW and not labels:
            return "each line needs a word and its label; texts without labels are read by labelkit label"
        return f"columns of this file are separated by {self.separation.name}; --set data.separator=… names another"

    def begins_sentence(self, row: Sequence[str], before: str) -> bool:
        """Return whether a word begins a sentence although no blank line is before it.

        :param before: the value of the sentence column in the sentence so far.
        """
        if self.sentence_column is None:
            return False
        value = row[self.sentence_column]
        if self.counting:
            return value.isdecimal() and int(value) <= int(before or 0)
        return value not in ("", before)

    def _is_comment(self, line: str, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether a line that begins with # is a comment, not a word."""
        if self.ctx.settings.comments is not None:
            return self.ctx.settings.comments
        fields = rows[0]
        if self.separation.tabs and len(fields) == 1 and line.startswith("# "):
            return self.width != 1
        if self.width < 2 or (self.separation.sentences and all(len(row) == self.width for row in rows)):
            return False
        column = next(iter(self.columns.layers.values()), self.width - 1)
        label = fields[column] if len(fields) == self.width else fields[-1]
        if label == "#" or self._is_label(label.strip(BLANKS), column):
            return False
        self.ctx.policy.assume(*_COMMENTS)
        return True

    def _is_label(self, value: str, column: int) -> bool:
        profile = self.profiles[column] if column < len(self.profiles) else None
        if profile is None or value in profile.values:
            return True
        return profile.kind in ("tags", "O", "types") and find_form({value: 1}) is not None

    def _sample(self, seen: Iterable[Line]) -> list[list[list[str]]]:
        """Return the columns of the words of the first lines by sentence, and keep where the first one is."""
        for hashes in (False, True):  # lines that begin with # only where there are no others
            sentences: list[list[list[str]]] = [[]]
            for number, line in seen:
                if not line.strip(BLANKS) or is_document_start(line):
                    sentences.append([])
                elif hashes or sentences[-1] or not line.startswith("#"):
                    self._add_row(sentences[-1], number, line)
            if found := [rows for rows in sentences if rows]:
                return found
        return []

    def _add_row(self, sentence: list[list[str]], number: int, line: str) -> None:
        for row in self.separation.rows(line):
            if not self.width:
                self.width, self.first = len(row), number
            if len(row) == self.width:
                sentence.append([value.strip(BLANKS) for value in row])

    def _describe(self, sentences: list[list[list[str]]]) -> None:
        """Find header, columns, and what separates sentences."""
        ctx = self.ctx
        self.header = header_of([row for rows in sentences for row in rows], ctx)
        if self.header:
            sentences[0] = sentences[0][1:]
            sentences = [rows for rows in sentences if rows] or [[list(self.header)]]
            if ctx.settings.header is None:
                names = ", ".join(self.header)
                ctx.policy.assume(
                    f"the first row names the columns ({names})", "--set data.header=false reads it as a word"
                )
        if len(sentences) == 1 and len(sentences[0]) > 1 and not self.separation.sentences:
            self._find_sentences(sentences[0])
            sentences = self._cut(sentences[0])
        self.profiles = profile_columns(sentences)
        self.columns = choose_columns(self.profiles, self.header, ctx, f"{self.path}:{self.first}")
        self.prefixes = self._find_prefixes([row[self.columns.words] for rows in sentences for row in rows])

    def _find_sentences(self, rows: Sequence[Sequence[str]]) -> None:
        """Find the column that tells sentences apart in a file without blank lines."""
        named = [index for index, name in enumerate(self.header) if is_sentence_name(name)]
        counted = [index for index in range(self.width) if _counts_words([row[index] for row in rows])]
        numbered = [index for index in range(self.width) if _numbers_sentences([row[index] for row in rows])]
        found = [*named, *numbered, *counted]
        if found and self.width > 2:
            self.sentence_column, self.counting = found[0], not named and not numbered
            self.ctx.policy.assume(
                f"no blank lines: a sentence begins where column {self.sentence_column} "
                + ("starts again" if self.counting else "changes"),
                "separate sentences by blank lines to say otherwise",
            )

    def _cut(self, rows: Iterable[list[str]]) -> list[list[list[str]]]:
        sentences: list[list[list[str]]] = [[]]
        before = ""
        for row in rows:
            if sentences[-1] and self.begins_sentence(row, before):
                sentences.append([])
            before = self.sentence_value(row) or before
            sentences[-1].append(row)
        return sentences

    def sentence_value(self, row: Sequence[str]) -> str:
        """Return the value of the sentence column; an empty one where there is no such column."""
        return "" if self.sentence_column is None else row[self.sentence_column]

    def _find_prefixes(self, words: Sequence[str]) -> frozenset[str]:
        """Return the prefixes that every word has and that are no part of it, as ``en:`` in WikiANN."""
        given = self.ctx.settings.word_prefix
        if given is not None:
            return frozenset((given,)) if given else frozenset()
        matches = [_LANGUAGE.match(word) for word in words]
        found = frozenset(match[1] for match in matches if match)
        if len(set(words)) < 3 or not all(matches):
            return frozenset()
        shown = ", ".join(f"'{prefix}'" for prefix in sorted(found)[:3])
        self.ctx.policy.assume(
            f"every word begins with a code of its language ({shown}), which is left out",
            "--set data.word_prefix='' keeps it",
        )
        return found


def parse(file: ColumnFile, lines: Iterable[Line]) -> Iterator[ColumnSentence]:
    """Yield the sentences of a file.

    :raises DataError: a line has another number of columns than the first, and the policy does not skip its sentence;
        names file and line.
    """
    rows: list[list[str]] = []
    numbers: list[int] = []
    document, empty, invalid = 1, True, False
    before = ""
    for number, line in chain(lines, [(0, "")]):
        border = is_document_start(line)
        try:
            found = [] if border else file.rows(number, line, inside=bool(rows))
        except DataError as error:
            if not invalid:
                file.ctx.policy.skip_record(error)
            found, invalid = [[line]], True
        begins = bool(rows and found) and not invalid and file.begins_sentence(found[0], before)
        if found and not begins:
            rows += found
            numbers += [number] * len(found)
            before = (not invalid and file.sentence_value(found[0])) or before
            if not file.separation.sentences:
                continue
        if rows and not invalid:
            yield ColumnSentence(document, _as_range(numbers), rows)
            empty = False
        rows, numbers, invalid = (found, [number], False) if begins else ([], [], False)
        before = file.sentence_value(found[0]) if begins else ""
        if border and not empty:
            document, empty = document + 1, True


def _as_range(numbers: list[int]) -> Sequence[int]:
    """Return the lines of words as a range where one follows the other."""
    whole = range(numbers[0], numbers[0] + len(numbers))
    return whole if numbers[-1] == whole[-1] else tuple(numbers)


def _numbers_sentences(values: Sequence[str]) -> bool:
    """Return whether values, of which empty ones repeat the one before, name sentences one after the other."""
    names: list[str] = []
    for value in values:
        if value and (not names or names[-1] != value):
            names.append(value)
    ascending = all(map(str.isdecimal, names)) and all(int(after) > int(before) for before, after in pairwise(names))
    named = all(re.match(r"(?i)sent", name) for name in names)
    return (ascending or named) and 1 < len(names) == len(Counter(names)) and 2 * len(names) <= len(values)


def _counts_words(values: Sequence[str]) -> bool:
    """Return whether values count the words of several sentences."""
    if not all(map(str.isdecimal, values)) or values[0] not in ("0", "1"):
        return False
    numbers = list(map(int, values))
    follow = all(after in (before + 1, numbers[0]) for before, after in pairwise(numbers))
    return follow and numbers.count(numbers[0]) > 1 and 2 * numbers.count(numbers[0]) <= len(numbers)

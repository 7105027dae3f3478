"""CoNLL-U: ten columns separated by tabs, a blank line after each sentence, comments before it.

Multi-word tokens (``3-4``) and empty nodes (``8.1``) are not words. ``# newdoc`` starts a document, ``# text`` holds
the original text of the sentence, ``# sent_id`` its id. In CoNLL-U Plus ``# global.columns`` names the columns, which
may be others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from labelkit.errors import DataError
from labelkit.formats.column_lines import without_marks
from labelkit.formats.conllu_columns import COLUMNS, ConlluColumn, all_columns, find_conllu_columns
from labelkit.formats.encoding import is_encodable
from labelkit.formats.kept_columns import is_column
from labelkit.formats.labelled_json import check_predictions_allowed, is_gold
from labelkit.formats.layers import conllu_places
from labelkit.formats.record_limit import limited_sentences
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Place
from labelkit.records.examples import Offsets

#: sentences that decide which column is read
_SAMPLE = 500
_WORD, _RANGE, _EMPTY = re.compile(r"[0-9]+"), re.compile(r"([0-9]+)-([0-9]+)"), re.compile(r"[0-9]+\.[0-9]+")
_COMMENT = re.compile(r"#\s*([^=]*?)\s*(?:=\s?(.*))?")
_COLUMN_NAMES = re.compile(r"#\s*global\.columns\s*=\s*(\S.*)")
#: the comment that says who predicted the labels of a sentence
PREDICTED_BY = "predicted_by"
#: comments that an example holds in fields of its own
_KNOWN = ("text", "sent_id", "newdoc", "newdoc id", PREDICTED_BY)
#: the own field of an example that holds its other comments
COMMENTS = "comments"


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a CoNLL-U file.

    ``ctx.columns`` maps ``tokens`` and layers to the names of columns, e.g. ``pos=upos``, or to a key in MISC, e.g.
    ``ner=misc:NER``. Without it, a layer with the name of a column is read from there, one of spans from a key in MISC,
    and any other from ``upos``.

    :raises DataError: the file cannot be read, a line does not have ten columns, or a column name is unknown.
    """
    sentences = parse(path, ctx)
    first = list(islice(sentences, _SAMPLE))
    more = first[0].names if first else ()
    columns = find_conllu_columns([row for sentence in first for row in sentence.rows], ctx, path, more)
    document: str | None = None
    documents = 0
    for number, sentence in enumerate(chain(first, sentences), start=1):
        predicted = sentence.comments.get(PREDICTED_BY) == "labelkit"
        if "newdoc" in sentence.comments or "newdoc id" in sentence.comments:
            documents += 1
            document = sentence.comments.get("newdoc id") or str(documents)
        try:
            if predicted and ctx.policy.labels == "required":
                check_predictions_allowed(f"{path}:{sentence.lines[0]}", ctx.settings)
            example = sentence.example(str(path), str(number), columns, document)
        except DataError as error:
            ctx.policy.skip_record(error)
        else:
            yield replace(example, extra=sentence.kept(columns)) if ctx.policy.keep_columns else example


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write each record as a sentence with its labels in the column UPOS; records without words are left out.

    Of several tasks UPOS has the labels of ``pos``, or else of the first; those of the others are in MISC, as
    ``NER=B-PER``.

    A text that the format cannot hold (of several lines, with white space at its ends) is left out. The comment
    ``predicted_by`` marks labels that were predicted, which are refused as gold data.

    :raises DataError: a word or a label cannot be written.
    """
    document: object = None
    for labelled in records:
        if not labelled.words:
            continue
        lines = []
        if labelled.extra.get("document") != document:
            document = labelled.extra.get("document")
            lines.append(f"# newdoc id = {_checked(str(document), labelled)}")
        lines.append(f"# sent_id = {_checked(labelled.id, labelled)}")
        lines += [] if is_gold(labelled) else [f"# {PREDICTED_BY} = labelkit"]
        lines += _other_comments(labelled)
        if is_writable(labelled.text):
            lines.append(f"# text = {labelled.text}")
        for number, row in enumerate(zip(*_columns(labelled), strict=True), start=1):
            lines.append("\t".join((str(number), *(_checked(value, labelled) for value in row))))
        output.stream.write(("\n".join(lines) + "\n\n").encode())


FORMAT = Format(
    name="conllu",
    kinds=("token",),
    suffixes=(".conllu", ".conllup"),
    read=read,
    write=write,
    summary="CoNLL-U of Universal Dependencies: UPOS, XPOS, FEATS or LEMMA as labels",
)


@dataclass(slots=True)
class ConlluSentence:
    """A sentence as parsed.

    :param names: of the columns in the file.
    :param rows: the ten columns of each word, and then those that only CoNLL-U Plus has.
    :param lines: the line of each word.
    :param surfaces: words and multi-word tokens as they are in the text, each with the number of its words.
    :param comments: name → value.
    :param others: the comments that have no field of their own, as written.
    :param pending: words still to come of the last multi-word token.
    """

    names: Sequence[str] = COLUMNS
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    surfaces: list[tuple[str, int]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    pending: int = 0

    def add(self, line: str, path: Path, number: int) -> None:
        """Add a word, multi-word token or empty node.

        :raises DataError: the line is invalid; names file and line.
        """
        fields = self._fields(line, f"{path}:{number}")
        if match := _RANGE.fullmatch(fields[0]):
            self.pending = int(match[2]) - int(match[1]) + 1
            self.surfaces.append((fields[1], self.pending))
        elif _WORD.fullmatch(fields[0]):
            if "" in fields:
                name = all_columns(self.names)[fields.index("")].upper()
                raise DataError(
                    f"{path}:{number}: the column {name} is empty", hint="what is not known is written as _"
                )
            self.rows.append(fields)
            self.lines.append(number)
            if self.pending:
                self.pending -= 1
            else:
                self.surfaces.append((fields[1], 1))
        elif not _EMPTY.fullmatch(fields[0]):
            message = f"{path}:{number}: invalid word number '{fields[0]}'"
            raise DataError(message, hint="the first column counts words")

    def _fields(self, line: str, place: str) -> list[str]:
        """Return the fields of a line: the ten columns, ``_`` for those that are not there, and then the others.

        :raises DataError: there are more or fewer of them than columns; names ``place``.
        """
        fields, width = line.split("\t"), len(self.names)
        if len(fields) != width:
            hint = "files with other columns are read with --set data.format=conll"
            if len(line.split()) == width:
                hint = "these are separated by blanks: write tabs between them"
            elif self.names != COLUMNS:
                hint = "the comment '# global.columns' names one for each"
            elif len(fields) > width:
                hint = "leave out what follows the tenth column: cut -f1-10 FILE"
            raise DataError(f"{place}: {width} columns separated by tabs expected, {len(fields)} found", hint=hint)
        if self.names == COLUMNS:
            return fields
        held = {"id": str(len(self.rows) + 1), **dict(zip(self.names, fields, strict=True))}
        return [held.get(name, "_") for name in all_columns(self.names)]

    def example(self, file: str, number: str, columns: Mapping[str, ConlluColumn], document: str | None) -> Example:
        """Return the example with the layers of ``columns``; its id is ``number`` if the sentence has none.

        :raises DataError: a word has no label; names file and line.
        """
        place = Place(file=file, line=self.lines[0], word_lines=tuple(self.lines))
        try:
            layers = {name: column.values(self.rows) for name, column in columns.items() if name != "tokens"}
        except DataError as error:
            raise error.at(place) from error
        words = tuple([row[columns["tokens"].index] for row in self.rows])
        text = self.comments.get("text")
        return Example(
            id=self.comments.get("sent_id") or number,
            words=words,
            text=text,
            labels=layers,
            document=document,
            offsets=None if text is None else self.offsets(words, text),
            place=place,
        )

    def comment(self, line: str) -> None:
        """Add a comment."""
        match = _COMMENT.fullmatch(line)
        if match is not None and match[1] in _KNOWN:
            self.comments[match[1]] = match[2] or ""
        elif content := line[1:].strip():
            self.others.append(content)

    def kept(self, used: Mapping[str, ConlluColumn]) -> dict[str, list[str]]:
        """Return the columns that are not ``used`` and not empty, by name, and the other comments."""
        whole = {column.index for column in used.values() if column.key is None}
        names = all_columns(self.names)
        left = [number for number in range(2, len(names)) if number not in whole]
        columns = {names[number]: [row[number] for row in self.rows] for number in left}
        found = {name: values for name, values in columns.items() if set(values) != {"_"}}
        return {**found, COMMENTS: self.others} if self.others else found

    def offsets(self, words: tuple[str, ...], text: str) -> Offsets | None:
        """Return the offsets of the words in the text; None if they are not the words of it.

        The words of a multi-word token share its offsets, unless they are its pieces as "do" and "n't" are of "don't".
        """
        offsets: list[tuple[int, int]] = []
        cursor = 0
        for surface, count in self.surfaces:
            start = text.find(surface, cursor)
            if start < 0 or text[cursor:start].strip():
                return None
            cursor = start + len(surface)
            pieces = words[len(offsets) : len(offsets) + count]
            if "".join(pieces) == surface:
                for piece in pieces:
                    offsets.append((start, start + len(piece)))
                    start += len(piece)
            else:
                offsets.extend([(start, cursor)] * len(pieces))
        return None if text[cursor:].strip() or len(offsets) != len(words) else tuple(offsets)


def parse(path: Path, ctx: LoadContext) -> Iterator[ConlluSentence]:
    """Yield the sentences of a file.

    :raises DataError: a line is invalid, and ``ctx.policy`` does not skip its sentence; names file and line.
    """
    sentence, invalid = ConlluSentence(), False
    names: Sequence[str] = COLUMNS
    lines = without_marks(limited_sentences(path, ctx.lines(path), ctx.settings.max_record), ctx)
    for number, line in chain(lines, [(0, "")]):
        if not sentence.rows and (named := _COLUMN_NAMES.fullmatch(line)):
            sentence.names = names = _checked_names(named[1].lower().split(), f"{path}:{number}")
        elif line.startswith("#") and not sentence.rows:
            sentence.comment(line)
        elif line.strip():
            try:
                sentence.add(line, path, number)
            except DataError as error:
                if not invalid:
                    ctx.policy.skip_record(error)
                invalid = True
        else:
            if sentence.rows and not invalid:
                yield sentence
            if sentence.rows or invalid:
                sentence, invalid = ConlluSentence(names=names), False


def _checked_names(names: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the names of the columns of CoNLL-U Plus.

    :raises DataError: a name is repeated, or there are no words; names ``place``.
    """
    if "form" not in names or len(set(names)) < len(names):
        raise DataError(
            f"{place}: '# global.columns' must name each column once, the words as FORM", hint="correct the comment"
        )
    return tuple(names)


def _other_comments(labelled: Labelled) -> list[str]:
    """Return the lines of a record's own field of comments; none if it does not hold comments as they were read."""
    held = labelled.extra.get(COMMENTS)
    if not isinstance(held, list) or not all(isinstance(one, str) and is_writable(one) for one in held):
        return []
    unclear = any((match := _COMMENT.fullmatch(f"# {one}")) is not None and match[1] in _KNOWN for one in held)
    return [] if unclear else [f"# {one}" for one in held]


def _columns(labelled: Labelled) -> list[Sequence[str]]:
    """Return the columns of a record but for the numbers: its words, its labels, and those that were kept."""
    words = labelled.words or ()
    kept = {name: labelled.extra.get(name) for name in COLUMNS}
    columns: dict[str, Sequence[str]] = dict.fromkeys(COLUMNS, ["_"] * len(words))
    columns |= {name: value for name, value in kept.items() if is_column(value, len(words))}
    upos, keyed = conllu_places(labelled)
    columns |= {"form": words, "upos": upos}
    if keyed:
        rows = zip(*keyed.values(), strict=True)
        columns["misc"] = [
            _with_keys(misc, dict(zip(keyed, row, strict=True)), labelled)
            for misc, row in zip(columns["misc"], rows, strict=True)
        ]
    return [columns[name] for name in COLUMNS[1:]]


def _with_keys(misc: str, labels: Mapping[str, str], labelled: Labelled) -> str:
    """Return the column MISC of a word with further keys, in place of those of the same name.

    :raises DataError: a label has the character that separates fields of MISC.
    """
    for label in labels.values():
        if "|" in label:
            raise _unwritable(label, labelled)
    others = [one for one in misc.split("|") if one != "_" and one.partition("=")[0] not in labels]
    return "|".join([*others, *(f"{key}={label}" for key, label in labels.items())])


def is_writable(value: str) -> bool:
    """Return whether a field or comment can hold ``value``."""
    if not value or value != value.strip(" ") or any(mark in value for mark in "\t\n\r"):
        return False
    return is_encodable(value)


def _checked(value: str, labelled: Labelled) -> str:
    if not is_writable(value):
        raise _unwritable(value, labelled)
    return value


def _unwritable(value: str, labelled: Labelled) -> DataError:
    return DataError(
        f"record '{labelled.id}': {value!a} cannot be written in CoNLL-U",
        hint="another format can hold it, e.g. --to jsonl",
    )

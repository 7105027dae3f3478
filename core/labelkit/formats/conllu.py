"""CoNLL-U: ten columns by tabs, a blank line after each sentence, comments before it.

Multi-word lines (``3-4``) and empty nodes (``8.1``) are no words. ``# newdoc`` starts a document, ``# text`` gives the
sentence as it was written, ``# sent_id`` its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from labelkit.errors import DataError, nearest
from labelkit.labels.spans import Offsets
from labelkit.records import Example, Format, Labelled, LoadContext, Output, Place

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_WORD, _RANGE, _EMPTY = re.compile(r"[0-9]+"), re.compile(r"([0-9]+)-([0-9]+)"), re.compile(r"[0-9]+\.[0-9]+")
_COMMENT = re.compile(r"#\s*([^=]*?)\s*(?:=\s?(.*))?")


@dataclass(slots=True)
class _Sentence:
    """What has been read of a sentence; ``surfaces`` are the stretches of text, each with how many words it holds."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    surfaces: list[tuple[str, int]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    inside: int = 0  # words yet to come of a multi-word line


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a CoNLL-U file.

    ``ctx.columns`` maps ``tokens`` and layers to the names of columns, e.g. ``pos=upos``. Without it, a layer called
    like a column is read from there, any other from ``upos``.

    :raises DataError: the file cannot be read, a line has not ten columns, or a column has no such name.
    """
    columns = _columns(ctx)
    document: str | None = None
    borders = 0
    for number, sentence in enumerate(_sentences(path, ctx), start=1):
        if "newdoc" in sentence.comments or "newdoc id" in sentence.comments:
            borders += 1
            document = sentence.comments.get("newdoc id") or str(borders)
        yield _example(str(path), number, sentence, columns, document)


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write each record as a sentence with its labels in the column UPOS; one without words would be none.

    A text that the format cannot hold (of several lines, with white space at its ends) is left out.

    :raises DataError: a word or a label cannot be held.
    """
    document: object = None
    for labelled in records:
        if not labelled.words:
            continue
        lines = []
        if labelled.extra.get("document") != document:
            document = labelled.extra.get("document")
            lines.append(f"# newdoc id = {_writable(str(document), labelled)}")
        lines.append(f"# sent_id = {_writable(labelled.id, labelled)}")
        if _holds(labelled.text):
            lines.append(f"# text = {labelled.text}")
        pairs = zip(labelled.words or (), labelled.labels or (), strict=True)
        for number, (word, label) in enumerate(pairs, start=1):
            fields = (_writable(word, labelled), "_", _writable(label, labelled))
            lines.append(f"{number}\t{fields[0]}\t{fields[1]}\t{fields[2]}" + "\t_" * 6)
        output.stream.write(("\n".join(lines) + "\n\n").encode())


FORMAT = Format(
    name="conllu",
    kinds=("token",),
    suffixes=(".conllu",),
    read=read,
    write=write,
    summary="CoNLL-U of Universal Dependencies: UPOS, XPOS, FEATS or LEMMA as labels",
)


def _columns(ctx: LoadContext) -> dict[str, int]:
    """Return layer (or ``tokens``) → position of its column."""
    names = {"tokens": "form", **ctx.columns}
    if len(names) == 1 and ctx.policy.labels != "ignored":
        layer = ctx.layer or "pos"
        names[layer] = layer if layer in COLUMNS else "upos"
    for layer, name in names.items():
        if name.lower() not in COLUMNS:
            raise DataError(
                f"CoNLL-U has no column '{name}' for '{layer}'",
                hint=f"{nearest(name.lower(), COLUMNS)}; for example --columns tokens=form,{layer}=upos",
            )
    return {layer: COLUMNS.index(name.lower()) for layer, name in names.items()}


def _sentences(path: Path, ctx: LoadContext) -> Iterator[_Sentence]:
    """Yield the sentences; one with an invalid line is skipped whole where the reading policy takes its error."""
    sentence, bad = _Sentence(), False
    on_bad_record = ctx.policy.on_bad_record
    for number, line in chain(ctx.lines(path), [(0, "")]):
        if line.startswith("#") and not sentence.rows:
            if match := _COMMENT.fullmatch(line):
                sentence.comments[match[1]] = match[2] or ""
        elif line.strip():
            try:
                _add(sentence, path, number, line)
            except DataError as error:
                if on_bad_record is None:
                    raise
                if not bad:
                    on_bad_record(error)
                bad = True
        else:
            if sentence.rows and not bad:
                yield sentence
            if sentence.rows or bad:
                sentence, bad = _Sentence(), False


def _add(sentence: _Sentence, path: Path, number: int, line: str) -> None:
    fields = line.split("\t")
    if len(fields) != len(COLUMNS):
        raise DataError(
            f"{path}:{number}: 10 columns separated by tabs expected, {len(fields)} found",
            hint="files with other columns are read with --set data.format=conll",
        )
    if match := _RANGE.fullmatch(fields[0]):
        sentence.inside = int(match[2]) - int(match[1]) + 1
        sentence.surfaces.append((fields[1], sentence.inside))
    elif _WORD.fullmatch(fields[0]):
        _check_filled(path, number, fields)
        sentence.rows.append(fields)
        sentence.lines.append(number)
        if sentence.inside:
            sentence.inside -= 1
        else:
            sentence.surfaces.append((fields[1], 1))
    elif not _EMPTY.fullmatch(fields[0]):
        raise DataError(f"{path}:{number}: '{fields[0]}' is no number of a word", hint="the first column counts words")


def _check_filled(path: Path, number: int, fields: list[str]) -> None:
    if "" in fields:
        name = COLUMNS[fields.index("")].upper()
        raise DataError(f"{path}:{number}: the column {name} is empty", hint="what is not known is written as _")


def _example(file: str, number: int, sentence: _Sentence, columns: Mapping[str, int], document: str | None) -> Example:
    layers = {name: tuple([sys.intern(row[column]) for row in sentence.rows]) for name, column in columns.items()}
    words = tuple([row[columns["tokens"]] for row in sentence.rows])
    del layers["tokens"]
    text = sentence.comments.get("text")
    return Example(
        id=sentence.comments.get("sent_id") or str(number),
        words=words,
        text=text,
        labels=layers,
        document=document,
        offsets=None if text is None else _offsets(sentence, words, text),
        place=Place(file=file, line=sentence.lines[0], word_lines=tuple(sentence.lines)),
    )


def _offsets(sentence: _Sentence, words: tuple[str, ...], text: str) -> Offsets | None:
    """Return where the words stand in the text.

    The words of a multi-word line share its place, unless they are its pieces as "do" and "n't" are of "don't".
    """
    offsets: list[tuple[int, int]] = []
    cursor = 0
    for surface, count in sentence.surfaces:
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


def _writable(value: str, labelled: Labelled) -> str:
    if not _holds(value):
        raise DataError(
            f"record '{labelled.id}': {value!a} cannot be written in CoNLL-U",
            hint="another format can hold it, e.g. --to jsonl",
        )
    return value


def _holds(value: str) -> bool:
    lost = not value or value != value.strip(" ") or any(mark in value for mark in "\t\n\r")
    return not lost and not any("\ud800" <= mark <= "\udfff" for mark in value)

"""Tables with a word in each row, and a column that says which sentence it is in: records of whole sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from labelkit.errors import DataError
from labelkit.formats.cells import parse_cell
from labelkit.formats.class_labels import is_missing
from labelkit.formats.columns import TASK_LAYER_NAMES, Record
from labelkit.records import LoadContext

AGAIN = "sentences whose number occurs again later were read as new ones"
WORD_NAMES = frozenset(("word", "words", "token", "tokens"))
SENTENCE_NAMES = frozenset((
    "sentence", "sentence #", "sentence_id", "sentence_idx", "sentence_index", "sentence_number", "sentence_no",
    "sentenceid", "sentence id", "sent", "sent_id", "sent_idx", "sid",
))  # fmt: skip


class WordColumns(NamedTuple):
    """The columns of a table with a word in each row."""

    word: str
    sentence: str


def word_columns(names: Iterable[str], ctx: LoadContext) -> WordColumns | None:
    """Return the columns of words and of sentences, by ``--columns`` or by their usual names; None without both."""
    if ctx.kind == "text":
        return None
    found: dict[str, str] = {}
    for name in names:
        lower = name.lower()
        if lower in WORD_NAMES:
            found.setdefault("word", name)
        elif lower in SENTENCE_NAMES:
            found.setdefault("sentence", name)
    word, sentence = ctx.columns.get("tokens", found.get("word")), ctx.columns.get("sentence", found.get("sentence"))
    return WordColumns(word, sentence) if word and sentence else None


def with_whole_sentences(
    records: Iterable[tuple[int, Record]], ctx: LoadContext, *, cells: bool = False
) -> Iterator[tuple[int, Record]]:
    """Yield the records as they are, or the sentences of records that hold a word each.

    :param cells: strings are the cells of a text table, in which a label may be written as ``nan``.
    :raises DataError: a record has no word; names no file.
    """
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return
    everything = chain([first], iterator)
    columns = word_columns(first[1], ctx)
    if columns is None or not _is_single(first[1].get(columns.word)):
        yield from everything
        return
    ctx.policy.assume(
        f"each row is a word ('{columns.word}'), sentences are those of '{columns.sentence}'",
        "--columns tokens=…,sentence=… says otherwise",
    )
    yield from sentences(everything, columns, ctx, cells=cells)


def sentences(
    rows: Iterable[tuple[int, Record]], columns: WordColumns, ctx: LoadContext, *, cells: bool
) -> Iterator[tuple[int, Record]]:
    """Yield ``(line of the first word, record)`` of each sentence; a row without a number belongs to the one before."""
    seen: set[Any] = set()
    current: Any = None
    words: list[Record] = []
    start = 1
    for line, row in rows:
        number = row.get(columns.sentence)
        if words and number in (None, current):
            words.append(row)
            continue
        if words:
            yield start, _sentence(words, columns, ctx, seen, cells=cells)
        start, words, current = line, [row], number
    if words:
        yield start, _sentence(words, columns, ctx, seen, cells=cells)


def _sentence(rows: Sequence[Record], columns: WordColumns, ctx: LoadContext, seen: set[Any], *, cells: bool) -> Record:
    """Return the record of a sentence: lists of its words and labels, and single values where all words agree."""
    named = set(ctx.columns.values())
    number = rows[0].get(columns.sentence)
    record: dict[str, Any] = {}
    for name in rows[0]:
        if name == columns.sentence and name not in named:
            continue
        values = [row.get(name) for row in rows]
        key = name if name in named else _usual_name(name, rows[0], ctx)
        is_label = key in (ctx.layer, f"{ctx.layer}_tags", *TASK_LAYER_NAMES, "tokens", "words") or name in named
        is_label = is_label and name != columns.sentence
        if is_label and cells and name != columns.word:
            values = [None if is_missing(value, cell=True) else value for value in values]
        record[key] = values if is_label or len(set(map(repr, values))) > 1 else values[0]
    if number is not None and number not in seen:
        record["id"] = str(number)
    elif number is not None:
        ctx.policy.counts[AGAIN] += 1
    seen.add(number)
    return record


def _usual_name(name: str, names: Mapping[str, Any], ctx: LoadContext) -> str:
    """Return the name by which a column is found: words as ``tokens``, ``Tag`` as ``tags``; other names as they are."""
    lower = name.lower()
    usual = {"word": "tokens", "token": "tokens", "tag": "tags", "id": "row_id"}.get(lower, lower)
    known = ("tokens", "words", "tags", "row_id", ctx.layer, f"{ctx.layer}_tags", *TASK_LAYER_NAMES)
    return usual if usual in known and (usual == name or usual not in names) else name


def _is_single(value: Any) -> bool:
    """Return whether a value is a word, not a list of words, also as a cell writes one."""
    try:
        return isinstance(value, str) and isinstance(parse_cell(value), str)
    except DataError:
        return False

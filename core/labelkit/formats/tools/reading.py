"""Spans, classes and texts of annotation tools made into examples: one way for all tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from labelkit.errors import DataError
from labelkit.formats.examples import class_label
from labelkit.labels.notation import Notation
from labelkit.labels.span_tags import SpanTagger
from labelkit.labels.spans import Offsets, TextSpan, joined_offsets, offsets_of, parse_span
from labelkit.records import Example, Kind, LoadContext, Place, Scheme
from labelkit.text.splitters import split

MOVED = "spans counted in UTF-16 units were moved to code points"
_NOTATIONS: tuple[str, ...] = (*get_args(Scheme), "plain")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One record of a tool's file.

    :param marks: its spans; None where it carries none, because it is a classified text.
    :param label: the class, where it is a classified text.
    :param aside: what labelkit wrote beside it.
    :param id: the tool's own name for it, used where ``aside`` has none.
    :param words: the words and where they stand, where the tool keeps them.
    :param document: which document it belongs to, where the file tells; else its own field ``document``.
    :param faults: what is wrong with spans that were left out, see :attr:`Anchor.faults`.
    """

    text: str
    marks: Sequence[TextSpan] | None = None
    label: Any = None
    aside: Mapping[str, Any] = field(default_factory=dict)
    id: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[tuple[str, ...], Offsets] | None = None
    document: str | None = None
    faults: Sequence[DataError] = ()


_Item = TypeVar("_Item")
Reader = Callable[[int, Any], Found | None]
"""From the line of a record and the record to what it holds; None when it is left out."""


def read_each(path: Path, ctx: LoadContext, records: Iterable[tuple[int, Any]], reader: Reader) -> Iterator[Example]:
    """Yield the example of each ``(line, record)``; what ``reader`` answers None to is left out.

    :raises DataError: a record cannot be used, with file and line; at the end, when spans do not fit the words.
    """
    tagger = SpanTagger(ctx)
    number, bare, policy = 0, unlabelled_wanted(ctx), ctx.policy
    for line, record in records:
        place = Place(file=str(path), line=line)
        try:
            found = reader(line, record)
            if found is None:
                continue
            number += 1
            if policy.on_bad_span is not None:
                for fault in found.faults:
                    policy.on_bad_span(DataError(f"{place}: {fault.message}", hint=fault.hint))
            example = _bare(found, number, place) if bare else _example(found, number, place, ctx, tagger)
        except DataError as error:
            raised = DataError(f"{place}: {error.message}", hint=error.hint)
            if policy.on_bad_record is None:
                raise raised from error
            policy.on_bad_record(raised)
            continue
        if example is not None:
            yield example
    tagger.finish()


def kind_wanted(ctx: LoadContext, guess: Kind) -> Kind:
    """Return the kind that the task wants; without a task, the one that the record looks like."""
    return ctx.kind or guess


def unlabelled_wanted(ctx: LoadContext) -> bool:
    """Return whether the records are to be labelled, so that what they are labelled with does not matter."""
    return ctx.policy.labels == "ignored"


def left_out(ctx: LoadContext, what: str) -> None:
    """Count what is left out of a file; the count is shown as a note."""
    ctx.policy.counts[what] += 1


def text_of(record: Mapping[str, Any], name: str) -> str:
    """Return the text of a record.

    :raises DataError: there is none; names no file.
    """
    value = record.get(name)
    if not isinstance(value, str):
        raise DataError(
            f"no text in '{name}'" if value is None else f"the text in '{name}' must be a string, not {value!r}"[:300],
            hint="choose the field of the text: --columns text=…",
        )
    return value


def aside_of(value: Any) -> Mapping[str, Any]:
    """Return what labelkit wrote beside a record, or nothing where that is no object."""
    return value if isinstance(value, Mapping) else {}


class Anchor:
    """Places a tool's spans in one text, in code points whichever way they were counted.

    A span whose own text is not what stands at its place is read in UTF-16 units, as older tools counted them, when
    that gives its text. ``data.utf16=true`` says that every span is counted so.

    :ivar faults: what is wrong with spans that were left out because ``on_bad_span`` takes such errors.
    """

    def __init__(self, text: str, ctx: LoadContext) -> None:
        self.faults: list[DataError] = []
        self._text, self._ctx = text, ctx
        self._always = ctx.settings.utf16
        self._units: list[int] | None = None

    def each(self, items: Iterable[_Item], read: Callable[[_Item], Iterable[TextSpan]]) -> list[TextSpan]:
        """Return the spans that ``read`` makes of each item.

        :raises DataError: an item cannot be used, and nobody takes the errors of single spans; names no file.
        """
        found: list[TextSpan] = []
        for item in items:
            try:
                found += read(item)
            except DataError as error:
                if self._ctx.policy.on_bad_span is None:
                    raise
                # annotations of one text that agree have the same faults
                if error.message not in [fault.message for fault in self.faults]:
                    self.faults.append(error)
        return found

    def span(self, start: Any, end: Any, label: Any, surface: Any = None) -> TextSpan:
        """Return a span.

        :param surface: the text that the tool keeps beside it; None where it keeps none.
        :raises DataError: it is none, lies outside of the text, or is not ``surface``; names no file.
        """
        if self._always:
            return self._check(self._moved(start, end, label), surface)
        if surface is None or (type(start) is int and type(end) is int and _same(self._text[start:end], surface)):
            return parse_span([start, end, label], self._text)
        try:
            span = self._check(self._moved(start, end, label), surface)
        except DataError:
            return self._check(parse_span([start, end, label], self._text), surface)
        left_out(self._ctx, MOVED)
        return span

    def _moved(self, start: Any, end: Any, label: Any) -> TextSpan:
        if self._units is None:
            self._units = list(_units(self._text))
        inside = [type(unit) is int and 0 <= unit < len(self._units) for unit in (start, end)]
        places = [self._units[unit] for unit in (start, end)] if all(inside) else [-1]
        if -1 in places:
            raise DataError(
                f"span {start}-{end} ({label}) in UTF-16 units does not lie in the text, or halves a character",
                hint="start and end count from 0, end is exclusive; without data.utf16 they count code points",
            )
        return parse_span([*places, label], self._text)

    def _check(self, span: TextSpan, surface: Any) -> TextSpan:
        if surface is not None and not _same(self._text[span.start : span.end], surface):
            raise DataError(
                f"span {span.shown(self._text)} should be {surface!r} by the file"[:300],
                hint="its offsets do not fit this text: was the text changed after it was annotated?",
            )
        return span


def _same(text: str, surface: Any) -> bool:
    """Whether a tool's copy of a span is its text; tools write line ends in it as they like."""
    return isinstance(surface, str) and "".join(text.split()) == "".join(surface.replace("\\n", "").split())


def _units(text: str) -> Iterator[int]:
    """Yield for each UTF-16 unit the code point that starts there, -1 for a second half; at last the end."""
    for index, mark in enumerate(text):
        yield index
        if mark > "\uffff":
            yield -1
    yield len(text)


def _example(found: Found, number: int, place: Place, ctx: LoadContext, tagger: SpanTagger) -> Example | None:
    common = _common(found, number, place)
    if found.marks is None:
        return Example(text=found.text, labels={ctx.layer or "label": class_label(found.label)}, **common)
    words, offsets = _words(found, ctx.settings.splitter)
    notation = _notation(found.aside)
    labels = tagger.labels(found.marks, found.text, words, offsets, place, notation)
    if labels is None:
        return None
    return Example(words=words, text=found.text, offsets=offsets, labels={ctx.layer or "labels": labels}, **common)


def _bare(found: Found, number: int, place: Place) -> Example:
    """Return the example without labels, with the words that the file tells of."""
    told = "words" in found.aside or found.words is not None
    words, offsets = _words(found) if told else (None, None)
    return Example(words=words, text=found.text, offsets=offsets, **_common(found, number, place))


def _common(found: Found, number: int, place: Place) -> dict[str, Any]:
    document = found.extra.get("document", found.document)
    name = found.aside.get("id", found.id)
    return {
        "id": str(number) if name is None else str(name),
        "document": None if document is None else str(document),
        "extra": dict(found.extra),
        "place": place,
    }


def _words(found: Found, splitter: str = "words") -> tuple[tuple[str, ...], Offsets]:
    """Return the words that labelkit wrote beside the text, those of the tool, or else those of the splitter."""
    words, offsets = found.aside.get("words"), found.aside.get("offsets")
    if words is None:
        if found.words is not None:
            return found.words
        found_at = split(found.text, splitter)
        return tuple([found.text[start:end] for start, end in found_at]), found_at
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError("the words that labelkit wrote are no list of strings any more", hint="leave them out")
    given = offsets_of(words, found.text) if offsets is None else _pairs(offsets, found.text)
    if given is None and found.text == " ".join(words):
        given = joined_offsets(words)
    if given is None or len(given) != len(words):
        raise DataError(
            "the words that labelkit wrote beside the text are not those of the text",
            hint="the text was changed: leave the field 'labelkit' out, so that it is split anew",
        )
    return tuple(words), given


def _pairs(offsets: Any, text: str) -> Offsets | None:
    try:
        found = tuple([(start, end) for start, end in offsets])
    except (TypeError, ValueError):
        return None
    numbers = all(type(start) is int and type(end) is int and 0 <= start <= end <= len(text) for start, end in found)
    return found if numbers else None


def _notation(aside: Mapping[str, Any]) -> Notation | None:
    """Return the scheme that labelkit noted; None where it noted none."""
    scheme: Notation = aside.get("scheme", "")
    return scheme if scheme in _NOTATIONS else None

"""Spans in records of named columns: their field names, and whether their offsets count characters or words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from labelkit.errors import DataError
from labelkit.formats.class_labels import SKIP_HINT, MissingLabelError
from labelkit.formats.span_locator import SpanLocator
from labelkit.labels.number_names import named_numbers
from labelkit.labels.spans import TextSpan, joined_offsets
from labelkit.records import LoadContext
from labelkit.records.examples import Offsets

REJECTED_SPANS = "spans that were rejected in Prodigy were left out"
SpanUnit = Literal["characters", "words", "words-inclusive"]
_START = ("start", "start_offset", "start_char", "begin", "offset")
_END = ("end", "end_offset", "end_char", "stop")
_LABEL = ("label", "type", "tag", "entity_group", "labels", "category", "entity", "entity_type", "tag_name")
_TEXT = ("text", "surface")
_HINT = 'write each as {"start": 0, "end": 5, "label": "PER"} or [0, 5, "PER"]'


class SpanFields(NamedTuple):
    """The fields of a span as a record gives them, not validated."""

    start: Any
    end: Any
    label: Any
    surface: Any = None


def span_fields(item: Any, names: Mapping[str, str] | None = None) -> SpanFields:
    """Return the fields of ``{"start", "end", "label"}``, under any of their usual names, or ``[start, end, label]``.

    :param names: of labels that are numbers, by number.
    :raises DataError: it is neither, or its label is a number without a name; names no file.
    """
    found = _unnamed_fields(item)
    if type(found.label) is not int:
        return found
    if (name := (names or {}).get(str(found.label))) is not None:
        return found._replace(label=name)
    raise DataError(
        f"the label of the span {found.start}-{found.end} is a number without a name, {found.label}",
        hint="export the names of the labels instead of their ids, or --set data.label_names=label2id.json names them",
    )


def _unnamed_fields(item: Any) -> SpanFields:
    """Return the fields of a span, whose label may be a number.

    :raises DataError: it is none; names no file.
    """
    if isinstance(item, Mapping):
        names = [next((name for name in usual if name in item), "") for usual in (_START, _END, _LABEL, _TEXT)]
        start, end, label, surface = (item.get(name) for name in names)
        if not names[1] and type(start) is int and type(length := item.get("length")) is int:
            end = start + length
        if isinstance(label, list | tuple) and len(label) == 1:
            label = label[0]
        found = SpanFields(start, end, label, surface if isinstance(surface, str) else None)
        if found.start is None and found.end is None and found.surface is not None:
            raise DataError(
                f"the span '{found.surface[:60]}' has no offsets",
                hint="which of its occurrences is meant is not known: give start and end",
            )
    elif isinstance(item, list | tuple) and len(item) == 3:
        first, second, third = item
        swapped = isinstance(first, str) and type(second) is type(third) is int  # the label first
        found = SpanFields(second, third, first) if swapped else SpanFields(first, second, third)
    else:
        raise DataError(f"a span is start, end and label, not {item!r}"[:300], hint=_HINT)
    return found


def span_items(value: Any, ctx: LoadContext) -> Sequence[Any]:
    """Return the spans of a record, without those that were rejected in Prodigy, which are counted.

    :raises MissingLabelError: the field holds nothing, not even an empty list; names no file.
    :raises DataError: it is not a list; names no file.
    """
    if value is None:
        hint = f"write an empty list where a text has none; {SKIP_HINT}"
        raise MissingLabelError("spans must be a list, not None", hint=hint)
    if isinstance(value, Mapping) and (rows := _rows(value)) is not None:
        value = rows
    elif isinstance(value, Mapping) and value and all(isinstance(group, list) for group in value.values()):
        names = ", ".join(f"'{name}'" for name in value)
        hint = "write the list of the group to be read as the field of the spans"
        if all(isinstance(item, list) and len(item) == 2 for group in value.values() for item in group):
            hint = 'if these are labels, write each span as [0, 5, "PER"], in one list'
        raise DataError(f"spans must be a list, these are groups of spans: {names}"[:300], hint=hint)
    if not isinstance(value, list | tuple):
        raise DataError(f"spans must be a list, not {value!r}"[:300], hint=_HINT)
    kept = [item for item in value if not _is_rejected(item)]
    if len(kept) < len(value):
        ctx.policy.counts[REJECTED_SPANS] += len(value) - len(kept)
    return kept


def _rows(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the spans whose fields are lists, as ``datasets`` holds a sequence of objects; None for anything else.

    >>> _rows({"start": [0, 9], "end": [3, 12], "label": ["PER", "LOC"]})[1]
    {'start': 9, 'end': 12, 'label': 'LOC'}
    """
    columns = list(value.values())
    if not {"start", "end"} <= value.keys() or not all(isinstance(one, list) for one in columns):
        return None
    if len({len(one) for one in columns}) > 1:
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


def parse_fields(
    items: Iterable[Any], text: str, ctx: LoadContext, *, unit: SpanUnit = "characters", words: Sequence[str] = ()
) -> tuple[list[TextSpan], list[DataError]]:
    """Return the sorted spans of a text, and the errors of those that the policy drops.

    :param unit: what the offsets count.
    :param words: the words of the text, which is these joined by spaces, if offsets count words.
    :raises DataError: a span is invalid, and the policy does not drop it; names no file.
    """
    locator, names = SpanLocator(text, ctx), named_numbers(ctx.settings.label_names)
    offsets = joined_offsets(words) if unit != "characters" else ()

    def parse(item: Any) -> list[TextSpan]:
        fields = span_fields(item, names)
        if unit != "characters":
            start, end = _characters(fields, offsets, inclusive=unit == "words-inclusive")
            fields = fields._replace(start=start, end=end)
        return [locator.span(*fields)]

    return sorted(locator.collect(items, parse)), locator.errors


def find_unit(records: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> SpanUnit | None:
    """Return what the offsets of spans count, in records of words and spans without a text; None if it is unclear.

    Offsets count characters of the words joined by spaces if every span covers whole words so, and words if every span
    lies among the words so, with inclusive ends where one would be empty otherwise.
    """
    characters = words = inclusive = True
    seen = False
    for tokens, items in records:
        offsets = joined_offsets(tokens)
        starts, ends = {start for start, _ in offsets}, {end for _, end in offsets}
        for start, end in _bare_offsets(items):
            seen = True
            characters = characters and start in starts and end in ends and start < end
            words = words and 0 <= start < end <= len(tokens)
            inclusive = inclusive and 0 <= start <= end < len(tokens)
    if not seen or characters:
        return "characters" if not seen or not words else None
    return "words" if words else "words-inclusive" if inclusive else "characters"


def _bare_offsets(items: Iterable[Any]) -> Iterable[tuple[int, int]]:
    for item in items:
        try:
            fields = _unnamed_fields(item)
        except DataError:  # reported when the record is read
            continue
        if type(fields.start) is int and type(fields.end) is int:
            yield fields.start, fields.end


def _characters(fields: SpanFields, offsets: Offsets, *, inclusive: bool) -> tuple[int, int]:
    """Return the offsets in characters of a span whose offsets count words.

    :raises DataError: it does not lie among the words; names no file.
    """
    start, end = fields.start, fields.end
    whole = type(start) is int and type(end) is int
    last = cast(int, end) - (0 if inclusive else 1) if whole else -1
    if not whole or not 0 <= start <= last < len(offsets):
        raise DataError(
            f"span {start}-{end} ({fields.label}) does not lie among the {len(offsets)} words",
            hint="its offsets were read as counting words: --set data.span_offsets=characters says otherwise",
        )
    return offsets[start][0], offsets[last][1]


def _is_rejected(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("answer", "accept") != "accept"

"""JSON and JSON Lines: records of named fields, or what annotation tools export, recognised by the fields.

A ``.json`` file holds an array of records, an object with the records in a field, or a record on each line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import USUAL
from labelkit.formats.examples import read_records
from labelkit.formats.json_containers import RECORD_FIELDS, contained_records
from labelkit.formats.json_values import Layout, find_layout, first_values, line_values, stored_values
from labelkit.formats.jsonl import no_object_error, write
from labelkit.formats.tools import doccano, prodigy, spacy_json
from labelkit.formats.tools.annotations import read_annotations
from labelkit.formats.tools.label_studio_tasks import looks_like_task, read_tasks
from labelkit.records import Example, Format, LoadContext

Values = Iterable[tuple[int, Any]]
_SAMPLE = 20  # records by whose fields the tool that wrote them is recognised


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the values of a file may be.

    :param name: as messages call it.
    :param fits: whether a value shows that the file is of this shape.
    :param read: yields the examples of the values.
    :param tool: a format of its own reads it too, so that the names ``json`` and ``jsonl`` mean plain records.
    :param records: its values are objects, so that ``--columns text=…`` or ``tokens=…`` means plain records.
    """

    name: str
    fits: Callable[[Any], bool]
    read: Callable[[Path, LoadContext, Values], Iterator[Example]]
    tool: str | None = None
    records: bool = False

    @property
    def otherwise(self) -> str:
        """Return how to say that a file is not of this shape."""
        if self.tool:
            return f"--set data.format={self.tool} says the same, --set data.format=jsonl reads plain records"
        if self.records:
            return "--columns text=… or tokens=… reads plain records"
        return "write a record per line, with the fields text and spans, or text and label, to say otherwise"


def read_lines(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a JSON Lines file; blank lines are skipped.

    :raises DataError: a line is not JSON, or a field is missing or invalid; names file and line.
    """
    layout: Layout = "lines"
    if (found := find_layout(path, ctx)) == "array":
        ctx.policy.assume(f"{path.name} is read as a JSON array", "write a record per line to say otherwise")
        layout = "array"
    elif found == "values" and _holds_records(path, ctx):
        layout = "values"
    elif found == "values" and _first_line(path, ctx).strip() == "{":
        ctx.policy.assume(
            f"{path.name} is read as objects over several lines each", "write a record per line to say otherwise"
        )
        layout = "values"
    yield from read_values(path, ctx, layout)


def _first_line(path: Path, ctx: LoadContext) -> str:
    return next((line for _, line in ctx.lines(path) if line.strip()), "")


def _holds_records(path: Path, ctx: LoadContext) -> bool:
    """Return whether the only line of a file is an object without a text that holds objects in a field for records."""
    first = next(iter(first_values(path, ctx, "lines", 1)), None)
    if not isinstance(first, Mapping) or {*USUAL["text"], *USUAL["tokens"]} & first.keys():
        return False
    held = next((first[name] for name in RECORD_FIELDS if name in first), None)
    return isinstance(held, list) and bool(held) and all(isinstance(one, Mapping) for one in held)


def read_document(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a JSON file: of an array, of an object that holds them, or of lines.

    :raises DataError: the file is not JSON, or a record is invalid.
    """
    yield from read_values(path, ctx, find_layout(path, ctx))


def read_values(path: Path, ctx: LoadContext, layout: Layout) -> Iterator[Example]:
    """Yield the examples of the values of a file, in the shape that the first of them show.

    :raises DataError: the file is not JSON, or a record is invalid.
    """
    sample: Sequence[Any] = first_values(path, ctx, layout, _SAMPLE)
    values = line_values(path, ctx) if layout == "lines" else stored_values(path, ctx, layout)
    if layout == "values" and len(sample) == 1 and isinstance(sample[0], Mapping):
        try:
            records = contained_records(sample[0], ctx)
        except DataError as error:
            raise error.at(path) from error
        if records is not None:
            sample, values = records[:_SAMPLE], enumerate(records, start=1)
    shape = find_shape(sample, ctx)
    if shape is None:
        yield from read_records(path, ctx, only_objects(path, ctx, values))
        return
    if "pair" in ctx.columns:
        raise DataError(f"{path}: {shape.name} cannot hold pairs of texts", hint="write records of text, pair, label")
    ctx.policy.assume(f"{path.name} is read as {shape.name}", shape.otherwise)
    yield from shape.read(path, ctx, values)


def find_shape(values: Iterable[Any], ctx: LoadContext) -> Shape | None:
    """Return the shape that one of the first values shows; None for plain records."""
    plain = ctx.settings.format in ("json", "jsonl")
    named = not {"text", "tokens"}.isdisjoint(ctx.columns)
    shapes = [shape for shape in SHAPES if not (plain if shape.tool else named and shape.records)]
    return next((shape for value in values for shape in shapes if shape.fits(value)), None)


def only_objects(path: Path, ctx: LoadContext, values: Values) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects among the values.

    :raises DataError: a value is none, unless ``ctx.policy`` skips it; names file and line.
    """
    for number, value in values:
        if isinstance(value, dict):
            yield number, value
        else:
            ctx.policy.skip_record(no_object_error(value).at(f"{path}:{number}"))


def _annotations(parse: Callable[..., Any]) -> Callable[[Path, LoadContext, Values], Iterator[Example]]:
    """Return the reader of values that ``parse`` makes annotated texts of."""
    return lambda path, ctx, values: read_annotations(path, ctx, values, partial(parse, ctx=ctx))


def _read_v2(path: Path, ctx: LoadContext, values: Values) -> Iterator[Example]:
    return read_records(path, ctx, spacy_json.v2_records(values, ctx))


SHAPES = (
    Shape(name="training tuples of spaCy", fits=spacy_json.is_tuple, read=_annotations(spacy_json.parse_value)),
    Shape(name="documents of spaCy", records=True, fits=spacy_json.is_doc, read=_annotations(spacy_json.parse_value)),
    Shape(name="training documents of spaCy v2", records=True, fits=spacy_json.is_v2_doc, read=_read_v2),
    Shape(name="an export of Label Studio", tool="label-studio", fits=looks_like_task, read=read_tasks),
    Shape(
        name="an export of Prodigy",
        tool="prodigy",
        fits=prodigy.looks_like_record,
        read=_annotations(prodigy.parse_record),
    ),
    Shape(
        name="an export of doccano",
        tool="doccano",
        fits=doccano.looks_like_record,
        read=_annotations(doccano.parse_record),
    ),
)
FORMATS = (
    Format(
        name="jsonl",
        kinds=("token", "text"),
        pairs=True,
        numbers=True,
        multilabel=True,
        suffixes=(".jsonl", ".ndjson", ".jsonlines", ".jl"),
        read=read_lines,
        write=write,
        summary="JSON Lines: words and tags, a text and spans, or a text and a label",
    ),
    Format(
        name="json",
        kinds=("token", "text"),
        pairs=True,
        suffixes=(".json",),
        read=read_document,
        summary="JSON: an array of records as in JSON Lines, or what an annotation tool exports",
    ),
)

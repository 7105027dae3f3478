"""fastText's lines: ``__label__CLASS the text``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import read_lines
from labelkit.formats.column_lines import without_marks
from labelkit.formats.encoding import encode_text
from labelkit.formats.examples import read_records
from labelkit.records import Example, Format, Labelled, LoadContext, Output

PREFIX = "__label__"
_LABELS = re.compile(rf"\s*((?:{PREFIX}\S+[\s,]+)*{PREFIX}\S+)(?:[\s,]+|$)")
_LABEL = re.compile(rf"{PREFIX}([^\s,]+)")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the text and label of each line; blank lines are skipped.

    :raises DataError: a line has no label or several, or is not in the encoding; names file and line.
    """
    lines = read_lines(path, ctx.encoding, ctx.policy.on_bad_record, ctx.settings.max_record)
    filled = ((number, line) for number, line in without_marks(lines, ctx) if line.strip())
    return read_records(path, ctx, ((number, line_record(line)) for number, line in filled))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a line for each text: its labels, then the text; own fields, ids and scores are left out.

    :raises DataError: a line cannot hold a label or a text; names the record.
    """
    for labelled in records:
        labels = (labelled.label,) if labelled.labels is None else labelled.labels
        named = [label for label in labels if label is not None]
        fault = next((f"the label '{one[:60]}'" for one in named if not _LABEL.fullmatch(f"{PREFIX}{one}")), "")
        if not fault and not _holds(labelled.text):
            fault = f"a text of several lines, one with blanks at its ends, or one that begins with {PREFIX}"
        if fault:
            hint = "another format can hold it, e.g. --to jsonl"
            raise DataError(f"record '{labelled.id}': fastText cannot hold {fault}", hint=hint)
        line = " ".join([*(f"{PREFIX}{one}" for one in named), labelled.text])
        output.stream.write(encode_text(f"{line}\n", labelled, "fastText"))


def _holds(text: str) -> bool:
    """Return whether a text is read as it was written."""
    return len(text.splitlines()) == 1 and line_record(text) == {"text": text, "label": None}


FORMAT = Format(
    name="fasttext",
    kinds=("text",),
    suffixes=(".ft", ".fasttext"),
    read=read,
    write=write,
    multilabel=True,
    summary="fastText: a text on each line, after __label__ and its class",
)


def line_record(line: str) -> dict[str, Any]:
    """Return the text and the labels before it.

    >>> line_record("__label__pos  Great !")
    {'text': 'Great !', 'label': ['pos']}
    """
    match = _LABELS.match(line)
    if match is None:
        return {"text": line.strip(), "label": None}
    return {"text": line[match.end() :].strip(), "label": _LABEL.findall(match[1])}

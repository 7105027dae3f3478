"""Labels that are numbers: one way to write each number, whatever the file or the source gives."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from labelkit.errors import DataError, LabelkitError
from labelkit.records import Example, Format, Schema


def number_text(value: float) -> str:
    """Return a number as the label that stands for it.

    >>> number_text(3.0), number_text(0.25)
    ('3', '0.25')
    """
    return repr(float(value)).removesuffix(".0")


def number_label(value: Any) -> str:
    """Return the label of a number, or of a text that is one.

    :raises DataError: it is no finite number; names no file.
    """
    if value is None or value == "":
        raise DataError("the label is missing", hint="give each text a number, or leave it out")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"the label {value!r:.60} is not a number", hint="choose the column: --columns label=…")
    return number_text(number)


def with_number(example: Example, layer: str) -> Example:
    """Return an example whose label is written as :func:`number_text` writes it.

    :raises DataError: the label is not a number; names the place of the example.
    """
    try:
        label = number_label(example.labels[layer])
    except DataError as error:
        place = example.place or f"example '{example.id}'"
        raise DataError(f"{place}: {error.message}", hint=error.hint) from None
    return example if example.labels[layer] == label else replace(example, labels={**example.labels, layer: label})


def refuse_numbers(schema: Schema, what: str) -> None:
    """Raise if labels are numbers.

    :param what: what is for labels only, e.g. an option.
    :raises LabelkitError: they are.
    """
    if schema.numeric:
        raise LabelkitError(f"{what} is for labels, this labeller predicts numbers", hint="see: labelkit evaluate")


def check_format(chosen: Format, schema: Schema, *, pairs: bool = False) -> None:
    """Raise if labels are numbers or sets of labels, or texts are pairs, and a format cannot hold them.

    :raises DataError: it cannot.
    """
    if schema.numeric and not chosen.numbers:
        raise DataError(f"format '{chosen.name}' cannot hold numbers as labels", hint="use jsonl, csv or tsv")
    if schema.multilabel and not chosen.multilabel:
        hint = "use jsonl, csv, doccano, label-studio or prodigy"
        raise DataError(f"format '{chosen.name}' cannot hold several labels of a text", hint=hint)
    if pairs:
        check_holds_pairs(chosen)


def check_holds_pairs(chosen: Format) -> None:
    """Raise if a format cannot hold pairs of texts.

    :raises DataError: it cannot.
    """
    if not chosen.pairs:
        hint = "use jsonl, json, csv, tsv, parquet or arrow"
        raise DataError(f"format '{chosen.name}' cannot hold pairs of texts", hint=hint)

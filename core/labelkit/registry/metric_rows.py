"""The two forms of a run's metrics: a nested mapping, as metrics return it, and rows, as the registry stores it.

The nested form of one split and task is ``{name: value, "per_type": {type: {name: value}}}``.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from labelkit.files.json_text import to_json_line

PER_TYPE = "per_type"
#: types in a table of scores; JSON has all
MOST_TYPES = 100
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One value of one metric: a row.

    :param type: the label type it is about; None for the whole split.
    :param value: the number; None where the value is text (see ``text``) or NaN.
    """

    task: str
    split: str
    name: str
    step: int
    epoch: float
    value: float | None
    type: str | None = None
    text: str | None = None

    @property
    def structured(self) -> bool:
        """Whether the value is a mapping or a list, such as intervals or a confusion matrix."""
        return self.text is not None and self.text[:1] in ("{", "[")

    @property
    def original(self) -> Any:
        """The value as the metric returned it: a number, text, a mapping or a list."""
        if self.structured:
            with contextlib.suppress(ValueError):
                return json.loads(str(self.text))
        return self.value if self.text is None else self.text


def figures(metrics: Mapping[str, Any], *, task: str, split: str, step: int, epoch: float) -> Iterator[Figure]:
    """Yield a row for each value of nested ``metrics``, those of whole splits first.

    NumPy's numbers become floats; mappings and lists become JSON text.
    """
    entries = [(None, name, entry) for name, entry in metrics.items() if name != PER_TYPE]
    types = metrics.get(PER_TYPE, {}).items()
    for type_, name, entry in [*entries, *((type_, *item) for type_, row in types for item in row.items())]:
        value, text = None, None
        if isinstance(entry, Mapping | list | tuple):
            text = to_json_line(entry)
        elif entry is None or isinstance(entry, str):
            text = entry
        else:
            # SQLite has no NaN and stores NULL: do so everywhere.
            value = None if math.isnan(float(entry)) else float(entry)
        yield Figure(task=task, split=split, name=name, type=type_, step=step, epoch=epoch, value=value, text=text)


def nest(rows: Iterable[tuple[str, str, str | None, str, Value]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return ``{split: {task: {name: value, "per_type": {type: {name: value}}}}}``.

    :param rows: split, task, label type (None or empty for the whole split), name and value.
    """
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for split, task, type_, name, value in rows:
        metrics = result.setdefault(split, {}).setdefault(task, {})
        if type_:
            metrics = metrics.setdefault(PER_TYPE, {}).setdefault(type_, {})
        metrics[name] = value
    return result


def nested(rows: Iterable[Figure]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return ``{split: {task: {name: value, "per_type": {type: {name: value}}}}}``.

    :param rows: figures of one step per split, such as :attr:`RunDetails.scores`.
    """
    return nest((row.split, row.task, row.type, row.name, row.original) for row in rows)


def most_frequent_types(per_type: Mapping[str, Any], most: int = MOST_TYPES) -> tuple[dict[str, Any], int]:
    """Return the scores of the types to show, in their order, and how many types are left out: the rarest.

    :param per_type: type → its scores, with ``support``.
    """
    if len(per_type) <= most:
        return dict(per_type), 0
    shown = set(sorted(per_type, key=lambda name: -(per_type[name].get("support") or 0))[:most])
    return {name: row for name, row in per_type.items() if name in shown}, len(per_type) - most

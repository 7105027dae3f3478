"""Scores as metrics give them (a nested mapping) and as the registry keeps them (one row per figure)."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labelkit.registry.entities import Figure

PER_TYPE = "per_type"


def figures(metrics: Mapping[str, Any], *, task: str, split: str, step: int, epoch: float) -> Iterator[Figure]:
    """Yield a figure for each entry of ``metrics``, and of its ``per_type`` mapping.

    Numbers stay numbers, also NumPy's; anything else is kept as text.
    """
    for type_, name, entry in _entries(metrics):
        value, text = _split_value(entry)
        yield Figure(task=task, split=split, name=name, type=type_, step=step, epoch=epoch, value=value, text=text)


def nested(rows: Iterable[Figure]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return ``{split: {task: {name: figure, "per_type": {type: {name: figure}}}}}``.

    :param rows: figures of one step per split, such as :attr:`RunDetails.scores`.
    """
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        scores = result.setdefault(row.split, {}).setdefault(row.task, {})
        if row.type is not None:
            scores = scores.setdefault(PER_TYPE, {}).setdefault(row.type, {})
        scores[row.name] = row.value if row.text is None else _read(row)
    return result


def is_structured(figure: Figure) -> bool:
    """Return whether a figure is no number or word but a mapping or a list: intervals, a confusion."""
    return figure.text is not None and figure.text[:1] in ("{", "[")


def _read(row: Figure) -> Any:
    """Return a mapping or a list as it was given."""
    if is_structured(row):
        with contextlib.suppress(ValueError):
            return json.loads(str(row.text))
    return row.text


def _entries(metrics: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    for name, entry in metrics.items():
        if name != PER_TYPE:
            yield None, name, entry
    for type_, entries in metrics.get(PER_TYPE, {}).items():
        for name, entry in entries.items():
            yield type_, name, entry


def _split_value(entry: Any) -> tuple[float | None, str | None]:
    if entry is None or isinstance(entry, str):
        return None, entry
    if isinstance(entry, Mapping | list | tuple):
        return None, json.dumps(entry, ensure_ascii=False, default=str)
    number = float(entry)
    # SQLite has no NaN and stores NULL: do so everywhere.
    return (None if math.isnan(number) else number), None

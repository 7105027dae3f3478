"""Scores of an event as flat names and numbers, which trackers take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from labelkit import events


def figures_of(event: events.Scored) -> Iterator[tuple[str, float]]:
    """Yield name and value of each finite figure of an evaluation, e.g. ``validation/per_type/PER/f1``."""
    if event.train_loss is not None:
        yield "train/loss", event.train_loss
    yield from flatten(event.metrics, event.split)


def flatten(figures: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Yield name and value of each finite number, those of mappings within included."""
    for name, value in figures.items():
        path = f"{prefix}/{re.sub(r'[^A-Za-z0-9_. -]', '_', name)}"
        if isinstance(value, Mapping):
            yield from flatten(value, path)
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield path, float(value)

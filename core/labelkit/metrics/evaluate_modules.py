"""Load a metric from the file or folder of an ``evaluate`` module."""

from __future__ import annotations

from pathlib import Path

from labelkit.records import Kind, Metric
from labelkit.records.evaluate_modules import find_script, from_module


def metric_at(path: Path, kind: Kind) -> Metric:
    """Return the metric of an ``evaluate`` module, named after its file; it cannot select checkpoints."""
    found = find_script(path)
    return Metric(name=found.stem, kind=kind, compute=from_module(found, kind), key="")

"""For reviewing labelled spans: a labelkit plugin that adds no task, but a format to correct and a lenient score."""

from __future__ import annotations

from collections.abc import Iterable

import labelkit
from labelkit import Format, Metric
from labelkit_review import brackets, overlap

requires_labelkit = ">=0.1"
hook_api = 2


@labelkit.hookimpl
def labelkit_formats() -> Iterable[Format]:
    """Yield the format ``brackets``."""
    yield Format(
        name="brackets",
        kinds=("token",),
        suffixes=(".brackets",),
        read=brackets.read,
        write=brackets.write,
        summary="a sentence a line: [Ada Lovelace](person) lives in [London](location) .",
    )


@labelkit.hookimpl
def labelkit_metrics() -> Iterable[Metric]:
    """Yield the metric ``overlap``."""
    yield Metric(
        name="overlap",
        kind="token",
        compute=overlap.compute,
        key="f1",
        summary="spans that overlap one of their type; wrong borders are forgiven",
    )

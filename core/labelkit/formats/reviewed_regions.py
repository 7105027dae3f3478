"""Regions of a text that somebody has reviewed: words outside of them have an unknown label, not O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelkit.errors import DataError
from labelkit.records import Assumption, LoadContext

#: the field of a record that lists them
FIELD = "reviewed"
_SAID = Assumption(
    f"words outside the regions in '{FIELD}' have an unknown label", "rename the field if it means something else"
)


def reviewed_regions(record: Mapping[str, Any], text: str, ctx: LoadContext) -> list[tuple[int, int]] | None:
    """Return start and end of each reviewed region of a record, in code points of its text.

    :returns: None where the field is missing, or is no list of regions: then all of the text was reviewed.
    :raises DataError: a region is not in the text; names no file.
    """
    value = record.get(FIELD)
    if not isinstance(value, list | tuple):
        return None
    found = [_region(one) for one in value]
    if None in found:
        return None
    regions = [region for region in found if region is not None]
    for start, end in regions:
        if not 0 <= start < end <= len(text):
            raise DataError(
                f"the reviewed region {start} to {end} is not in the text of {len(text)} characters",
                hint="start and end count characters, and end is exclusive",
            )
    ctx.policy.assume(*_SAID)
    return regions


def _region(value: Any) -> tuple[int, int] | None:
    """Return the bounds that ``[start, end]`` or ``{"start": …, "end": …}`` gives; None for anything else."""
    bounds = [value.get("start"), value.get("end")] if isinstance(value, Mapping) else value
    if isinstance(bounds, list | tuple) and len(bounds) == 2 and all(type(one) is int for one in bounds):
        return bounds[0], bounds[1]
    return None

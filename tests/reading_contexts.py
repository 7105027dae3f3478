"""Contexts for reading in tests, by flat names."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from labelkit.records import DataSettings, LoadContext, ReadingPolicy


def reading(**how: Any) -> LoadContext:
    """Return a context; ``how`` names its own fields, those of its policy, or else settings of data."""
    own, policy = (
        {one.name: how.pop(one.name) for one in fields(record) if one.name in how}
        for record in (LoadContext, ReadingPolicy)
    )
    return LoadContext(**own, policy=ReadingPolicy(**policy), settings=DataSettings(**how))

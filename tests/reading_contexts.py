"""Contexts for reading in tests, by flat names, and the part of a catalog that says whose a record is."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from labelkit.records import DataSettings, LoadContext, ReadingPolicy


def reading(**how: Any) -> LoadContext:
    """Return a context; ``how`` names its own fields, those of its policy, or else settings of data."""
    own, policy = (
        {one.name: how.pop(one.name) for one in fields(record) if one.name in how}
        for record in (LoadContext, ReadingPolicy)
    )
    return LoadContext(**own, policy=ReadingPolicy(**policy), settings=DataSettings(**how))


class OnePlugin:
    """The base of catalogs of tests: all records come from one plugin."""

    def owner(self, kind: str, name: str) -> Any:
        """Return the plugin that yields a record."""
        return SimpleNamespace(name="tests")

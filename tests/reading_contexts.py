"""Contexts for reading in tests, by flat names, and the part of a catalog that says whose a record is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from labelkit.errors import DataError
from labelkit.records import DataSettings, Example, LoadContext, ReadingPolicy

#: how notes begin that count records, not parts of them
_RECORDS = ("records ", "texts ", "tasks ", "examples ", "documents ", "rows ", "repeated header rows ")


def reading(**how: Any) -> LoadContext:
    """Return a context; ``how`` names its own fields, those of its policy, or else settings of data."""
    own, policy = (
        {one.name: how.pop(one.name) for one in fields(record) if one.name in how}
        for record in (LoadContext, ReadingPolicy)
    )
    return LoadContext(**own, policy=ReadingPolicy(**policy), settings=DataSettings(**how))


def accounted(
    path: Path, read: Callable[[Path, LoadContext], Iterable[Example]], kind: str, **how: Any
) -> tuple[int, int]:
    """Return how many examples came of a file, and how many records were reported or counted as left out."""
    bad: list[DataError] = []
    layer = "ner" if kind == "token" else "label"
    ctx = reading(kind=kind, layer=layer, **{"on_bad_record": bad.append, "unlabelled": "skip", **how})
    found = list(read(path, ctx))
    left_out = sum(times for what, times in ctx.policy.counts.items() if what.startswith(_RECORDS))
    return len(found), len([one for one in bad if "looks like several labels" not in one.message]) + left_out


class OnePlugin:
    """The base of catalogs of tests: all records come from one plugin."""

    def owner(self, kind: str, name: str) -> Any:
        """Return the plugin that yields a record."""
        return SimpleNamespace(name="tests")

"""Contexts for reading in tests, by flat names, and the part of a catalog that says whose a record is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.builtin import FORMATS
from labelkit.formats.recognition import reader_for
from labelkit.records import DataSettings, Example, LoadContext, ReadingPolicy

BY_NAME = {known.name: known for known in FORMATS}
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


class Found:
    """What was read of a file, or why it was not."""

    def __init__(self, path: Path, name: str | None = None, **how: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.assumptions: dict[str, None] = {}
        columns = how.pop("columns", {})
        self.ctx: LoadContext = reading(columns=columns, counts=self.counts, assumptions=self.assumptions, **how)
        self.examples: list[Example] = []
        self.error = self.hint = ""
        try:
            chosen = reader_for(path, BY_NAME, name, kind=self.ctx.kind, ctx=self.ctx)
            assert chosen.read is not None
            self.examples = list(chosen.read(path, self.ctx))
        except DataError as error:
            self.hint = error.hint or ""
            self.error = error.message if error.hint and "\n" not in str(error) else f"bad message: {error}"

    @property
    def labels(self) -> list[Any]:
        return [next(iter(one.labels.values())) for one in self.examples]

    @property
    def assumed(self) -> str:
        return " | ".join(self.assumptions)


def saved(path: Path, content: Any, *more: Any) -> Path:
    """Write text as it is, and values as JSON, several as lines."""
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in (content, *more)]
    path.write_text("\n".join(texts) + ("\n" if more else ""), encoding="utf-8")
    return path


class OnePlugin:
    """The base of catalogs of tests: all records come from one plugin."""

    def owner(self, kind: str, name: str) -> Any:
        """Return the plugin that yields a record."""
        return SimpleNamespace(name="tests")

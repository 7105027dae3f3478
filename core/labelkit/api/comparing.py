"""``labelkit.compare``: what ``labelkit runs compare`` shows, as a frozen record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.api.training import warn
from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.records.html import html_table
from labelkit.registry import Home, Registry

if TYPE_CHECKING:
    from labelkit.evaluation.comparison import SignificanceTest
    from labelkit.registry.comparison import ComparedScore, Comparison

#: characters of a value in a table
_WIDTH = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class RunComparison:
    """Runs side by side.

    :param runs: their ids, in the order of all values.
    :param table: facts, settings, data, versions and scores of each run, with what is equal too.
    :param significance: the tests of each further run against the first one, where they were asked for.
    """

    runs: tuple[str, ...]
    table: Comparison = field(repr=False)
    significance: tuple[SignificanceTest, ...] = field(default=(), repr=False)

    @property
    def scores(self) -> tuple[ComparedScore, ...]:
        """The scores of whole splits, the deciding metric of each split first."""
        return tuple(one for one in self.table.scores if one.type is None)

    def _repr_html_(self) -> str:
        """Return scores and differences as tables for notebooks."""
        header = ("", *self.runs)
        scores = [(f"{one.split} {one.name}{' *' if one.key else ''}", *one.values) for one in self.scores]
        parts = [html_table(header, scores, title="scores; * selected the checkpoint")]
        parts.append(html_table(header, self._differences(), title="what differs"))
        for test in self.significance:
            rows = [
                (one.name, one.first, one.second, one.difference, *one.interval, one.p_value)
                for one in test.differences
                if one.type is None
            ]
            title = f"{test.second} against {test.first} on {test.examples:,} examples of {test.split}"
            columns = ("score", test.first, test.second, "difference", "95% CI from", "to", "p-value")
            parts.append(html_table(columns, rows, title=title))
        notes = (*self.table.notes, *(note for test in self.significance for note in test.notes))
        return "".join((*parts, *(html_table((note,), ()) for note in notes)))

    def _differences(self) -> Iterator[tuple[str, ...]]:
        """Yield the values that are not equal in all runs."""
        for one in (*self.table.facts, *self.table.settings, *self.table.versions):
            if one.differs:
                yield (one.name, *(str(value)[:_WIDTH] for value in one.values))
        for split in self.table.splits:
            if split.differs:
                yield (f"{split.split} content hash", *(str(value)[:12] for value in split.content_hashes))


def compare(
    run: str, other: str, *more: str, significance: bool = False, home: str | Path | None = None
) -> RunComparison:
    """Compare recorded runs as ``labelkit runs compare`` does: plan, data, versions and scores.

    >>> labelkit.compare("ner@best", "first-try").scores[0].differences  # doctest: +SKIP

    :param run: a run, as for :func:`labelkit.load`; differences are to this one.
    :param other: another one, and ``more`` of them.
    :param significance: label the test data again, and test the differences in scores.
    :param home: the folder of runs and registry; default as for the command.
    :raises LabelkitError: there is no such run; or with ``significance``, the runs have different test data.
    """
    place = Home.find(os.environ, explicit=home)
    with Registry.open(place, create=False) as registry:
        ids = [registry.runs.find(name).id for name in (run, other, *more)]
        table = registry.runs.compare(*ids)
        details = [registry.runs.get(id_) for id_ in ids] if significance else []
    tests: list[SignificanceTest] = []
    if significance:
        from labelkit.evaluation.comparison import compare_runs

        environment = Environment.read()
        tests = compare_runs(details, Catalog.load(only=environment.plugins), environment, place, _warn_of_notes)
    return RunComparison(runs=tuple(ids), table=table, significance=tuple(tests))


def _warn_of_notes(line: str) -> None:
    """Warn of a note; progress is not shown."""
    if line.startswith("note: "):
        warn(line.removeprefix("note: "))

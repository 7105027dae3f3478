"""The labellers that pages use: opened when a page first needs one, in the thread of background work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.hardware import torch_installed

if TYPE_CHECKING:
    from labelkit.evaluation.inspection import Inspection
    from labelkit.label.labeller import Labeller
    from labelkit.registry import RunDetails
    from labelkit.ui.site import Site

#: labellers that stay in memory, the last used ones
KEPT = 4
Say = Callable[[str], object]


class Labellers:
    """Opens labellers and keeps some. All methods are for the thread of background work."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: OrderedDict[tuple[str, bool], Labeller] = OrderedDict()
        self._inspected: OrderedDict[tuple[str, str], Inspection] = OrderedDict()

    def open(self, run: str, *, all_tasks: bool = False) -> Labeller:
        """Return the labeller of a run.

        :param run: its id.
        :param all_tasks: of a run of several tasks, label with all; else with the first.
        :raises LabelkitError: it has no checkpoint, or that cannot be opened.
        """
        from labelkit.label.labeller import Labeller

        key = (run, all_tasks)
        if key not in self._open:
            engine = "torch" if torch_installed() else "auto"  # what pages show was scored by torch
            self._open[key] = Labeller.open(
                run, self._site.home, self._site.catalog, engine=engine, all_tasks=all_tasks
            )
            if len(self._open) > KEPT:
                self._open.popitem(last=False)
        self._open.move_to_end(key)
        return self._open[key]

    def inspect(self, details: RunDetails, split: str, say: Say) -> Inspection:
        """Return the mistakes and likely label errors of a run in one of its splits.

        Each inspection of test is recorded as a scoring of it; one that is still kept is not made again.

        :raises LabelkitError: the data has changed or cannot be read, or the labeller cannot be opened.
        """
        from labelkit.evaluation.inspection import inspect_split
        from labelkit.evaluation.recorded_data import gold_split, read_run_corpus
        from labelkit.labels.numbers import refuse_numbers

        site, key = self._site, (details.record.id, split)
        if key not in self._inspected:
            labeller = self.open(details.record.id)
            refuse_numbers(labeller.info.schema, "a list of errors")
            corpus = read_run_corpus(details, site.catalog, site.environment, site.home)
            gold = gold_split(corpus, details, split)
            if not gold.examples:
                raise LabelkitError(f"the {split} split is empty")
            self._inspected[key] = inspect_split(labeller, gold, details, site.home, say)
            if len(self._inspected) > KEPT:
                self._inspected.popitem(last=False)
        self._inspected.move_to_end(key)
        return self._inspected[key]

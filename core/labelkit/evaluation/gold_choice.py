"""Choose and read the gold data that a labeller is scored on: a split of its own data, or data that is given."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labelkit.config.environment import Environment
from labelkit.config.reading_options import ReadingOptions
from labelkit.data.gold import Gold, UnknownLabelsError, read_gold
from labelkit.errors import LabelkitError
from labelkit.evaluation.label_mapping import LabelMap
from labelkit.evaluation.leakage import Leakage, detect_leakage, identify_own_test
from labelkit.evaluation.recorded_data import (
    gold_split,
    read_run_corpus,
    recorded_data_settings,
    recorded_plugin_settings,
)
from labelkit.settings import DataSettings

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldOptions:
    """Which gold data to read.

    :param run: the reference to the labeller.
    :param data: a data reference; None for the data of the run.
    :param split: None for test, or else validation, or else all examples.
    """

    run: str
    data: str | None
    split: str | None
    reading: ReadingOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """What commands work with: the records of plugins, the environment, and the folder of runs."""

    catalog: Catalog
    environment: Environment
    home: Home

    def read_gold(
        self, options: GoldOptions, labeller: Labeller, details: RunDetails | None, mapping: LabelMap | None
    ) -> Gold:
        """Read gold data; by default a split of the run's own data.

        :param details: None for a checkpoint that is not in the registry.
        :raises UnknownLabelsError: it has labels that the labeller lacks.
        """
        from labelkit.label.plugin_settings import trained_values
        from labelkit.registry.checkpoint_folders import is_run

        info, data = labeller.info, options.data
        base = DataSettings(splitter=info.splitter, encoding=options.reading.encoding)
        trained, plugins = trained_values(info, self.catalog), {}
        if data is None:
            if details is not None and options.split in {one.split for one in details.record.splits if one.carved}:
                corpus = read_run_corpus(details, self.catalog, self.environment, self.home)
                return gold_split(corpus, details, options.split)
            if details is None or not is_run(options.run):
                raise LabelkitError("a checkpoint folder does not record which data to score", hint="add --data REF")
            if details.status == "adopted":
                raise LabelkitError("an adopted model has no data of its own", hint="add --data REF")
            data, base = details.record.data, replace(recorded_data_settings(details), splitter=info.splitter)
            plugins = recorded_plugin_settings(details, self.catalog)
        reading = replace(options.reading, encoding=base.encoding)
        cache = self.home.cache
        ctx = reading.context(self.catalog, self.environment, cache, base, plugins=plugins, trained=trained)
        maps = mapping if mapping is not None and (mapping.gold or mapping.predicted) else None
        try:
            gold = read_gold(
                data,
                options.split,
                layer=info.layer,
                schema=maps.schema(info.schema) if maps else info.schema,
                catalog=self.catalog,
                ctx=ctx,
                trained_on=options.data is None,
                relabel=(lambda labels: maps.relabel(labels, info.schema)) if maps else None,
            )
        except UnknownLabelsError as error:
            if mapping is not None:
                line = f'{json.dumps(error.labels[0], ensure_ascii=False, allow_nan=False)} = "{error.known[0]}"'
                error.hint = f"{error.hint}; --map FILE, a TOML file with lines such as {line}, maps others"
            raise
        return identify_own_test(gold, details, self.catalog, self._recorded, self.home)

    def leakage(self, gold: Gold, details: RunDetails | None) -> Leakage:
        """Return the overlap of gold data with the data of a run; see :func:`detect_leakage`."""
        return detect_leakage(gold, details, self.catalog, self._recorded, self.home)

    @property
    def _recorded(self) -> Environment:
        """The environment in which the data of a run is read: gold data in memory is not its own."""
        return replace(self.environment, memory={})

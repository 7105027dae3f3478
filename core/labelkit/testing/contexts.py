"""The contexts in which contract checks call functions of plugins, with the settings that a check is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from labelkit.config.environment import Environment
from labelkit.config.plugin_settings import setting_objects
from labelkit.config.reading_options import ReadingOptions
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.functions import with_context
from labelkit.records import Context, LoadContext
from labelkit.settings import is_plugin_key

R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Setup:
    """What the checks of a plugin start from.

    :param settings: key → value of settings of plugins and of ``data.`` settings, in place of their defaults.
    """

    catalog: Catalog
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def plugin_values(self) -> Mapping[str, Any]:
        """Those of the settings that plugins declare."""
        return {key: value for key, value in self.settings.items() if is_plugin_key(key)}

    def validate(self) -> None:
        """Raise if a setting is unknown or its value is invalid.

        :raises LabelkitError: one is.
        """
        if self.settings:
            ReadingOptions(settings=self.settings).context(self.catalog, Environment(), Path())

    def context(self) -> Context:
        """Return a context without a network; ``trial`` says that a check calls."""
        try:
            objects = setting_objects(self.catalog, self.plugin_values)
        except LabelkitError:  # a default is invalid: checks of settings report it
            return Context(offline=True, trial=True)
        return Context(offline=True, trial=True, plugin_settings=objects)

    def load_context(self, cache: Path) -> LoadContext:
        """Return the context in which a source reads its data: the folders that are set, and an empty ``cache``."""
        root, trial = Environment.read().data, self.context()
        data = {key: value for key, value in self.settings.items() if not is_plugin_key(key)}
        environment = Environment(data=root, offline=True, trial=True)
        found = ReadingOptions(settings=data).context(self.catalog, environment, cache)
        return dataclasses.replace(found, plugin_settings=trial.plugin_settings)

    def bind(self, record: R) -> R:
        """Return ``record`` whose functions are called in the context of a check."""
        return with_context(record, self.context())

"""The options by which commands read data outside of a run: columns, encoding, and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.plugin_settings import setting_objects, validate_setting
from labelkit.config.validation import parse_set
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext
from labelkit.settings import SETTINGS, DataSettings, is_plugin_key


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingOptions:
    """Options of reading files, as the user gave them.

    :param sets: ``data.KEY=VALUE``, or ``NAME.KEY=VALUE`` of a plugin, of each ``--set``.
    :param settings: the same, key → value, from Python.
    """

    columns: str | None = None
    encoding: str = SETTINGS["data.encoding"].default
    sets: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def context(
        self,
        catalog: Catalog,
        environment: Environment,
        cache: Path,
        base: DataSettings | None = None,
        *,
        plugins: Mapping[str, Any] | None = None,
        trained: Mapping[str, Any] | None = None,
    ) -> LoadContext:
        """Return the context in which files are read with these options, validated as for a run.

        :param base: the settings that options override; None for the defaults.
        :param plugins: key → value of settings of plugins that options override.
        :param trained: key → value of settings of plugins that a checkpoint was trained with, which cannot be
            overridden.
        :raises LabelkitError: an option is invalid.
        """
        given: dict[str, Any] = {"encoding": self.encoding, **({"columns": self.columns} if self.columns else {})}
        values = {**(plugins or {}), **(trained or {})}
        parsed = [(f"--set {text!r}", *parse_set(text)) for text in self.sets]
        parsed += [(f"setting {key!r}", key, value) for key, value in self.settings.items()]
        for shown, key, value in parsed:
            if key in (trained or {}):
                raise LabelkitError(f"invalid {shown}: the labeller was trained with {key}={values[key]!r}")
            if is_plugin_key(key):
                values[key] = validate_setting(key, value, catalog)
            elif key.startswith("data."):
                given[key.removeprefix("data.")] = validate_setting(key, value, catalog)
            else:
                hint = "write data.KEY=VALUE, or NAME.KEY=VALUE for the settings of plugins"
                raise LabelkitError(f"invalid {shown}: only data settings apply here", hint=hint)
        settings, own = replace(base or DataSettings(), **given), setting_objects(catalog, values)
        return environment.load_context(settings, cache, own)

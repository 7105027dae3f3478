"""The settings of plugins with which a checkpoint was trained, as its plugins take them today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labelkit.config.plugin_settings import default_values, keys_of, setting_objects, validate_setting
from labelkit.errors import LabelkitError
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.plugins.catalog import Catalog
from labelkit.records import Context


@dataclass(frozen=True, slots=True)
class CheckpointContext:
    """The context in which functions of plugins are called for a checkpoint.

    :param notes: settings that the plugins have gained since the checkpoint was trained, one line each.
    """

    context: Context
    notes: tuple[str, ...] = ()


def checkpoint_context(
    info: CheckpointInfo, catalog: Catalog, *, offline: bool = False, trial: bool = False
) -> CheckpointContext:
    """Return the context of a checkpoint, with its recorded settings; a plugin that is not loaded has none.

    :raises LabelkitError: a plugin no longer has a setting, or no longer takes its value.
    """
    recorded: dict[str, Any] = {}
    notes: list[str] = []
    defaults = default_values(catalog)
    for plugin, values in info.plugin_settings.items():
        if _is_loaded(catalog, plugin):
            recorded.update(_validated(info, catalog, plugin, values))
            notes += [
                f"plugin '{plugin}' has a setting that run '{info.run}' was trained without: {key}={defaults[key]!r}"
                for key in keys_of(catalog, plugin)
                if key not in values
            ]
    ctx = Context(offline=offline, trial=trial, plugin_settings=setting_objects(catalog, recorded))
    return CheckpointContext(ctx, tuple(notes))


def _is_loaded(catalog: Catalog, plugin: str) -> bool:
    return any(one.name == plugin and one.status == "loaded" for one in catalog.plugins)


def _validated(
    info: CheckpointInfo, catalog: Catalog, plugin: str, values: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield key and value of each recorded setting of a loaded plugin.

    :raises LabelkitError: the plugin no longer has it, or no longer takes its value.
    """
    known = set(keys_of(catalog, plugin))
    now = next(one.version for one in catalog.plugins if one.name == plugin)
    then = next((one.version for one in info.suppliers if one.plugin == plugin), "of that time")
    advice = f"install plugin '{plugin}' {then}, or train again"
    if now == then:
        advice = f"bring plugin '{plugin}' back to what it was, or train again"
    for key, value in values.items():
        if key not in known:
            raise LabelkitError(
                f"trained with the setting {key}={value!r}, which plugin '{plugin}' {now} does not have", hint=advice
            )
        try:
            yield key, validate_setting(key, value, catalog)
        except LabelkitError as error:
            raise LabelkitError(
                f"trained with the setting {key}={value!r}, which plugin '{plugin}' {now} does not take ({error.hint})",
                hint=advice,
            ) from error


def trained_values(info: CheckpointInfo, catalog: Catalog) -> dict[str, Any]:
    """Return the recorded settings of all plugins that are loaded, by key."""
    loaded = (values for plugin, values in info.plugin_settings.items() if _is_loaded(catalog, plugin))
    return {key: value for values in loaded for key, value in values.items()}

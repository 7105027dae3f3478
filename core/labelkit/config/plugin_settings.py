"""Settings that plugins declare: validated as those of labelkit, as plain values for JSON and as objects of a class."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labelkit.config.validation import describe, validate
from labelkit.errors import CatalogError, LabelkitError, UnknownNameError, nearest, one_line
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.setting_classes import settings_in
from labelkit.records import Settings
from labelkit.settings import SETTINGS, SettingInfo, is_plugin_key

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def plugin_settings(catalog: Catalog) -> dict[str, SettingInfo]:
    """Return key → setting, of all plugins."""
    return {key: info for record in catalog.settings.values() for key, info in settings_in(record).items()}


def validate_setting(key: str, value: Any, catalog: Catalog) -> Any:
    """Return ``value`` as the setting ``key`` takes it; for a setting of a plugin as a plain value for JSON.

    :raises LabelkitError: the setting is unknown, or the value is invalid.
    """
    if not is_plugin_key(key):
        return validate(key, value)
    return plain_value(key, value, _find_setting(key, catalog))


def _find_setting(key: str, catalog: Catalog) -> SettingInfo:
    namespace = key.partition(".")[0]
    try:
        known = settings_in(catalog.find("settings", namespace))
    except UnknownNameError as error:
        raise LabelkitError(f"unknown setting '{key}'", hint=_unknown_hint(key, error.hint or "", catalog)) from None
    if key not in known:
        raise LabelkitError(f"unknown setting '{key}'", hint=nearest(key, known))
    return known[key]


def _unknown_hint(key: str, hint: str, catalog: Catalog) -> str:
    """Return the hint for a setting of an unknown namespace.

    :param hint: that of the catalog, which names plugins that are not loaded.
    """
    if hint.startswith("the plugin"):
        return hint
    close = nearest(key, {*SETTINGS, *plugin_settings(catalog)})
    if not close.startswith("did you mean"):
        close = f"no plugin declares settings called '{key.partition('.')[0]}'"
    _, separator, not_loaded = hint.partition("; not loaded: ")
    return close + separator + not_loaded


def plain_value(key: str, value: Any, info: SettingInfo) -> Any:
    """Return the plain value for JSON of a setting of a plugin.

    :param value: a plain value, or one of the setting's own type.
    :raises LabelkitError: it is invalid.
    """
    typed = typed_value(key, value, info)
    with _type_errors(key, info):
        return _adapter(info).dump_python(typed, mode="json")


def typed_value(key: str, value: Any, info: SettingInfo) -> Any:
    """Return a value of the setting's own type; see :func:`plain_value`."""
    from pydantic_core import to_json

    with _type_errors(key, info):
        adapter = _adapter(info)
        try:  # as JSON, in which a list is a tuple, and text is a path
            return adapter.validate_json(to_json(value, inf_nan_mode="constants"), strict=True)
        except ValueError as error:  # those of pydantic, too
            schema = adapter.json_schema()
            takes = describe(schema, schema.get("$defs", {}))
            raise LabelkitError(f"invalid {key}: {value!r}", hint=f"it takes {takes}") from error


def _adapter(info: SettingInfo) -> TypeAdapter[Any]:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(info.annotation, config=ConfigDict(allow_inf_nan=False))
    except PydanticUserError:  # a class of pydantic's has a configuration of its own
        return TypeAdapter(info.annotation)


@contextlib.contextmanager
def _type_errors(key: str, info: SettingInfo) -> Iterator[None]:
    """Explain that the type of a setting is one that cannot be validated."""
    from pydantic.errors import PydanticUserError

    try:
        yield
    except PydanticUserError as error:
        raise CatalogError(
            f"the setting '{key}' has a type that cannot be validated: {info.type}", hint=one_line(error)
        ) from error


def default_values(catalog: Catalog) -> dict[str, Any]:
    """Return key → default, as plain values for JSON, of all settings of plugins.

    :raises LabelkitError: a default is invalid.
    """
    return {key: plain_value(key, info.default, info) for key, info in plugin_settings(catalog).items()}


def setting_objects(catalog: Catalog, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an object of each class of settings that plugins declare.

    :param values: key → plain value; those that are absent have their defaults.
    :raises LabelkitError: the class refuses its values, or stands for several namespaces.
    """
    found = tuple(setting_object(record, values) for record in catalog.settings.values())
    for class_ in {type(one) for one in found}:
        names = [record.name for record in catalog.settings.values() if record.fields is class_]
        if len(names) > 1:
            raise CatalogError(
                f"the settings {' and '.join(map(repr, names))} share the class {class_.__name__}",
                hint="let each have a class of its own",
            )
    return found


def setting_object(record: Settings, values: Mapping[str, Any]) -> Any:
    """Return an object of declared settings; see :func:`setting_objects`."""
    known = settings_in(record)
    given = {key.partition(".")[2]: typed_value(key, values[key], info) for key, info in known.items() if key in values}
    try:
        return record.fields(**given)
    except LabelkitError:
        raise
    except Exception as error:  # of the plugin's own __post_init__
        raise LabelkitError(f"invalid settings of '{record.name}': {error}") from error


def owned_values(catalog: Catalog, plugin: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that are settings of ``plugin``."""
    return {key: values[key] for key in keys_of(catalog, plugin) if key in values}


def keys_of(catalog: Catalog, plugin: str) -> Iterator[str]:
    """Yield the keys of the settings that ``plugin`` declares."""
    for kind, record in catalog.supplied_by(plugin):
        if kind == "settings":
            yield from settings_in(record)

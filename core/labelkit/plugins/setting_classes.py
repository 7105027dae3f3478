"""Classes of settings that plugins declare: what they must be like, and the settings in them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, get_type_hints

from labelkit.records import Settings
from labelkit.settings import RUN_KEYS, Doc, SettingInfo

#: what cannot be a namespace of settings: keys of recipes
RESERVED_NAMESPACES = frozenset((*RUN_KEYS, "train", "reference", "summary"))

_FIELD = re.compile(r"[a-z][a-z0-9_]*")


def invalid_settings(record: Settings) -> str:
    """Return what is wrong with declared settings; empty if nothing is."""
    class_ = record.fields
    if record.name in RESERVED_NAMESPACES:
        return f"the name '{record.name}', which is a setting of labelkit: take the plugin's name"
    if not (isinstance(class_, type) and dataclasses.is_dataclass(class_) and class_.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        return f"fields={class_!r:.60}: it must be a class with @dataclass(frozen=True)"
    for field in dataclasses.fields(class_):
        if not _FIELD.fullmatch(field.name):
            return f"the field '{field.name}': names of settings are a-z, 0-9 and _"
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            return f"the field '{field.name}' without a default: a run that names no settings needs one"
    try:
        get_type_hints(class_)
    except Exception as error:
        return f"types that cannot be resolved ({error}): import them in the module of {class_.__name__}"
    return ""


def settings_in(record: Settings) -> Mapping[str, SettingInfo]:
    """Return key → setting, e.g. ``pairs.size``, for each field of declared settings, with the default of the class."""
    hints = get_type_hints(record.fields, include_extras=True)
    return {
        f"{record.name}.{field.name}": SettingInfo(hints[field.name], _default_of(field), _help_of(hints[field.name]))
        for field in dataclasses.fields(record.fields)
    }


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _help_of(annotation: Any) -> str:
    return next((note.text for note in getattr(annotation, "__metadata__", ()) if isinstance(note, Doc)), "")

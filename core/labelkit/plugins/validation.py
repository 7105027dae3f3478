"""Validate the hooks of a plugin, and the records that they yield, before they enter the catalog."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import pluggy

from labelkit.errors import CatalogError, nearest
from labelkit.plugins.functions import invalid_function
from labelkit.plugins.setting_classes import invalid_settings
from labelkit.records import (
    Decoder,
    Encoder,
    Example,
    Format,
    Head,
    Metric,
    Preprocessor,
    Schema,
    Settings,
    Source,
    Task,
)

#: hook → (the kind of record that it yields, the class of that record)
RECORD_HOOKS: dict[str, tuple[str, type]] = {
    "labelkit_tasks": ("task", Task),
    "labelkit_sources": ("source", Source),
    "labelkit_formats": ("format", Format),
    "labelkit_schemas": ("schema", Schema),
    "labelkit_preprocessors": ("preprocessor", Preprocessor),
    "labelkit_metrics": ("metric", Metric),
    "labelkit_decoders": ("decoder", Decoder),
    "labelkit_heads": ("head", Head),
    "labelkit_encoders": ("encoder", Encoder),
    "labelkit_settings": ("settings", Settings),
}
EVENT_HOOK = "labelkit_event"
RESERVED = frozenset({"best", "latest"})

_NAME = re.compile(r"[a-z0-9_-]+")

R = TypeVar("R")


# -- hooks ------------------------------------------------------------------------------------------------------------


def validate_hooks(plugin: object) -> None:
    """Refuse what pluggy would accept in silence, or report only when the hook is called.

    :raises CatalogError: a hook is misspelt, or lacks the decorator.
    """
    hooks = {*RECORD_HOOKS, EVENT_HOOK}
    for name in (name for name in dir(plugin) if name.startswith("labelkit_")):
        member = getattr(plugin, name)
        if name in hooks and not hasattr(member, "labelkit_impl"):
            raise CatalogError(f"{name} lacks the decorator @labelkit.hookimpl")
        if name not in hooks and callable(member) and not inspect.isclass(member):
            raise CatalogError(f"unknown hook '{name}'", hint=nearest(name, hooks))


def validate_ordering(implementation: pluggy.HookImpl, hook: str) -> None:
    """Refuse an implementation that would change what other plugins do.

    :raises CatalogError: it is a wrapper, or is marked to be called first or last.
    """
    for option in ("hookwrapper", "wrapper", "tryfirst", "trylast"):
        if getattr(implementation, option):
            raise CatalogError(f"{hook} is marked {option}: plugins may not wrap or reorder each other")


# -- records ----------------------------------------------------------------------------------------------------------


def validate_record(item: object, class_: type[R], hook: str) -> R:
    """Return ``item``, which is a record of ``class_`` with a valid name and fields of the declared types.

    Fields are checked here because a list or a lookup would otherwise fail for every plugin.

    :raises TypeError: it is another kind of object, or a field holds a value of another type.
    :raises ValueError: the name is invalid or reserved.
    """
    if not isinstance(item, class_):
        raise TypeError(f"{hook}() must yield labelkit.{class_.__name__}, it yielded {type(item).__name__}")
    name = getattr(item, "name", None)
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError(f"{hook}() yielded a {class_.__name__} with the name {name!r}: names are a-z, 0-9, - and _")
    if name in RESERVED:
        raise ValueError(f"{hook}() yielded a {class_.__name__} with the name '{name}', which is a reserved word")
    fault = invalid_field(item) or invalid_function(item)
    if not fault and class_ is Settings:
        fault = invalid_settings(cast(Settings, item))
    if fault:
        raise TypeError(f"{hook}() yielded the {class_.__name__} '{name}' with {fault}")
    return item


def _is_tuple_of(class_: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple | list) and all(isinstance(item, class_) for item in value)


#: annotation of a field → (whether a value is of that type, how to name the type)
_FIELD_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a str"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "tuple[str, ...]": (_is_tuple_of(str), "a tuple of str, e.g. ('one',)"),
    "tuple[Kind, ...]": (_is_tuple_of(str), "a tuple, e.g. ('token',)"),
    "tuple[Example, ...]": (_is_tuple_of(Example), "a tuple of labelkit.Example"),
    "Path": (lambda value: isinstance(value, str | Path), "a pathlib.Path"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a dict"),
    "Callable": (callable, "a function"),
}


def invalid_field(record: Any) -> str:
    """Return which field of a record holds a value of another type than declared; empty if none does."""
    for field in dataclasses.fields(record):
        annotation, value = str(field.type), getattr(record, field.name)
        declared = annotation.removesuffix(" | None")
        known = _FIELD_TYPES.get(declared.partition("[")[0]) or _FIELD_TYPES.get(declared)
        is_omitted = value is None and declared != annotation
        if known and not is_omitted and not known[0](value):
            return f"{field.name}={value!r:.60}: it must be {known[1]}"
    for suffix in getattr(record, "suffixes", ()):
        if len(suffix) < 2:  # nearly every file would have it, so that no other format could be found by its own
            return f"suffixes={record.suffixes!r:.60}: a file ending is longer, e.g. '.conll'"
    return ""

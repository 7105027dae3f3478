"""What the hooks of a plugin, and the records that they yield, must be like to be let into the catalog."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from labelkit.errors import CatalogError, nearest
from labelkit.records import Decoder, Encoder, Example, Format, Metric, Preprocessor, Schema, Source, Task

#: hook → (what one of its records is called, its class)
RECORD_HOOKS: dict[str, tuple[str, type]] = {
    "labelkit_tasks": ("task", Task),
    "labelkit_sources": ("source", Source),
    "labelkit_formats": ("format", Format),
    "labelkit_schemas": ("schema", Schema),
    "labelkit_preprocessors": ("preprocessor", Preprocessor),
    "labelkit_metrics": ("metric", Metric),
    "labelkit_decoders": ("decoder", Decoder),
    "labelkit_encoders": ("encoder", Encoder),
}
EVENT_HOOK = "labelkit_event"
RESERVED = frozenset({"best", "latest"})

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_ORDERING = ("hookwrapper", "wrapper", "tryfirst", "trylast")

R = TypeVar("R")


def is_name(text: object) -> bool:
    """Return whether a record may be called so, reserved words aside."""
    return isinstance(text, str) and bool(text) and set(text) <= _NAME_CHARACTERS


# -- hooks ------------------------------------------------------------------------------------------------------------


def check_signatures(plugin: object) -> None:
    """Refuse what pluggy would accept in silence or only complain about when it is called.

    :raises CatalogError: a hook is misspelt, or lacks the decorator.
    """
    for name in dir(plugin):
        if name.startswith("labelkit_") and name not in RECORD_HOOKS and name != EVENT_HOOK:
            if callable(getattr(plugin, name)) and not inspect.isclass(getattr(plugin, name)):
                raise CatalogError(f"there is no hook '{name}'", hint=nearest(name, [*RECORD_HOOKS, EVENT_HOOK]))
        elif (name in RECORD_HOOKS or name == EVENT_HOOK) and not hasattr(getattr(plugin, name), "labelkit_impl"):
            raise CatalogError(f"{name} lacks the decorator @labelkit.hookimpl")


def refuse_ordering(implementation: pluggy.HookImpl, hook: str) -> None:
    """Refuse an implementation that would change what other plugins do.

    :raises CatalogError: it wraps, or asks to be first or last.
    """
    for option in _ORDERING:
        if getattr(implementation, option):
            raise CatalogError(f"{hook} is marked {option}: plugins may not wrap or reorder each other")


# -- records ----------------------------------------------------------------------------------------------------------


def checked(item: object, class_: type[R], hook: str) -> R:
    """Return ``item``, a record of ``class_`` under a usable name, whose fields hold what they are declared to.

    :raises TypeError: it is not; what a list or a lookup touches has to be right, or it would fail for everybody.
    :raises ValueError: the name is not one.
    """
    if not isinstance(item, class_):
        raise TypeError(f"{hook}() must yield labelkit.{class_.__name__}, it yielded {type(item).__name__}")
    name = getattr(item, "name", None)
    if not is_name(name):
        raise ValueError(f"{hook}() yielded a {class_.__name__} called {name!r}: names are a-z, 0-9, - and _")
    if name in RESERVED:
        raise ValueError(f"{hook}() yielded a {class_.__name__} called '{name}', which is a reserved word")
    if fault := _misfit(item) or _too_greedy(item):
        raise TypeError(f"{hook}() yielded the {class_.__name__} '{name}' with {fault}")
    return item


def check_unique(found: Iterable[tuple[str, Any]]) -> None:
    """Refuse a name that one plugin gives to two records of a kind.

    :raises ValueError: there is one.
    """
    seen: set[tuple[str, str]] = set()
    for kind, item in found:
        if (kind, item.name) in seen:
            raise ValueError(f"it yields the {kind} '{item.name}' twice")
        seen.add((kind, item.name))


def _tuple_of(class_: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple | list) and all(isinstance(part, class_) for part in value)


#: how a field is annotated → (whether a value fits, what to say that it should be)
_FITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a str"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "tuple[str, ...]": (_tuple_of(str), "a tuple of str, e.g. ('one',)"),
    "tuple[Kind, ...]": (_tuple_of(str), "a tuple, e.g. ('token',)"),
    "tuple[Example, ...]": (_tuple_of(Example), "a tuple of labelkit.Example"),
    "Path": (lambda value: isinstance(value, str | Path), "a pathlib.Path"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a dict"),
    "Callable": (callable, "a function"),
}


def _misfit(record: Any) -> str:
    """Return which field of a record holds something else than it is declared to; an empty text where all fit."""
    for field in dataclasses.fields(record):
        fits, wanted = _FITS.get(_base(str(field.type)), (None, ""))
        value = getattr(record, field.name)
        left_out = value is None and str(field.type).endswith("| None")
        if fits and not left_out and not fits(value):
            return f"{field.name}={value!r:.60}: it must be {wanted}"
    return ""


def _too_greedy(record: Any) -> str:
    """Return which file ending of a format nearly every file has, so that no other format could be told by its own."""
    short = [suffix for suffix in getattr(record, "suffixes", ()) if len(suffix) < 2]
    return f"suffixes={record.suffixes!r:.60}: a file ending is longer, e.g. '.conll'" if short else ""


def _base(annotation: str) -> str:
    """Return the part of an annotation that decides: ``Callable[…] | None`` is a ``Callable``."""
    plain = annotation.removesuffix(" | None")
    outer = plain.partition("[")[0]
    return outer if outer in _FITS else plain

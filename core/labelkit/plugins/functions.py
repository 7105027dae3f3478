"""The functions of records: how core calls each, and which of them are given a context."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from labelkit.records import Context, Decoder, Encoder, Format, Head, LoadContext, Metric, Preprocessor, Source

R = TypeVar("R")

#: the parameter by which a function asks for its context
CONTEXT = "ctx"
#: class of a record → its functions, with the names of their arguments
PARAMETERS: Mapping[type, Mapping[str, tuple[str, ...]]] = {
    Source: {"load": ("split", CONTEXT)},
    Format: {"read": ("path", CONTEXT), "write": ("records", "output")},
    Preprocessor: {"apply": ("example",)},
    Metric: {"compute": ("predictions",), "counts": ("predictions",)},
    Decoder: {"decode": ("scores",)},
    Encoder: {"resolve": ("rest", CONTEXT)},
    Head: {
        "loss": ("batch", CONTEXT),
        "outputs": (CONTEXT,),
        "module": (CONTEXT,),
        "scores": ("outputs", CONTEXT),
        "config": (CONTEXT,),
    },
}


def with_context(record: R, ctx: Context) -> R:
    """Return ``record`` with ``ctx`` bound to each of its functions that asks for a context by a parameter ``ctx``.

    A function to which core passes a :class:`LoadContext` by position, such as ``Format.read``, is given what ``ctx``
    says where that one has no settings of plugins. The functions of a head stay as they are.
    """
    bound: dict[str, Any] = {}
    for name, parameters in PARAMETERS.get(type(record), {}).items():
        function = getattr(record, name)
        if function is None:
            continue
        if CONTEXT not in parameters and takes_context(function):
            bound[name] = partial(function, **{CONTEXT: ctx})
        elif CONTEXT in parameters and isinstance(record, Source | Format | Encoder):
            bound[name] = partial(_call_reader, function, ctx)
    return dataclasses.replace(record, **bound) if bound else record  # type: ignore[type-var]


def _call_reader(function: Callable[[Any, LoadContext], Any], given: Context, what: Any, ctx: LoadContext) -> Any:
    if ctx.plugin_settings is None:
        shared = {field.name: getattr(given, field.name) for field in dataclasses.fields(Context)}
        ctx = dataclasses.replace(ctx, **shared)
    return function(what, ctx)


def takes_context(function: Callable[..., Any]) -> bool:
    """Return whether a function has a parameter ``ctx``."""
    signature = _signature(function)
    return signature is not None and CONTEXT in signature.parameters


def invalid_function(record: object) -> str:
    """Return which function of a record cannot be called as core calls it; empty if none is."""
    for name, parameters in PARAMETERS.get(type(record), {}).items():
        function = getattr(record, name)
        signature = _signature(function) if callable(function) else None
        if signature is None:
            continue
        optional = {CONTEXT: None} if CONTEXT not in parameters and takes_context(function) else {}
        try:
            signature.bind(*parameters, **optional)
        except TypeError:
            given = ", ".join(parameters)
            also = "" if CONTEXT in parameters else f" or {name}({given}, {CONTEXT})"
            return f"{name} as a function of {signature}: it must be {name}({given}){also}"
    return ""


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return None

"""What plugins may rely on: the version of the hooks and records, and a release of warning before anything goes.

To let a hook or a field of a record go: enter it in :data:`DEPRECATED_HOOKS` or :data:`DEPRECATED_FIELDS` for one
release, raise :data:`HOOK_API`, and remove it in the release that the entry names. ``tests/golden/hook_api.json`` holds
what there is, so that nothing goes by mistake.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType
from typing import Any

#: rises by one with each release in which hooks or records gain, deprecate or lose anything
HOOK_API = 1


class PluginDeprecationWarning(FutureWarning):
    """A plugin uses something that goes in a coming release; the message names both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """How a hook or field goes.

    :param since: the release of labelkit that warns first.
    :param until: the release that no longer has it.
    :param instead: what to do, e.g. ``"use Task.parts"``.
    """

    since: str
    until: str
    instead: str


#: hook → how it goes
DEPRECATED_HOOKS: dict[str, Deprecation] = {}
#: ``"Record.field"``, or a field of an event → how it goes
DEPRECATED_FIELDS: dict[str, Deprecation] = {}

# -- what a plugin states ---------------------------------------------------------------------------------------------

#: what a plugin may state of itself as variables of its module
STATEMENTS = ("requires_labelkit", "hook_api")


def stated_by(plugin: object) -> dict[str, object]:
    """Return what ``plugin``, a module or an object of one, states of itself."""
    module = sys.modules.get(getattr(plugin, "__module__", ""))
    found = {name: getattr(plugin, name, getattr(module, name, None)) for name in STATEMENTS}
    return {name: value for name, value in found.items() if value is not None}


def stated_in_source(module: str) -> dict[str, object]:
    """Return what a module that cannot be imported states; its source is read, nothing is run."""
    with contextlib.suppress(Exception):  # it has no source, or none that can be read: then it states nothing
        spec = _spec_of(module)
        if spec and spec.origin:
            tree = ast.parse(Path(spec.origin).read_bytes())
            return {
                target.id: ast.literal_eval(node.value)
                for node in tree.body
                if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name) and target.id in STATEMENTS
            }
    return {}


def _spec_of(module: str) -> ModuleSpec | None:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    for part in rest:
        if spec is None:
            break
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec


def unmet(stated: Mapping[str, object]) -> str:
    """Return why a plugin that states this cannot be used here, or an empty text."""
    return _unmet_release(stated.get("requires_labelkit")) or _unmet_api(stated.get("hook_api"))


def _unmet_release(wanted: object) -> str:
    if wanted is None:
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from labelkit import __version__

    try:
        fits = SpecifierSet(wanted if isinstance(wanted, str) else "?").contains(__version__, prereleases=True)
    except InvalidSpecifier:
        return f"requires_labelkit = {wanted!r} is no range of versions, e.g. '>=0.1'"
    return "" if fits else f"needs labelkit {wanted}, this is {__version__}"


def _unmet_api(wanted: object) -> str:
    if wanted is None:
        return ""
    if not isinstance(wanted, int):
        return f"hook_api = {wanted!r} is no version of the hooks, e.g. {HOOK_API}"
    if wanted <= HOOK_API:
        return ""
    return f"was written for version {wanted} of the hooks, this labelkit has {HOOK_API}: upgrade labelkit"


# -- what goes --------------------------------------------------------------------------------------------------------

_heard: ContextVar[list[str] | None] = ContextVar("_heard", default=None)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Give a list that fills with the deprecations that are warned of meanwhile."""
    lines: list[str] = []
    token = _heard.set(lines)
    try:
        yield lines
    finally:
        _heard.reset(token)


def warn_of_hook(plugin: str, hook: str) -> None:
    """Warn that ``plugin`` implements a hook that goes, where it does."""
    if hook in DEPRECATED_HOOKS:
        _warn(f"plugin '{plugin}'", hook, DEPRECATED_HOOKS[hook], sys._getframe(1))


def deprecate(record: type, field: str, deprecation: Deprecation) -> None:
    """Let a record warn whoever gives ``field`` or reads it; core itself, and a default, cause no warning.

    :param record: a dataclass with slots.
    """
    slot = record.__dict__[field]
    default = _default_of(record, field)
    what = f"{record.__name__}.{field}"

    def read(self: object) -> Any:
        _warn_plugin(what, deprecation, sys._getframe(1))
        return slot.__get__(self)

    def give(self: object, value: object) -> None:
        if not default(value):
            init = sys._getframe(1)
            _warn_plugin(what, deprecation, init.f_back if init.f_code.co_name == "__init__" else init)
        slot.__set__(self, value)

    setattr(record, field, property(read, give, doc=f"Deprecated: {deprecation.instead}."))


def deprecate_fields(namespace: Mapping[str, Any]) -> None:
    """Apply :data:`DEPRECATED_FIELDS` to the records, or events, of a module."""
    for name, deprecation in DEPRECATED_FIELDS.items():
        record, _, field = name.partition(".")
        if record in namespace:
            deprecate(namespace[record], field, deprecation)


def _default_of(record: Any, field: str) -> Callable[[object], bool]:
    """Return whether a value is the one that the field has when nobody gives it."""
    found = next(item for item in dataclasses.fields(record) if item.name == field)
    factory = found.default_factory
    if factory is not dataclasses.MISSING:
        return lambda value: bool(value == factory())
    return lambda value: found.default is not dataclasses.MISSING and bool(value == found.default)


def _warn_plugin(what: str, deprecation: Deprecation, frame: FrameType | None) -> None:
    """Warn the code in ``frame``, unless it is core's own or copies a record whole."""
    module = str(frame.f_globals.get("__name__", "")) if frame else ""
    if frame and module.partition(".")[0] not in ("labelkit", "dataclasses", "copy"):
        _warn(_who(module), what, deprecation, frame)


def _warn(who: str, what: str, deprecation: Deprecation, frame: FrameType) -> None:
    line = (
        f"{who} uses {what}, which is deprecated since labelkit {deprecation.since} and goes in {deprecation.until}: "
        f"{deprecation.instead}"
    )
    lines = _heard.get()
    if lines is not None and line not in lines:
        lines.append(line)
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(line, PluginDeprecationWarning, frame.f_code.co_filename, frame.f_lineno, registry=registry)


@functools.lru_cache
def _who(module: str) -> str:
    """Return the plugin whose package ``module`` belongs to, for a message."""
    from labelkit.plugins.discovery import find_candidates

    top = module.partition(".")[0]
    owners = [plugin.name for plugin in find_candidates() if plugin.module.partition(".")[0] == top]
    return f"plugin '{owners[0]}'" if owners else f"module '{module}'"

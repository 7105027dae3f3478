"""Find plugins, load each behind a wall, and index what they yield by name.

One broken plugin never stops a command: what went wrong becomes a line of ``labelkit plugins``. A plugin's records
go in together or not at all, and a name claimed twice belongs to nobody until one of the claimants is blocked.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pluggy

from labelkit import hookspecs
from labelkit.errors import CatalogError, UnknownNameError, explanation, nearest
from labelkit.events import Event
from labelkit.plugins.discovery import CORE, GROUP, Blocking, Candidate, find_candidates, normal
from labelkit.plugins.isolation import named_when_slow, walled
from labelkit.plugins.validation import (
    EVENT_HOOK,
    RECORD_HOOKS,
    check_signatures,
    check_unique,
    checked,
    refuse_ordering,
)
from labelkit.plugins.versioning import incompatibility, requirements_in_source, requirements_of
from labelkit.records import Decoder, Encoder, Format, Metric, Preprocessor, Schema, Source, Task

__all__ = ["EVENT_HOOK", "RECORD_HOOKS", "Candidate", "Catalog", "PluginInfo", "find_candidates"]

State = Literal["loaded", "blocked", "failed"]


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One line of ``labelkit plugins``.

    :param origin: the distribution that declares it, with its entry point's value.
    :param hooks: the hooks it implements.
    :param reason: why it is not loaded; empty when it is.
    :param notes: what it did to the process while it was loaded.
    """

    name: str
    version: str
    origin: str
    hooks: tuple[str, ...]
    status: State
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Claims:
    """Who supplies which name.

    :param records: kind → name → record, of the plugins that are loaded.
    :param owners: (kind, name) → the loaded plugin that supplies it.
    :param claimants: (kind, name) → every plugin that yields it, those refused for a clash included.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind, _ in RECORD_HOOKS.values()})
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    claimants: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def contested(self, kind: str, name: str) -> bool:
        """Return whether several plugins claim a name."""
        return len(self.claimants.get((kind, name), ())) > 1

    def dispute(self, kind: str, name: str) -> CatalogError:
        """Return the error that names all who claim a name, and how to settle it."""
        claimants = self.claimants[kind, name]
        ways = " or ".join(f"--no-plugin {claimant}" for claimant in claimants if claimant != CORE)
        count = "all but one" if len(claimants) > 2 else "one of them"
        return CatalogError(
            f"{kind} '{name}' comes from {' and '.join(map(repr, claimants))}", hint=f"block {count}: {ways}"
        )


class Catalog:
    """Every plugin and every record, by name. Built once per command by :meth:`load` and handed down."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        blocking: Blocking | None = None,
        trace: Callable[[str], object] | None = None,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self._trace, self._say = trace, say or _on_stderr
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._claims = _Claims()
        self._infos: list[PluginInfo] = []
        self._modules: dict[str, object] = {}
        for candidate in candidates:
            self._infos.append(self._admit(candidate, blocking or Blocking()))

    @classmethod
    def load(
        cls,
        *,
        blocked: Iterable[str] = (),
        only: Iterable[str] | None = None,
        trace: Callable[[str], object] | None = None,
        say: Callable[[str], object] | None = None,
    ) -> Catalog:
        """Load core and the installed plugins.

        :param blocked: plugin or distribution names never to import.
        :param only: the only plugins to load beside core; None for all.
        :param trace: told of every import and hook call with its time.
        :param say: told which plugin people are waiting for; None: stderr.
        """
        chosen = None if only is None else frozenset(only)
        return cls(find_candidates(), Blocking(frozenset(blocked), chosen), trace, say)

    # -- loading, one plugin at a time ------------------------------------------------------------------------------

    def _admit(self, candidate: Candidate, blocking: Blocking) -> PluginInfo:
        if reason := blocking.reason(candidate):
            return _info(candidate, "blocked", reason)
        if candidate.name in self._modules or self._is_failed(candidate.name):
            return _info(
                candidate,
                "failed",
                f"another plugin is already called '{candidate.name}': {self._origin(candidate.name)}",
            )
        named = contextlib.nullcontext() if candidate.name == CORE else named_when_slow(candidate.name, self._say)
        try:
            with named, walled(loading=True) as changes:  # there is no way to do without core
                info = self._load(candidate)
        except KeyboardInterrupt:  # a plugin may raise it, too
            self._say(f"note: interrupted while plugin '{candidate.name}' was loading")
            raise
        return replace(info, notes=tuple(changes))

    def _load(self, candidate: Candidate) -> PluginInfo:
        try:
            plugin = self._import(candidate)
            hooks = self._register(plugin, candidate.name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, and whatever else a plugin may think of
            self._unregister(candidate.name)
            return _info(candidate, "failed", explanation(error))
        return self._collect(candidate, plugin, hooks)

    def _import(self, candidate: Candidate) -> object:
        try:
            with self._timed(f"import {candidate.name}"):
                plugin = candidate.load()
        except (Exception, SystemExit) as error:
            if why := incompatibility(requirements_in_source(candidate.module)):  # that explains it
                raise CatalogError(why, hint=explanation(error)) from error
            raise
        if why := incompatibility(requirements_of(plugin)):
            raise CatalogError(why)
        return plugin

    def _is_failed(self, name: str) -> bool:
        return any(info.name == name and info.status == "failed" for info in self._infos)

    def _origin(self, name: str) -> str:
        return next(info.origin for info in self._infos if info.name == name)

    def _register(self, plugin: object, name: str) -> tuple[str, ...]:
        check_signatures(plugin)
        self._manager.register(plugin, name=name)
        self._manager.check_pending()
        hooks = set()
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    refuse_ordering(implementation, caller.name)
                    hooks.add(caller.name)
        return tuple(sorted(hooks))

    def _unregister(self, name: str) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)

    def _collect(self, candidate: Candidate, plugin: object, hooks: tuple[str, ...]) -> PluginInfo:
        try:
            found = list(self._drain(candidate.name, plugin, hooks))
            check_unique(found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._unregister(candidate.name)
            return _info(candidate, "failed", explanation(error), hooks)
        if clash := self._contest(candidate, found):
            self._unregister(candidate.name)
            return _info(candidate, "failed", clash, hooks)
        self._modules[candidate.name] = plugin
        for kind, item in found:
            self._claims.records[kind][item.name] = item
            self._claims.owners[kind, item.name] = candidate.name
        return _info(candidate, "loaded", "", hooks)

    def _drain(self, name: str, plugin: object, hooks: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for hook in hooks:
            if hook not in RECORD_HOOKS:
                continue
            kind, class_ = RECORD_HOOKS[hook]
            with self._timed(f"{name}.{hook}"):
                items = list(self._call_alone(hook, plugin))
            yield from ((kind, checked(item, class_, hook)) for item in items)

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        ending = ""
        try:
            yield
        except BaseException as error:
            ending = f", raised {type(error).__name__}"
            raise
        finally:
            if self._trace:
                self._trace(f"{what}: {(time.perf_counter() - started) * 1000:.1f} ms{ending}")

    def _call_alone(self, hook: str, plugin: object) -> Iterator[Any]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        caller = self._manager.subset_hook_caller(hook, others)
        results = caller()
        if len(results) < len(caller.get_hookimpls()):  # pluggy leaves out None
            raise TypeError(f"{hook}() must yield records, it returned None")
        for result in results:
            if isinstance(result, str | bytes) or not isinstance(result, Iterable):
                raise TypeError(f"{hook}() must yield records, it returned {type(result).__name__}")
            yield from result

    def _contest(self, candidate: Candidate, found: list[tuple[str, Any]]) -> str:
        """Note the newcomer's claims; return why it is refused, where somebody claims one of its names already."""
        for kind, item in found:
            self._claims.claimants.setdefault((kind, item.name), []).append(candidate.name)
        clashes = [(kind, item.name) for kind, item in found if self._claims.contested(kind, item.name)]
        if not clashes:
            return ""
        error = self._claims.dispute(*clashes[0])
        return f"{error.message}; {error.hint}"

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found, in loading order, with what became of it."""
        return tuple(self._infos)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Tasks by name."""
        return self._usable("task")

    @property
    def sources(self) -> Mapping[str, Source]:
        """Sources by name."""
        return self._usable("source")

    @property
    def formats(self) -> Mapping[str, Format]:
        """Formats by name."""
        return self._usable("format")

    @property
    def schemas(self) -> Mapping[str, Schema]:
        """Schemas by name."""
        return self._usable("schema")

    @property
    def preprocessors(self) -> Mapping[str, Preprocessor]:
        """Preprocessors by name."""
        return self._usable("preprocessor")

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Metrics by name."""
        return self._usable("metric")

    @property
    def decoders(self) -> Mapping[str, Decoder]:
        """Decoders by name."""
        return self._usable("decoder")

    @property
    def encoders(self) -> Mapping[str, Encoder]:
        """Kinds of model reference by name."""
        return self._usable("encoder")

    def _usable(self, kind: str) -> Mapping[str, Any]:
        found = self._claims.records[kind]
        return {name: item for name, item in found.items() if not self._claims.contested(kind, name)}

    def find(self, kind: str, name: str) -> Any:
        """Return the record of ``kind`` (``"task"``, ``"metric"``, …) called ``name``.

        :raises CatalogError: two plugins supply it, or the plugin that does could not be loaded.
        :raises UnknownNameError: nobody supplies it.
        """
        if self._claims.contested(kind, name):
            raise self._claims.dispute(kind, name)
        if name in self._claims.records[kind]:
            return self._claims.records[kind][name]
        if refused := self._claims.claimants.get((kind, name)):
            raise CatalogError(
                f"{kind} '{name}' comes from the plugin '{refused[0]}', which is not loaded",
                hint="see: labelkit plugins",
            )
        raise UnknownNameError(f"unknown {kind} '{name}'", hint=self._unknown_hint(kind, name))

    def _unknown_hint(self, kind: str, name: str) -> str:
        hint = nearest(name, self._usable(kind))
        absent = [info for info in self._infos if info.status != "loaded" and info.name == name]
        if absent:
            return f"the plugin '{name}' is not loaded: {absent[0].reason}"
        failed = ", ".join(info.name for info in self._infos if info.status == "failed")
        return f"{hint}; not loaded: {failed} (labelkit plugins says why)" if failed else hint

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those of ``names`` that are neither a plugin's nor a distribution's."""
        known = {normal(part) for info in self._infos for part in (info.name, info.origin.partition(" (")[0])}
        return [name for name in names if normal(name) not in known]

    def owner(self, kind: str, name: str) -> PluginInfo:
        """Return the plugin that supplies the record of ``kind`` called ``name``."""
        plugin = self._claims.owners[kind, name]
        return next(info for info in self._infos if info.name == plugin and info.status == "loaded")

    def supplied_by(self, plugin: str) -> Iterator[tuple[str, Any]]:
        """Yield ``(kind, record)`` for everything that the loaded ``plugin`` supplies."""
        for (kind, name), owner in self._claims.owners.items():
            if owner == plugin:
                yield kind, self._claims.records[kind][name]

    def observers(self) -> Mapping[str, Callable[[Event], None]]:
        """Return the event hooks by plugin name, each to be called alone."""
        found: dict[str, Callable[[Event], None]] = {}
        for implementation in getattr(self._manager.hook, EVENT_HOOK).get_hookimpls():
            name = str(implementation.plugin_name)
            found[name] = self._observer(name, implementation.plugin)
        return found

    def _observer(self, name: str, plugin: object) -> Callable[[Event], None]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        caller = self._manager.subset_hook_caller(EVENT_HOOK, others)

        def observe(event: Event) -> None:
            with self._timed(f"{name}.{EVENT_HOOK}({type(event).__name__})"), walled():
                caller(event=event)

        return observe


def _info(candidate: Candidate, status: State, reason: str, hooks: tuple[str, ...] = ()) -> PluginInfo:
    return PluginInfo(candidate.name, candidate.version, candidate.origin, hooks, status, reason)


def _on_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")

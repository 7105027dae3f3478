"""Load the plugins, each in isolation, and index the records that they yield by kind and name.

A broken plugin never stops a command: the reason is a line of ``labelkit plugins``. The records of a plugin are
registered together or not at all, and a name that several plugins claim is unusable until all but one are blocked.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import pluggy

from labelkit import hookspecs
from labelkit.errors import CatalogError, UnknownNameError, explanation, nearest
from labelkit.events import Event
from labelkit.plugins.discovery import CORE, GROUP, Candidate, PluginFilter, find_candidates, normalized_name
from labelkit.plugins.isolation import announce_slow_loading, isolate
from labelkit.plugins.validation import EVENT_HOOK, RECORD_HOOKS, validate_hooks, validate_ordering, validate_record
from labelkit.plugins.versioning import incompatibility, requirements_in_source, requirements_of
from labelkit.records import (
    Decoder,
    Encoder,
    Format,
    Head,
    Metric,
    Preprocessor,
    RunContext,
    Schema,
    Settings,
    Source,
    Task,
)

__all__ = ["EVENT_HOOK", "RECORD_HOOKS", "Candidate", "Catalog", "PluginInfo", "find_candidates"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One line of ``labelkit plugins``.

    :param origin: the distribution that declares it, with its entry point's value.
    :param hooks: the hooks that it implements.
    :param reason: why it is not loaded; empty when it is.
    :param notes: what it changed in the process while it was loaded, which was restored.
    """

    name: str
    version: str
    origin: str
    hooks: tuple[str, ...]
    status: Literal["loaded", "blocked", "failed"]
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def distribution(self) -> str:
        """The name of the distribution that declares it."""
        return self.origin.partition(" (")[0]


class RecordView(Generic[R]):
    """An attribute of :class:`Catalog`: the records of one kind that can be used, by name."""

    def __init__(self, class_: type[R]) -> None:
        (self._kind,) = (kind for kind, each in RECORD_HOOKS.values() if each is class_)

    def __get__(self, catalog: Catalog, owner: type[Catalog]) -> Mapping[str, R]:
        return catalog.usable(self._kind)


class Catalog:
    """Every plugin and every record, by name. Built once per command by :meth:`load` and passed on."""

    tasks = RecordView(Task)
    sources = RecordView(Source)
    formats = RecordView(Format)
    schemas = RecordView(Schema)
    preprocessors = RecordView(Preprocessor)
    metrics = RecordView(Metric)
    decoders = RecordView(Decoder)
    heads = RecordView(Head)
    encoders = RecordView(Encoder)
    settings = RecordView(Settings)

    def __init__(
        self,
        candidates: Iterable[Candidate],
        plugin_filter: PluginFilter | None = None,
        trace: Callable[[str], object] | None = None,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self._trace, self._say = trace, say or (lambda line: sys.stderr.write(f"{line}\n"))
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        #: (kind, name) → the loaded plugin that yields the record, and the record
        self._records: dict[tuple[str, str], tuple[str, Any]] = {}
        #: (kind, name) → every plugin that yields such a record, those refused for a clash included
        self._claimants: dict[tuple[str, str], list[str]] = {}
        self._infos: list[PluginInfo] = []
        for candidate in candidates:
            self._infos.append(self._admit(candidate, plugin_filter or PluginFilter()))

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

        :param blocked: names of plugins or distributions never to import.
        :param only: the only plugins to load beside core; None for all.
        :param trace: called with a line for every import and hook call, with its time.
        :param say: called with a line that names a plugin which is slow to load; None: print it to stderr.
        """
        plugin_filter = PluginFilter(frozenset(blocked), None if only is None else frozenset(only))
        return cls(find_candidates(), plugin_filter, trace, say)

    # -- loading, one plugin at a time ------------------------------------------------------------------------------

    def _admit(self, candidate: Candidate, plugin_filter: PluginFilter) -> PluginInfo:
        """Load a plugin in isolation unless it is blocked or its name is taken, and return how that ended."""
        info = PluginInfo(candidate.name, candidate.version, candidate.origin, (), "blocked")
        if reason := plugin_filter.reason_to_block(candidate):
            return replace(info, reason=reason)
        for other in self._infos:
            if other.name == info.name and other.status != "blocked":
                reason = f"another plugin is already called '{info.name}': {other.origin}"
                return replace(info, status="failed", reason=reason)
        # core cannot be blocked
        announced = contextlib.nullcontext() if info.name == CORE else announce_slow_loading(info.name, self._say)
        try:
            with announced, isolate(loading=True) as notes:
                info = self._load(candidate, info)
        except KeyboardInterrupt:  # a plugin may raise it, too
            self._say(f"note: interrupted while plugin '{info.name}' was loading")
            raise
        return replace(info, notes=tuple(notes))

    def _load(self, candidate: Candidate, info: PluginInfo) -> PluginInfo:
        """Import a plugin and register its hooks and records; whatever it raises is the reason why it failed."""
        try:
            plugin = self._import(candidate)
            info = replace(info, hooks=self._register(plugin, info.name))
            clash = self._claim(info.name, list(self._collect(plugin, info)))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, and whatever else a plugin may raise
            clash = explanation(error)
        if not clash:
            return replace(info, status="loaded")
        if self._manager.has_plugin(info.name):
            self._manager.unregister(name=info.name)
        return replace(info, status="failed", reason=clash)

    def _import(self, candidate: Candidate) -> object:
        """Return the imported plugin.

        :raises CatalogError: it requires another labelkit; where the import fails, its source is parsed for that.
        """
        try:
            with self._timed(f"import {candidate.name}"):
                plugin = candidate.load()
        except (Exception, SystemExit) as error:
            if reason := incompatibility(requirements_in_source(candidate.module)):
                raise CatalogError(reason, hint=explanation(error)) from error
            raise
        if reason := incompatibility(requirements_of(plugin)):
            raise CatalogError(reason)
        return plugin

    def _register(self, plugin: object, name: str) -> tuple[str, ...]:
        """Register the hooks of a plugin and return their names."""
        validate_hooks(plugin)
        self._manager.register(plugin, name=name)
        self._manager.check_pending()
        hooks = set()
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    validate_ordering(implementation, caller.name)
                    hooks.add(caller.name)
        return tuple(sorted(hooks))

    def _collect(self, plugin: object, info: PluginInfo) -> Iterator[tuple[str, Any]]:
        """Yield ``(kind, record)`` for every record that the hooks of a plugin yield."""
        seen: set[tuple[str, str]] = set()
        for hook in info.hooks:
            if hook == EVENT_HOOK:
                continue
            kind, class_ = RECORD_HOOKS[hook]
            with self._timed(f"{info.name}.{hook}"):
                caller = self._caller_of(plugin, hook)
                results = caller()
                if len(results) < len(caller.get_hookimpls()):  # pluggy leaves out None
                    raise TypeError(f"{hook}() must yield records, it returned None")
                for result in results:
                    if isinstance(result, str | bytes) or not isinstance(result, Iterable):
                        raise TypeError(f"{hook}() must yield records, it returned {type(result).__name__}")
                items = [item for result in results for item in result]
            for item in items:
                record: Any = validate_record(item, class_, hook)
                if (kind, record.name) in seen:
                    raise ValueError(f"it yields the {kind} '{record.name}' twice")
                seen.add((kind, record.name))
                yield kind, record

    def _caller_of(self, plugin: object, hook: str) -> pluggy.HookCaller:
        """Return a function that calls the hook of this plugin alone."""
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        return self._manager.subset_hook_caller(hook, others)

    def _claim(self, plugin: str, records: list[tuple[str, Any]]) -> str:
        """Register the records of a plugin, unless another plugin claims one of their names; return why not."""
        for kind, record in records:
            self._claimants.setdefault((kind, record.name), []).append(plugin)
        for kind, record in records:
            if self._is_contested(kind, record.name):
                error = self._contest(kind, record.name)
                return f"{error.message}; {error.hint}"
        self._records.update({(kind, record.name): (plugin, record) for kind, record in records})
        return ""

    def _is_contested(self, kind: str, name: str) -> bool:
        return len(self._claimants.get((kind, name), ())) > 1

    def _contest(self, kind: str, name: str) -> CatalogError:
        """Return the error that names all plugins that claim a name, and how to resolve it."""
        claimants = self._claimants[kind, name]
        options = " or ".join(f"--no-plugin {claimant}" for claimant in claimants if claimant != CORE)
        count = "all but one" if len(claimants) > 2 else "one of them"
        return CatalogError(
            f"{kind} '{name}' comes from {' and '.join(map(repr, claimants))}", hint=f"block {count}: {options}"
        )

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """Trace how long a call takes, and how it ends."""
        started, ending = time.perf_counter(), ""
        try:
            yield
        except BaseException as error:
            ending = f", raised {type(error).__name__}"
            raise
        finally:
            if self._trace:
                self._trace(f"{what}: {(time.perf_counter() - started) * 1000:.1f} ms{ending}")

    # -- lookups ----------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found, in loading order, with its status."""
        return tuple(self._infos)

    def usable(self, kind: str) -> Mapping[str, Any]:
        """Return the records of ``kind`` by name, without those that several plugins claim."""
        return {
            name: record
            for (each, name), (_, record) in self._records.items()
            if each == kind and not self._is_contested(kind, name)
        }

    def find(self, kind: str, name: str) -> Any:
        """Return the record of ``kind`` (``"task"``, ``"metric"``, …) with this name.

        :raises CatalogError: several plugins yield it, or the plugin that does could not be loaded.
        :raises UnknownNameError: no plugin yields it.
        """
        if self._is_contested(kind, name):
            raise self._contest(kind, name)
        if (kind, name) in self._records:
            return self._records[kind, name][1]
        if refused := self._claimants.get((kind, name)):
            message = f"{kind} '{name}' comes from the plugin '{refused[0]}', which is not loaded"
            raise CatalogError(message, hint="see: labelkit plugins")
        hint = nearest(name, self.usable(kind))
        if failed := ", ".join(info.name for info in self._infos if info.status == "failed"):
            hint = f"{hint}; not loaded: {failed} (labelkit plugins says why)"
        for info in self._infos:
            if info.name == name and info.status != "loaded":
                hint = f"the plugin '{name}' is not loaded: {info.reason}"
                break
        raise UnknownNameError(f"unknown {kind} '{name}'", hint=hint)

    def is_claimed(self, kind: str, name: str) -> bool:
        """Return whether a plugin yields a record of ``kind`` with this name, loaded or not."""
        return (kind, name) in self._claimants

    def unknown_plugins(self, names: Iterable[str]) -> list[str]:
        """Return those of ``names`` that belong to no installed plugin or distribution."""
        known = {normalized_name(part) for info in self._infos for part in (info.name, info.distribution)}
        return [name for name in names if normalized_name(name) not in known]

    def owner(self, kind: str, name: str) -> PluginInfo:
        """Return the plugin that yields the record of ``kind`` with this name."""
        plugin, _ = self._records[kind, name]
        return next(info for info in self._infos if info.name == plugin and info.status == "loaded")

    def supplied_by(self, plugin: str) -> Iterator[tuple[str, Any]]:
        """Yield ``(kind, record)`` for every record of the loaded ``plugin``."""
        return ((kind, record) for (kind, _), (owner, record) in self._records.items() if owner == plugin)

    def observers(self, ctx: RunContext) -> Mapping[str, Callable[[Event], None]]:
        """Return plugin name → the event hook of that plugin alone, which runs in isolation."""
        implementations = getattr(self._manager.hook, EVENT_HOOK).get_hookimpls()
        return {str(one.plugin_name): self._observer(str(one.plugin_name), one.plugin, ctx) for one in implementations}

    def observer_takes_context(self, plugin: str) -> bool:
        """Return whether the event hook of ``plugin`` takes ``ctx``."""
        implementations = getattr(self._manager.hook, EVENT_HOOK).get_hookimpls()
        return any("ctx" in one.argnames for one in implementations if one.plugin_name == plugin)

    def _observer(self, name: str, plugin: object, ctx: RunContext) -> Callable[[Event], None]:
        caller = self._caller_of(plugin, EVENT_HOOK)

        def observe(event: Event) -> None:
            with self._timed(f"{name}.{EVENT_HOOK}({type(event).__name__})"), isolate():
                caller(event=event, ctx=ctx)

        return observe

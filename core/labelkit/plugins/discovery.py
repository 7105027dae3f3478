"""Discover the installed plugins by their entry points, and decide which may load, without importing any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata

from labelkit.errors import CatalogError

GROUP = "labelkit"
DISTRIBUTION = "labelkit"
CORE = "core"
BUILTIN = "labelkit.builtin"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin before it is imported.

    :param name: the name of its entry point.
    :param version: the version of its distribution.
    :param value: the module, or ``module:object``, that the entry point names.
    :param load: imports and returns it.
    """

    name: str
    version: str
    distribution: str
    value: str
    load: Callable[[], object]

    @property
    def module(self) -> str:
        """The name of the module that the entry point names."""
        return self.value.partition(":")[0].strip()

    @property
    def origin(self) -> str:
        """The distribution, with the value of the entry point."""
        return f"{self.distribution} ({self.value})"


@dataclass(frozen=True, slots=True)
class PluginFilter:
    """Which plugins may load.

    :param blocked: names of plugins or distributions that are never imported (``--no-plugin``).
    :param only: names that may load, None for all (``LABELKIT_PLUGINS``); core itself always may.
    """

    blocked: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def reason_to_block(self, plugin: Candidate) -> str:
        """Return why ``plugin`` may not load; empty if it may."""
        if plugin.name == CORE:
            return ""
        names = {normalized_name(plugin.name), normalized_name(plugin.distribution)}
        if names & {normalized_name(name) for name in self.blocked}:
            return "blocked by --no-plugin"
        if self.only is not None and not names & {normalized_name(name) for name in self.only}:
            return "not named in LABELKIT_PLUGINS"
        return ""


def normalized_name(name: str) -> str:
    """Return the name of a distribution as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_candidates() -> list[Candidate]:
    """Return core, then the plugins of labelkit's own distribution, then all others by name."""
    from labelkit import __version__

    # core is loaded by name, as any plugin: this package does not import what core supplies
    core = Candidate(CORE, __version__, DISTRIBUTION, BUILTIN, partial(import_module, BUILTIN))
    found: list[Candidate] = []
    seen: set[str] = set()
    for distribution in metadata.distributions():
        # the name is in the folder's, mostly: reading the METADATA of every distribution takes a third of a second
        name = _metadata_text(distribution, "_normalized_name") or _metadata_text(distribution, "name")
        if not name or normalized_name(name) not in seen:  # as for imports, the first of that name on the path counts
            found.extend(declared_plugins(distribution))
        seen.add(normalized_name(name))
    found.sort(key=lambda plugin: (plugin.distribution != DISTRIBUTION, plugin.name, plugin.distribution))
    return [core, *found]


def declared_plugins(distribution: metadata.Distribution) -> Iterator[Candidate]:
    """Yield a candidate for each entry point, or one that fails to load where they cannot be parsed."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception:  # it is not even text
        return
    if f"[{GROUP}]" not in text:
        return  # before METADATA is read: parsing that of every installed package takes a quarter of a second
    # a half-removed dist-info folder has neither name nor version
    name, version = _metadata_text(distribution, "name") or "unknown", _metadata_text(distribution, "version")
    try:
        entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
    except Exception as error:
        unreadable = CatalogError("its entry_points.txt cannot be read", hint=f"{type(error).__name__}: {error}")

        def fail() -> object:
            raise unreadable

        yield Candidate(name, version, name, "entry_points.txt", fail)
    else:
        yield from (Candidate(entry.name, version, name, entry.value, entry.load) for entry in entries)


def _metadata_text(distribution: metadata.Distribution, field: str) -> str:
    try:
        return str(getattr(distribution, field) or "")
    except Exception:  # there is no METADATA, or it cannot be read
        return ""

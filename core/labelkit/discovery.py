"""Which plugins are installed, and which of them may load; nothing of theirs is imported here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType

GROUP = "labelkit"
DISTRIBUTION = "labelkit"
CORE = "core"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin before it is imported."""

    name: str
    version: str
    distribution: str
    value: str
    load: Callable[[], object]

    @property
    def origin(self) -> str:
        """Return the distribution and the object behind the entry point."""
        return f"{self.distribution} ({self.value})"


@dataclass(frozen=True, slots=True)
class Blocking:
    """Which plugins may load.

    :param blocked: names of plugins or distributions that are never imported (``--no-plugin``).
    :param only: names that may load, None for all (``LABELKIT_PLUGINS``); core itself always may.
    """

    blocked: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def reason(self, plugin: Candidate) -> str:
        """Return why ``plugin`` may not load, or an empty text."""
        names = {normal(plugin.name), normal(plugin.distribution)}
        if plugin.name == CORE:
            return ""
        if names & set(map(normal, self.blocked)):
            return "blocked by --no-plugin"
        if self.only is not None and not names & set(map(normal, self.only)):
            return "not named in LABELKIT_PLUGINS"
        return ""


def find_candidates() -> list[Candidate]:
    """Return core, then the plugins of our own distribution, then everybody else's, by name."""
    found = []
    for entry in metadata.entry_points(group=GROUP):
        # a dist-info folder that was half removed has neither name nor version
        distribution = (entry.dist and entry.dist.name) or "unknown"
        version = (entry.dist and entry.dist.version) or ""
        found.append(Candidate(entry.name, version, distribution, entry.value, entry.load))
    found.sort(key=lambda plugin: (plugin.distribution != DISTRIBUTION, plugin.name, plugin.distribution))
    return [_core(), *found]


def _core() -> Candidate:
    def load() -> ModuleType:
        from labelkit import builtin

        return builtin

    from labelkit import __version__

    return Candidate(CORE, __version__, DISTRIBUTION, "labelkit.builtin", load)


def normal(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()

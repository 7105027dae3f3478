"""Which plugins are installed, and which of them may load; nothing of theirs is imported here."""

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
    """A plugin before it is imported."""

    name: str
    version: str
    distribution: str
    value: str
    load: Callable[[], object]

    @property
    def module(self) -> str:
        """Return the name of the module that the entry point names."""
        return self.value.partition(":")[0].strip()

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
    found = [candidate for distribution in _distributions() for candidate in _declared(distribution)]
    found.sort(key=lambda plugin: (plugin.distribution != DISTRIBUTION, plugin.name, plugin.distribution))
    return [_core(), *found]


def _distributions() -> Iterator[metadata.Distribution]:
    """Yield what is installed; of two with one name the first on the path counts, as for imports."""
    seen = set()
    for distribution in metadata.distributions():
        # from the folder's name where there is one: reading the METADATA of everything takes a third of a second
        name = _text(distribution, "_normalized_name") or _text(distribution, "name")
        if not name or normal(name) not in seen:
            yield distribution
        seen.add(normal(name))


def _declared(distribution: metadata.Distribution) -> Iterator[Candidate]:
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception:  # not even text, so it cannot be meant for us
        return
    if f"[{GROUP}]" not in text:
        return  # before METADATA is read: parsing that of every installed package takes a quarter of a second
    # a dist-info folder that was half removed has neither name nor version
    name, version = _text(distribution, "name") or "unknown", _text(distribution, "version")
    try:
        entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
    except Exception as error:  # its entry_points.txt cannot be parsed
        yield Candidate(name, version, name, "entry_points.txt", _raising(error))
        return
    for entry in entries:
        yield Candidate(entry.name, version, name, entry.value, entry.load)


def _text(distribution: metadata.Distribution, field: str) -> str:
    try:
        return str(getattr(distribution, field) or "")
    except Exception:  # no METADATA, or one that cannot be read
        return ""


def _raising(error: Exception) -> Callable[[], object]:
    def load() -> object:
        raise CatalogError("its entry_points.txt cannot be read", hint=f"{type(error).__name__}: {error}")

    return load


def _core() -> Candidate:
    from labelkit import __version__

    # by its name, as any plugin: this package knows nothing of what core supplies
    return Candidate(CORE, __version__, DISTRIBUTION, BUILTIN, partial(import_module, BUILTIN))


def normal(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()

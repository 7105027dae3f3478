"""Pass the events of a run to its listeners and to the observers of plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from labelkit.errors import explanation
from labelkit.events import Event

Listener = Callable[[Event], object]


class Emitter:
    """Passes each event to listeners and to observers of plugins; one that raises is reported once, and dropped.

    :param observers: by plugin name.
    :param warn: called with the report.
    """

    def __init__(
        self, listeners: Sequence[Listener], observers: Mapping[str, Listener], warn: Callable[[str], object]
    ) -> None:
        self._first: list[Listener] = []
        self._named = [(f"listener {name_of(listener)}", listener) for listener in listeners]
        self._named += [(f"observer of plugin '{name}'", observer) for name, observer in observers.items()]
        self._warn = warn

    def add_first(self, listener: Listener) -> None:
        """Register ``listener`` before all others, as one whose errors stop the run."""
        self._first.insert(0, listener)

    def __call__(self, event: Event) -> None:
        """Pass ``event`` to all listeners and observers."""
        for listener in self._first:
            listener(event)
        for entry in list(self._named):
            name, listener = entry
            try:
                listener(event)
            except (Exception, SystemExit) as error:
                self._named.remove(entry)
                self._warn(f"the {name} failed and gets no more events: {explanation(error)}")


def name_of(listener: Listener) -> str:
    """Return the name of a function, or of the class of another object, for messages."""
    return getattr(listener, "__qualname__", None) or type(listener).__qualname__

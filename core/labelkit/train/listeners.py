"""Pass the events of a run to its listeners and to the observers of plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from labelkit.errors import explanation
from labelkit.events import Event

Listener = Callable[[Event], object]


class Emitter:
    """Passes each event to listeners, whose errors stop the run, and to observers of plugins, whose errors do not.

    :param observers: by plugin name; one that raises is reported once through ``warn``, and dropped.
    """

    def __init__(
        self, listeners: Sequence[Listener], observers: Mapping[str, Listener], warn: Callable[[str], object]
    ) -> None:
        self._listeners = list(listeners)
        self._observers = dict(observers)
        self._warn = warn

    def add_first(self, listener: Listener) -> None:
        """Register ``listener`` first, so that a failing listener cannot keep events from it."""
        self._listeners.insert(0, listener)

    def __call__(self, event: Event) -> None:
        """Pass ``event`` to all listeners and observers."""
        for listener in self._listeners:
            listener(event)
        for name, observer in list(self._observers.items()):
            try:
                observer(event)
            except (Exception, SystemExit) as error:
                del self._observers[name]
                self._warn(f"the observer of plugin '{name}' failed and gets no more events: {explanation(error)}")

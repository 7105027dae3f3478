"""Errors in the middle of training, at any event: those of listeners and observers do not stop a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labelkit.events import Event
from labelkit.train.listeners import Emitter


def stop_by(monkeypatch: pytest.MonkeyPatch, fail: Callable[[Event], object]) -> None:
    """Call ``fail``, which may raise, after all others have got an event."""
    pass_on = Emitter.__call__

    def emit(emitter: Emitter, event: Event) -> None:
        pass_on(emitter, event)
        fail(event)

    monkeypatch.setattr(Emitter, "__call__", emit)

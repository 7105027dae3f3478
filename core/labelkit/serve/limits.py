"""The limits within which a server accepts requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLimits:
    """What one request, and all of them together, may ask for.

    :param body: bytes in the body of a request.
    :param texts: texts in a request; each costs memory and time, however short it is.
    :param queued: characters of all texts of a model that wait or are in inference; one request may always wait.
    :param seconds: from the arrival of a request to its answer.
    :param drain_seconds: a server that is told to end gives its open requests.
    """

    body: int = 4 << 20
    texts: int = 100_000
    queued: int = 16 << 20
    seconds: float = 60.0
    drain_seconds: float = 30.0

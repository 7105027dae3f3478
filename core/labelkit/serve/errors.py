"""The error that a request ends with, whatever the protocol of its answer."""

from __future__ import annotations

from collections.abc import Mapping


class RequestError(Exception):
    """A request that is answered with an error of one line.

    :param status: of the HTTP response.
    :param message: what is wrong; it names the field, and never quotes a text or a token.
    :param kind: of the error as TEI names it: ``"Validation"``, ``"Overloaded"``, ``"Backend"`` or ``"Tokenizer"``.
    """

    def __init__(
        self, status: int, message: str, *, kind: str = "Validation", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})


def overloaded(message: str, status: int, seconds: float) -> RequestError:
    """Return the error of a server that has no time for a request.

    :param seconds: after which to try again.
    """
    return RequestError(status, message, kind="Overloaded", headers={"Retry-After": str(max(1, round(seconds)))})

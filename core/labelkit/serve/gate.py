"""What every request passes before an operation gets it: host, token, counts, headers and unexpected errors."""

from __future__ import annotations

import hashlib
import hmac
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labelkit.serve.operations import ROUTE, json_response

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: pages hold their own style and nothing else; no other site may show them
CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
#: names of this machine by which a browser of it reaches a server on loopback
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may ask for what.

    :param token: what ``Authorization: Bearer`` must hold; None: nothing.
    :param open_paths: paths that need no token.
    :param loopback: answer only requests to a name of this machine: a page of another site may have its own name
        resolved to it (DNS rebinding).
    """

    token: str | None = field(default=None, repr=False)
    open_paths: Collection[str] = ()
    loopback: bool = True

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and message for a request that is refused; None for others."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self.loopback and host and _without_port(host) not in _LOOPBACK:
            return 421, "the header Host must be localhost, 127.0.0.1 or [::1]"
        if self.token is None or scope["path"] in self.open_paths:
            return None
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and hmac.compare_digest(_digest(given.strip()), _digest(self.token.encode())):
            return None
        return 401, "the header Authorization must hold the token of this server: Bearer TOKEN"


def json_error(status: int, message: str) -> Response:
    """Return the answer to a refused request in JSON."""
    challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return json_response({"error": message}, status, challenge)


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host


def _digest(token: bytes) -> bytes:
    """Return a hash of a token, of one length for all."""
    return hashlib.sha256(token).digest()


class Gate:
    """Passes on the requests that the rules allow.

    :param count: called with route, status and seconds of each answered request.
    :param say: prints a line on unexpected errors: their type and place, as a message may quote a text.
    :param answer: returns the answer to a refused or failed request, from its status and a message.
    :param content_policy: the header Content-Security-Policy of all answers.
    """

    def __init__(
        self,
        application: ASGIApp,
        rules: AccessRules,
        count: Callable[[str, int, float], None],
        say: Callable[[str], None],
        *,
        answer: Callable[[int, str], Response] = json_error,
        content_policy: str = CONTENT_POLICY,
    ) -> None:
        self._application, self._rules, self._count, self._say = application, rules, count, say
        self._answer = answer
        self._headers = ((b"content-security-policy", content_policy.encode()), *_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        try:
            refusal = self._rules.refusal(scope)
            if refusal is None:
                await self._application(scope, receive, send_counted)
            else:
                await self._answer(*refusal)(scope, receive, send_counted)
        except Exception as error:
            self._report(error)
            if not status:
                message = f"unexpected {type(error).__name__}: a bug in labelkit"
                await self._answer(500, message)(scope, receive, send_counted)
        finally:
            self._count(scope.get(ROUTE, "other"), status or 499, time.perf_counter() - started)

    def _report(self, error: Exception) -> None:
        if type(error).__name__ == "ClientDisconnect":
            return
        place = traceback.extract_tb(error.__traceback__)[-1]
        self._say(f"error: {type(error).__name__} at {place.filename}:{place.lineno}, while answering a request")

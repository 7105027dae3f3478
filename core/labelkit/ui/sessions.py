"""Who may see the pages, and which requests may change something: the token, its cookie, and checks against CSRF."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labelkit.serve.gate import AccessRules

if TYPE_CHECKING:
    from starlette.types import Scope

#: the field of a form that proves that a page of this server made it
CSRF_FIELD = "csrf"
#: what a browser says of requests that no other site caused
_OWN_SITES = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Sessions:
    """The secrets of a server.

    :param token: what a person enters to see the pages; None: nothing.
    """

    token: str | None = field(default=None, repr=False)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers send cookies to all ports of a host, so it differs between servers."""
        return f"labelkit-{self._derive('name')[:8]}"

    @property
    def cookie_value(self) -> str:
        """The content of the cookie of those who gave the token."""
        return self._derive("session")

    @property
    def csrf(self) -> str:
        """The content of :data:`CSRF_FIELD`."""
        return self._derive("csrf")

    def accepts(self, token: str) -> bool:
        """Return whether this is the token."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def is_open(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a request may see pages: there is no token, or the request has the cookie."""
        if self.token is None:
            return True
        try:
            found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.cookie_value.encode())

    def is_forged(self, headers: Mapping[str, str], given: str) -> bool:
        """Return whether a request to change something may come from a page of another site.

        :param given: the content of its :data:`CSRF_FIELD`.
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in _OWN_SITES:
            return True
        # browsers write null for forms of pages without referrer, as these are; they all say the site, too
        if site is None and origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return True
        return not hmac.compare_digest(given.encode("utf-8", "replace"), self.csrf.encode())

    def _derive(self, purpose: str) -> str:
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules(AccessRules):
    """The rules of a server whose visitors have a cookie in place of a header."""

    sessions: Sessions = field(default_factory=Sessions)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and message for a request that is refused; None for others."""
        if refused := AccessRules.refusal(self, scope):
            return refused
        if scope["path"] in self.open_paths or self.sessions.is_open(dict(scope["headers"])):
            return None
        return 401, "Enter the token that labelkit ui printed when it started."

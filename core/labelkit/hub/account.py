"""The account on the Hugging Face Hub: log in and out, and what the token may do.

Tokens are stored by ``huggingface_hub``, where its other programs find them. They are never printed or recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from labelkit.errors import LabelkitError
from labelkit.hub.failures import LOGIN, HubError, hub_failure, no_token
from labelkit.hub.guard import guard_session
from labelkit.hub.repository import TIMEOUT, call_with_timeout

#: seconds for a question about the account, which the Hub answers more slowly than others
_PATIENCE = 4 * TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the token belongs to, and what it allows.

    :param role: ``"read"``, ``"write"``, ``"fineGrained"``, or empty where the Hub does not say.
    :param token: the name that the user gave the token.
    :param organizations: name → the role in it.
    :param scopes: name of a user, organization or repository → what a fine-grained token may do there.
    """

    name: str
    role: str
    token: str
    endpoint: str
    organizations: Mapping[str, str] = field(default_factory=dict)
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def check_may_write(self, repository: str) -> None:
        """Raise if the token cannot write to ``repository``, before anything is sent.

        :raises HubError: it cannot, with what to do.
        """
        owner = repository.partition("/")[0]
        settings = f"{self.endpoint}/settings/tokens"
        if self.role == "read":
            raise HubError(
                f"the token '{self.token}' of {self.name} may only read, and cannot push to {repository}",
                hint=f"make one with the role write at {settings}, then: {LOGIN}",
            )
        if owner != self.name and owner not in self.organizations:
            known = ", ".join([self.name, *self.organizations])
            raise HubError(f"{self.name} does not belong to '{owner}'", hint=f"push to one of: {known}")
        if self.organizations.get(owner) == "read":
            raise HubError(f"{self.name} may only read in '{owner}'", hint="ask its administrators for the role write")
        allowed = {one for name in (owner, repository) for one in self.scopes.get(name, ())}
        if self.role == "fineGrained" and "repo.write" not in allowed:
            raise HubError(
                f"the token '{self.token}' may not write to repositories of '{owner}'",
                hint=f"allow it at {settings}, or make one with the role write, then: {LOGIN}",
            )


def read_account() -> Account:
    """Return the account that the token in use belongs to.

    :raises HubError: there is no token, or the Hub does not accept it.
    :raises NetworkError: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants, get_token

    token = get_token()
    if token is None:
        raise no_token()
    guard_session()
    try:
        answer = call_with_timeout(_PATIENCE, lambda: HfApi().whoami(token))
    except Exception as error:
        raise hub_failure(error, "the account") from None
    return _account(answer, constants.ENDPOINT)


def log_in(token: str) -> Account:
    """Check a token with the Hub and store it where ``huggingface_hub`` keeps it.

    :raises HubError: it is not a token, or the Hub does not accept it; nothing is stored.
    :raises NetworkError: the Hub cannot be reached.
    """
    import huggingface_hub

    if not token or not token.isascii() or any(letter.isspace() for letter in token):
        raise HubError("that is not a token", hint="paste the whole token, one line that begins with hf_")
    guard_session()
    with _silent():
        try:
            huggingface_hub.login(token, add_to_git_credential=False)
        except Exception as error:
            raise _without(token, hub_failure(error, "the account")) from None
    return read_account()


def log_out() -> bool:
    """Delete the stored tokens; return whether there were any.

    :raises HubError: a token remains in the environment.
    """
    import huggingface_hub
    from huggingface_hub import get_token

    had = get_token() is not None
    with _silent():
        try:
            huggingface_hub.logout()
        except OSError:
            hint = "unset HF_TOKEN and HUGGING_FACE_HUB_TOKEN"
            raise HubError("the stored tokens are deleted, but the environment holds one", hint=hint) from None
    return had


def _without(token: str, error: LabelkitError) -> LabelkitError:
    """Return an error whose message cannot hold the token."""
    return type(error)(error.message.replace(token, "…"), hint=error.hint)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep ``huggingface_hub`` from its own messages."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _account(answer: Mapping[str, Any], endpoint: str) -> Account:
    token: Mapping[str, Any] = (answer.get("auth") or {}).get("accessToken") or {}
    scopes: dict[str, tuple[str, ...]] = {}
    for one in (token.get("fineGrained") or {}).get("scoped") or ():
        name = str((one.get("entity") or {}).get("name"))
        scopes[name] = (*scopes.get(name, ()), *map(str, one.get("permissions") or ()))
    return Account(
        name=str(answer.get("name")),
        role=str(token.get("role") or ""),
        token=str(token.get("displayName") or "token"),
        endpoint=endpoint,
        organizations={str(org.get("name")): str(org.get("roleInOrg") or "") for org in answer.get("orgs") or ()},
        scopes=scopes,
    )

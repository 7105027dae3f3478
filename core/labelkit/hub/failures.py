"""What went wrong while the Hub was written to, as one line and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.errors import LabelkitError, NetworkError
from labelkit.hub.repository import short_reason

LOGIN = "labelkit login"


class HubError(LabelkitError):
    """The Hub refused a request."""


def hub_failure(error: BaseException, place: str) -> LabelkitError:
    """Return the error to raise for what a request about ``place`` raised.

    :param place: the repository, such as ``model 'org/name'``, or ``the account``.
    """
    for one in _causes(error):
        if isinstance(one, LabelkitError):
            return one
        response = getattr(one, "response", None)
        if response is not None:
            return _refusal(response.status_code, response.headers.get("X-Error-Code", ""), one, place)
    if isinstance(error, ValueError):
        return HubError(f"the Hub refuses {place}: {short_reason(error)}", hint="correct what it names, and try again")
    reason = short_reason(list(_causes(error))[-1])
    return NetworkError(
        f"the Hub did not answer for {place} ({reason})",
        hint="connect and run the command again: nothing is half written, and what was sent is kept",
    )


def no_token() -> HubError:
    """Return the error for a machine that has no token."""
    return HubError("not logged in to the Hugging Face Hub", hint=f"{LOGIN}, with a token that may write")


def _refusal(status: int, code: str, error: BaseException, place: str) -> LabelkitError:
    if code == "GatedRepo":
        return HubError(f"{place} is gated on the Hub", hint=f"accept its terms there, then: {LOGIN}")
    message, hint = {
        401: ("the Hub does not accept the token", f"{LOGIN}, or unset HF_TOKEN where it holds an old one"),
        403: (f"the token may not write to {place}", f"make one with write access to it, then: {LOGIN}"),
        404: (f"there is no {place} on the Hub, or the token may not see it", "check the name, and labelkit whoami"),
        409: (f"{place} has this name already, or is being changed", "choose another name or tag, or try again"),
        412: (
            f"{place} was changed by somebody else since it was read; nothing was written",
            "run the command again: it starts from the new state",
        ),
        429: (
            "the Hub has had too many requests from this account",
            "wait some minutes and run the command again: what was sent is kept",
        ),
    }.get(status, ("", ""))
    if not message and status >= 500:
        return NetworkError(f"the Hub failed with status {status} for {place}", hint="try again later")
    return HubError(message or f"the Hub refuses {place} ({status}: {short_reason(error)})", hint=hint or None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__

"""No network for a while: whatever reaches for another machine is refused, and noted."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def unplugged(wanted: list[str]) -> Iterator[None]:
    """Refuse connections to other machines; this one may be asked, a data store may run on it.

    :param wanted: takes the hosts that were to be reached.
    """

    def guarded(real: Callable[..., Any], address_of: Callable[..., object]) -> Callable[..., Any]:
        def guard(*given: Any, **named: Any) -> Any:
            if host := elsewhere(address_of(*given, **named)):
                wanted.append(host)
                raise OSError(errno.ENETUNREACH, f"no network may be used here, not even {host}")
            return real(*given, **named)

        return guard

    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(socket, "getaddrinfo", guarded(socket.getaddrinfo, _asked_for)))
        for name in ("connect", "connect_ex"):
            real = getattr(socket.socket, name)
            stack.enter_context(_replaced(socket.socket, name, guarded(real, _connected_to)))
        yield


def elsewhere(address: object) -> str:
    """Return the host of an address on another machine; an empty text for one on this machine.

    :param address: as a socket takes it: host and port, or a path.
    """
    host = address[0] if isinstance(address, tuple) and address else None
    if not isinstance(host, str) or host in ("", "localhost"):
        return ""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return "" if number.is_loopback or number.is_unspecified else host


def _asked_for(host: Any = None, *others: Any, **named: Any) -> tuple[Any]:
    return (host.decode("ascii", "replace") if isinstance(host, bytes) else host,)


def _connected_to(self: socket.socket, address: object) -> object:
    return address


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Let ``owner`` have another attribute for a while; one that it inherits is inherited again afterwards."""
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)

"""Block the network for a while: connections to other machines fail, and their hosts are recorded."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def block_network(blocked: list[str]) -> Iterator[None]:
    """Refuse connections to other machines. This machine may be reached, as a data store may run on it.

    :param blocked: collects the hosts that were to be reached.
    """
    from unittest.mock import patch

    lookup = socket.getaddrinfo

    def refuse_remote(address: object) -> None:
        if host := remote_host(address):
            blocked.append(host)
            raise OSError(errno.ENETUNREACH, f"no network may be used here, not even {host}")

    def getaddrinfo(host: Any = None, *args: Any, **named: Any) -> Any:
        refuse_remote((host.decode("ascii", "replace") if isinstance(host, bytes) else host,))
        return lookup(host, *args, **named)

    def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
        def guard(self: socket.socket, address: Any) -> Any:
            refuse_remote(address)
            return connect(self, address)

        return guard

    with (
        patch.object(socket, "getaddrinfo", getaddrinfo),
        patch.object(socket.socket, "connect", guarded(socket.socket.connect)),
        patch.object(socket.socket, "connect_ex", guarded(socket.socket.connect_ex)),
    ):
        yield


def remote_host(address: object) -> str:
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

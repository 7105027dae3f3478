"""Run a server: bind its address, answer until a signal stops it, and let open requests finish."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from labelkit.serve.health import Health
    from labelkit.serve.limits import ServeLimits

#: characters of the shortest token
LEAST_TOKEN = 16
_LARGEST_TOKEN = 4096


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address; nothing is answered yet.

    :param port: 0 for one that is free.
    :raises LabelkitError: the port is in use or not allowed, or the host is no address of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, _, _, _, address = found[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LabelkitError(f"unknown host '{host}'", hint="--host 127.0.0.1 or an address of this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # connections inherit it; else the end of an answer waits 40 ms for the client to acknowledge its beginning
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        where = f"port {port} of {host}"
        if error.errno == errno.EADDRINUSE:
            raise LabelkitError(f"{where} is in use", hint="choose another with --port, or 0 for a free one") from error
        raise LabelkitError(
            f"{where} cannot be used: {error.strerror}", hint="choose others: --host, --port"
        ) from error
    return bound


def read_token(path: Path) -> str:
    """Return the token in a file.

    :raises LabelkitError: it cannot be read, or holds no token.
    """
    try:
        content = path.read_bytes()[:_LARGEST_TOKEN]
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", hint="--token-file names a file") from error
    return check_token(content.decode("latin-1").strip(), str(path))


def check_token(token: str, where: str) -> str:
    """Return a token that can be a header's.

    :param where: it is from, for the message.
    :raises LabelkitError: it is too short, or has characters that a header has not.
    """
    if len(token) < LEAST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise LabelkitError(
            f"{where} holds no token: one line of at least {LEAST_TOKEN} ASCII characters without spaces",
            hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes one",
        )
    return token


def run_server(
    application: ASGIApp, bound: socket.socket, limits: ServeLimits, health: Health, on_ready: Callable[[], None]
) -> None:
    """Answer requests until SIGTERM, SIGINT or SIGHUP; open requests are answered before this returns.

    :param on_ready: called once requests are answered.
    """
    import uvicorn

    config = uvicorn.Config(
        application, log_config=None, log_level="critical", access_log=False, lifespan="on", server_header=False,
        timeout_graceful_shutdown=round(limits.drain_seconds), backlog=1024,
    )  # fmt: skip

    class Server(uvicorn.Server):
        """A server whose end is no interrupt, and which says when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            before: dict[int, Any] = {number: signal.getsignal(number) for number in _ending_signals()}
            for number in before:
                loop.add_signal_handler(number, self._end)
            try:
                yield
            finally:
                for number, handler in before.items():
                    loop.remove_signal_handler(number)
                    signal.signal(number, handler)

        def _end(self) -> None:
            self.force_exit, self.should_exit = self.should_exit, True
            health.ending = True

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(Server(config).serve(sockets=[bound]))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop: uvloop's where it is installed, else asyncio's own for None.

    uvicorn chooses so in ``Server.run``, which would replace the signal handlers of this process.
    """
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


def _ending_signals() -> list[int]:
    from labelkit.console.terminal import END_SIGNALS, is_ignored

    return [number for number in END_SIGNALS if not is_ignored(number)]

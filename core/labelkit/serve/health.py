"""Whether a server takes requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelkit.serve.operations import Operation, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class Health:
    """Whether a server takes requests.

    :ivar ending: it is shutting down, and refuses new requests.
    """

    def __init__(self) -> None:
        self.ending = False

    def operations(self) -> list[Operation]:
        """Return the operations that ask for it, also those of other protocols."""
        return [
            Operation(method="GET", path=path, group="Health", summary=summary, handle=handle, open=True)
            for path, summary, handle in (
                ("/health/live", "Does the server answer?", self._live),
                ("/health/ready", "Does it take requests?", self._ready),
                ("/v2/health/live", "Does the server answer?", self._live),
                ("/v2/health/ready", "Does it take requests?", self._ready),
            )
        ]

    async def _live(self, request: Request) -> Response:
        return json_response({"live": True})

    async def _ready(self, request: Request) -> Response:
        return json_response({"ready": not self.ending}, 503 if self.ending else 200)

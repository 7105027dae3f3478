"""The application of a server: all operations, health, metrics and documentation, behind the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from labelkit.serve.gate import AccessRules, Gate
from labelkit.serve.health import Health
from labelkit.serve.huggingface import huggingface_operations
from labelkit.serve.limits import ServeLimits
from labelkit.serve.measures import CONTENT_TYPE, ServerMetrics
from labelkit.serve.models import ServedModels
from labelkit.serve.native import native_operations
from labelkit.serve.open_inference import open_inference_operations
from labelkit.serve.openapi import documentation_page, openapi_document
from labelkit.serve.operations import Labelling, Operation, json_response
from labelkit.serve.tei import tei_operations

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp


def build_application(
    models: ServedModels,
    limits: ServeLimits,
    *,
    token: str | None = None,
    loopback: bool = True,
    health: Health | None = None,
    more: Sequence[Operation] = (),
    say: Callable[[str], None] = lambda line: None,
) -> ASGIApp:
    """Return the ASGI application of a server.

    :param token: what requests must bear; None: nothing.
    :param loopback: requests must be to a name of this machine.
    :param more: operations of other protocols.
    :param say: prints a line of the log.
    """
    labelling = Labelling(models, limits)
    operations = [
        *native_operations(labelling), *huggingface_operations(labelling), *tei_operations(labelling),
        *open_inference_operations(labelling), *more, *(health or Health()).operations(),
    ]  # fmt: skip
    metrics = ServerMetrics(models)

    async def measure(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    operations.append(
        Operation(
            method="GET",
            path="/metrics",
            group="Health",
            summary="Metrics for Prometheus.",
            handle=measure,
            media="text/plain",
        )
    )
    document = openapi_document(operations, token=token is not None)
    page = documentation_page(document)
    routes = [Route(each.path, each, methods=[each.method]) for each in (*operations, *_documentation(document, page))]
    application = Starlette(routes=routes, exception_handlers=_http_errors(), lifespan=_lifespan(models))
    paths = {each.path for each in operations if each.open} | {"/docs", "/openapi.json"}
    return Gate(application, AccessRules(token, paths, loopback), metrics.count, say)


def _documentation(document: dict[str, Any], page: str) -> list[Operation]:
    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    async def show_document(request: Request) -> Response:
        return json_response(document)

    found = {"/docs": show_page, "/openapi.json": show_document}
    return [
        Operation(method="GET", path=path, group="Documentation", summary="", handle=handle, open=True)
        for path, handle in found.items()
    ]


def _lifespan(models: ServedModels) -> Any:
    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        models.watch()
        try:
            yield
        finally:
            await models.drain()

    return lifespan


def _http_errors() -> dict[Any, Any]:
    """Return handlers for paths and methods that no operation has, and for unexpected errors, each with JSON."""

    async def not_found(request: Request, error: Exception) -> Response:
        return json_response({"error": "unknown path; /docs lists all"}, 404)

    async def wrong_method(request: Request, error: Any) -> Response:
        return json_response({"error": "this path has other methods; /docs lists all"}, 405, error.headers)

    async def unexpected(request: Request, error: Exception) -> Response:
        # Starlette raises the error again afterwards, so that the gate prints its type and place
        return json_response({"error": f"unexpected {type(error).__name__}: a bug in labelkit"}, 500)

    return {404: not_found, 405: wrong_method, 500: unexpected}

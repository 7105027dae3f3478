"""The application of ``labelkit ui``: its addresses, behind the gate of ``labelkit serve``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from labelkit.errors import LabelkitError, UnknownRunError
from labelkit.serve.gate import Gate
from labelkit.ui import changes, compare_page, data_page, errors_page, playground, run_page, runs_page, selection
from labelkit.ui.sessions import CSRF_FIELD, SessionRules
from labelkit.ui.site import PageAnswer, PageRequest, Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

Show = Callable[[Site, PageRequest], PageAnswer]
#: scripts and styles come from the server itself; a style attribute holds numbers only: positions, colours, shares
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
#: characters of the longest form; a text of the playground is the largest part
LARGEST_FORM = 8 << 20
#: file → its media type, and the parts that it is joined from
STATIC: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "style.css": (
        "text/css", (("labelkit.report", "templates/style.css"), ("labelkit.ui", "static/pages.css")),
    ),
    "pages.js": ("text/javascript", (("labelkit.ui", "static/pages.js"),)),
    "htmx.js": ("text/javascript", (("labelkit.ui", "static/htmx.min.js"),)),
    "icon.svg": ("image/svg+xml", (("labelkit.ui", "static/icon.svg"),)),
}  # fmt: skip
#: addresses that change nothing
PAGES: Mapping[str, Show] = {
    "/": runs_page.show_runs,
    "/groups/{group}": runs_page.show_group,
    "/runs/{run}": run_page.show_run,
    "/runs/{run}/progress": runs_page.show_progress,
    "/runs/{run}/live": run_page.show_live,
    "/runs/{run}/errors": errors_page.show_errors,
    "/runs/{run}/data": data_page.show_data,
    "/playground": playground.show_playground,
    "/compare": compare_page.show_compare,
}
#: addresses of forms that are sent
ACTIONS: Mapping[str, Show] = {
    "/runs/{run}/errors": errors_page.start_errors,
    "/runs/{run}/errors/download": selection.download_examples,
    "/runs/{run}/errors/send": selection.send_examples,
    "/runs/{run}/data/check": data_page.start_check,
    "/runs/{run}/change": changes.change_run,
    "/playground": playground.label_text,
    "/compare/significance": compare_page.start_significance,
    "/compare/sentences": compare_page.start_sentences,
}


def build_application(site: Site, *, loopback: bool = True) -> ASGIApp:
    """Return the ASGI application of the pages.

    :param loopback: requests must be to a name of this machine.
    """
    routes = [
        *(Route(path, _endpoint(site, show), methods=["GET"]) for path, show in PAGES.items()),
        *(Route(path, _endpoint(site, show), methods=["POST"]) for path, show in ACTIONS.items()),
        Route("/login", _login(site), methods=["GET", "POST"]),
        Route("/static/{name}", _static, methods=["GET"]),
    ]

    def failed(status: int, message: str, hint: str | None = None) -> Response:
        template = "login.html" if status == 401 else "error.html"
        return _response(site.page(template, PageRequest(), status, message=message, hint=hint))

    async def not_found(request: Request, error: Exception) -> Response:
        return failed(404, "There is no such page.")

    async def wrong_method(request: Request, error: Exception) -> Response:
        return failed(405, "This address answers other requests.")

    async def unexpected(request: Request, error: Exception) -> Response:
        return failed(500, f"unexpected {type(error).__name__}: a bug in labelkit")

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        yield
        site.close()

    application = Starlette(
        routes=routes, exception_handlers={404: not_found, 405: wrong_method, 500: unexpected}, lifespan=lifespan
    )
    paths = {"/login", *(f"/static/{name}" for name in STATIC)}
    rules = SessionRules(open_paths=paths, loopback=loopback, sessions=site.sessions)
    return Gate(
        application, rules, lambda route, status, seconds: None, site.say, answer=failed, content_policy=CONTENT_POLICY
    )


def _endpoint(site: Site, show: Show) -> Callable[[Request], Any]:
    """Return what answers a request by ``show``, which runs in a thread of its own."""

    async def answer(request: Request) -> Response:
        try:
            form = await read_form(request) if request.method == "POST" else {}
            given = page_request(request, form)
            if request.method == "POST" and site.sessions.is_forged(request.headers, given.word(CSRF_FIELD)):
                raise LabelkitError("the form was not sent by a page of this server", hint="load the page again")
            return _response(await run_in_threadpool(show, site, given))
        except LabelkitError as error:
            status = 404 if isinstance(error, UnknownRunError) else 400
            shown = page_request(request, {})
            template = "problem.html" if shown.fragment else "error.html"
            return _response(site.page(template, shown, status, message=error.message, hint=error.hint))

    return answer


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form.

    :raises LabelkitError: it is too large.
    """
    content = bytearray()
    async for block in request.stream():
        content += block
        if len(content) > LARGEST_FORM:
            raise LabelkitError(f"the form is larger than {LARGEST_FORM >> 20} MiB", hint="label a file instead")
    return parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10_000)


def page_request(request: Request, form: Mapping[str, list[str]]) -> PageRequest:
    """Return a request as pages see it."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return PageRequest(
        path={name: str(value) for name, value in request.path_params.items()},
        query=found,
        form=form,
        address=address,
        fragment="hx-request" in request.headers,
    )


def _response(answer: PageAnswer) -> Response:
    if answer.location is not None:
        return Response(status_code=303, headers={"location": answer.location, **answer.headers})
    content = answer.content.encode("utf-8", "replace") if isinstance(answer.content, str) else answer.content
    return Response(content, answer.status, dict(answer.headers), answer.media_type)


def _login(site: Site) -> Callable[[Request], Any]:
    """Return what exchanges the token for a cookie."""

    async def login(request: Request) -> Response:
        form = await read_form(request) if request.method == "POST" else {}
        token = page_request(request, form).word("token")
        if not site.sessions.accepts(token):
            message = "This is not the token." if token else "Enter the token that labelkit ui printed."
            return _response(site.page("login.html", PageRequest(), 401, message=message, hint=None))
        response = Response(status_code=303, headers={"location": "/"})
        response.set_cookie(site.sessions.cookie, site.sessions.cookie_value, httponly=True, samesite="strict")
        return response

    return login


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        return Response("unknown file", 404)
    return Response(static_content(name), media_type=STATIC[name][0])


@cache
def static_content(name: str) -> bytes:
    """Return the content of a file in :data:`STATIC`."""
    return b"\n".join(files(package).joinpath(path).read_bytes() for package, path in STATIC[name][1])

"""What the tests of ``labelkit ui`` share: a client of its pages, and the text of a page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home
from labelkit.ui.application import build_application
from labelkit.ui.sessions import Sessions
from labelkit.ui.site import Site


def client_of(
    home: Home,
    *,
    token: str | None = None,
    loopback: bool = True,
    environment: Environment | None = None,
    **options: Any,
) -> TestClient:
    """Return a client of the pages over a home."""
    site = Site(home, environment or Environment(), Catalog.load, sessions=Sessions(token), **options)
    return TestClient(build_application(site, loopback=loopback), base_url="http://localhost")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def texts_of(page: str) -> str:
    """Return the text of a page, its markup left out."""
    parser = _Text()
    parser.feed(page)
    return "".join(parser.found)

"""What all pages share: the registry, the plugins, the secrets, and how a template becomes an answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from labelkit.report import formatting
from labelkit.report.page import jinja_environment
from labelkit.ui.background import Background
from labelkit.ui.labellers import Labellers
from labelkit.ui.sessions import Sessions

if TYPE_CHECKING:
    from jinja2 import Environment as Templates

    from labelkit.config.environment import Environment
    from labelkit.label_studio.references import ProjectReference
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home
    from labelkit.registry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A request as pages see it.

    :param path: the parameters of the path.
    :param query: name → values, of the query string.
    :param form: name → values, of a form that was sent.
    :param address: path and query, to come back to.
    :param fragment: htmx asks for a part of the page.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    address: str = "/"
    fragment: bool = False

    def word(self, name: str, default: str = "") -> str:
        """Return the value of a field of the form or the query string, without white space around it."""
        for found in (self.form, self.query):
            if values := found.get(name):
                return values[-1].strip()
        return default

    @property
    def page(self) -> int:
        """The number of the page of a list, from 1; 1 where it is no such number."""
        number = self.word("page", "1")
        return int(number) if re.fullmatch(r"[1-9]\d{0,8}", number, re.ASCII) else 1

    def words(self, name: str) -> list[str]:
        """Return the different values of a field that may be there several times."""
        found = (*self.query.get(name, ()), *self.form.get(name, ()))
        return list(dict.fromkeys(one.strip() for one in found if one.strip()))

    def text(self, name: str) -> str:
        """Return a text of the form as it was sent; browsers send line ends as CR LF."""
        return next(iter(self.form.get(name, ())), "").replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """The answer to a request.

    :param location: where to go on, in place of a page.
    :param headers: further headers.
    """

    content: str | bytes = ""
    status: int = 200
    media_type: str = "text/html"
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Site:
    """A registry with its pages.

    :param load_catalog: loads the plugins; called once, by the first page that needs them.
    :param write: pages may change runs.
    :param label_studio: the project that selected sentences may be sent to.
    """

    def __init__(
        self,
        home: Home,
        environment: Environment,
        load_catalog: Callable[[], Catalog],
        *,
        sessions: Sessions | None = None,
        write: bool = False,
        label_studio: ProjectReference | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.home, self.environment, self.write, self.say = home, environment, write, say
        self.label_studio = label_studio
        self.sessions = sessions or Sessions()
        self._load_catalog = load_catalog
        self._catalog: Catalog | None = None
        self._registry: tuple[object, Registry] | None = None
        self._lock = threading.Lock()
        self.background = Background()
        self.labellers = Labellers(self)

    @property
    def catalog(self) -> Catalog:
        """The loaded plugins."""
        with self._lock:
            if self._catalog is None:
                self._catalog = self._load_catalog()
            return self._catalog

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """Give the registry: opening it costs more than most pages, so it stays open while its file is the same."""
        from labelkit.registry.registry import Registry

        place = self._place()
        if place is None:  # there is none yet: it reads as an empty one
            with Registry.open(self.home, create=False) as registry:
                yield registry
            return
        with self._lock:
            if self._registry is None or self._registry[0] != place:
                self._registry = (place, Registry.open(self.home, create=False))
            registry = self._registry[1]
        yield registry

    def _place(self) -> object:
        """Return the identity of the file of the database, which a replaced one lacks; None where there is no file."""
        if self.home.url is not None:
            return self.home.url
        try:
            found = self.home.database.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def page(self, template: str, request: PageRequest, status: int = 200, **values: Any) -> PageAnswer:
        """Return a page."""
        return PageAnswer(self.render(template, request, **values), status)

    def render(self, template: str, request: PageRequest, **values: Any) -> str:
        """Return a template with its values."""
        return templates().get_template(template).render(
            request=request, formatting=formatting, write=self.write, csrf=self.sessions.csrf,
            locked=self.sessions.token is not None, **values,
        )  # fmt: skip

    def close(self) -> None:
        """Close the registry, and end background work."""
        self.background.close()
        with self._lock:
            if self._registry is not None:
                self._registry[1].close()
                self._registry = None


@cache
def templates() -> Templates:
    """Return the environment of the templates: those of reports, and those beside this module."""
    from jinja2 import ChoiceLoader, PackageLoader

    loader = ChoiceLoader([PackageLoader("labelkit.ui"), PackageLoader("labelkit.report")])
    found = jinja_environment().overlay(loader=loader)
    found.filters |= {"part": part, "short": formatting.truncate, "query": query, "with_page": with_page}
    return found


def part(text: str) -> str:
    """Return a text as a part of a path in an address."""
    return quote(text, safe="")


def query(values: Mapping[str, Any]) -> str:
    """Return values as the query string of an address; those that are empty are left out."""
    kept = {name: value for name, value in values.items() if value not in (None, "", [], ())}
    return f"?{urlencode(kept, doseq=True)}" if kept else ""


def with_page(values: Mapping[str, Any], name: str, page: int) -> dict[str, Any]:
    """Return the fields of an address with another page; the first one is left out."""
    return {**values, name: page if page > 1 else ""}

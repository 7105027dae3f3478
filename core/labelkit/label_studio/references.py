"""References to projects of a Label Studio server: ``label-studio:URL#PROJECT``, with a snapshot once it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from labelkit.errors import DataError

PREFIX = "label-studio:"
_FORM = re.compile(r"(?P<url>https?://[^#\s]+)#(?P<project>[0-9]+)(?:@(?P<snapshot>[0-9a-f]{16}))?")
_HINT = "write it as label-studio:http://HOST:PORT#PROJECT, with the number of the project"


@dataclass(frozen=True, slots=True)
class ProjectReference:
    """A project of a server.

    :param url: of the server, without a slash at its end.
    :param snapshot: the beginning of the hash of the annotations, as they were when a run read them; else empty.
    """

    url: str
    project: int
    snapshot: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.url}#{self.project}{f'@{self.snapshot}' if self.snapshot else ''}"


def is_project(text: str) -> bool:
    """Return whether a data reference is one to a project of Label Studio."""
    return text.startswith(PREFIX)


def parse_project(text: str) -> ProjectReference:
    """Parse a reference, with ``label-studio:`` before it or without.

    >>> parse_project("label-studio:http://localhost:8080/#2").project
    2

    :raises DataError: it is malformed, or the URL holds a password.
    """
    found = _FORM.fullmatch(text.removeprefix(PREFIX).strip())
    if found is None:
        raise DataError(f"'{text}' names no project of Label Studio", hint=_HINT)
    parts = urlsplit(found["url"])
    if parts.username or parts.password or parts.query:
        raise DataError(
            "the URL of Label Studio holds a password or a query", hint="leave it out; the token has its own place"
        )
    return ProjectReference(found["url"].rstrip("/"), int(found["project"]), found["snapshot"] or "")

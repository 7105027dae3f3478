"""A client of Label Studio's API: one project's config, its export, and importing tasks.

The personal access token is exchanged for a token of five minutes, again when that is over. Neither is ever printed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError

from labelkit.errors import LabelkitError, NetworkError
from labelkit.label_studio.references import ProjectReference

#: time limits in seconds: of a request, and of an export, which the server prepares before it answers
SECONDS, EXPORT_SECONDS = 30.0, 600.0
#: seconds after which the short token is exchanged; it is valid for 300
_VALID = 240.0
#: bytes of an answer that is not an export
_LARGEST = 1 << 26
WHERE_TOKENS_ARE = "a personal access token (Account & Settings): LABELKIT_LABEL_STUDIO_TOKEN, or --token-file FILE"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would take the token to another address."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


class LabelStudioClient:
    """Talks to the server of a project.

    :param token: a personal access token; never part of a message.
    :raises LabelkitError: there is no token.
    """

    def __init__(self, reference: ProjectReference, token: str | None) -> None:
        if not token:
            raise LabelkitError(f"Label Studio at {reference.url} needs a token", hint=WHERE_TOKENS_ARE)
        self._url, self._project, self._token = reference.url, reference.project, token
        self._access: tuple[str, float] | None = None
        self._opener = urllib.request.build_opener(_NoRedirects)

    def label_config(self) -> str:
        """Return the label config of the project.

        :raises LabelkitError: the server does not answer, or there is no such project.
        """
        found = self._json("GET", f"/api/projects/{self._project}/")
        return str(found.get("label_config") or "")

    def export(self, target: BinaryIO, *, all_tasks: bool = False) -> None:
        """Write the tasks of the project with their annotations to a file, as JSON.

        :param all_tasks: also those without annotations.
        :raises LabelkitError: the server does not answer, or there is no such project.
        """
        path = f"/api/projects/{self._project}/export?exportType=JSON" + (
            "&download_all_tasks=true" if all_tasks else ""
        )
        with self._answer("GET", path, None, self._bearer(), EXPORT_SECONDS) as answer:
            shutil.copyfileobj(answer, target)

    def import_tasks(self, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Create tasks with their predictions, and return the number of predictions that the server took.

        :raises LabelkitError: the server does not answer, or refuses them.
        """
        found = self._json("POST", f"/api/projects/{self._project}/import?return_task_ids=true", list(tasks))
        return int(found.get("prediction_count") or 0)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _bearer(self) -> dict[str, str]:
        if self._access is None or time.monotonic() - self._access[1] > _VALID:
            started = time.monotonic()
            found = self._read("POST", "/api/token/refresh/", {"refresh": self._token}, {})
            self._access = str(found.get("access") or ""), started
        return {"Authorization": f"Bearer {self._access[0]}"}

    def _json(self, method: str, path: str, body: Any = None) -> Mapping[str, Any]:
        return self._read(method, path, body, self._bearer())

    def _read(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Mapping[str, Any]:
        with self._answer(method, path, body, headers, SECONDS) as answer:
            content = answer.read(_LARGEST)
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NetworkError(f"{self._url} does not answer as Label Studio does", hint="check the URL")
        return found

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], seconds: float
    ) -> Iterator[BinaryIO]:
        """Give the answer to a request.

        :raises LabelkitError: there is none, or a refusal; one line each.
        """
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        request = urllib.request.Request(self._url + path, data, dict(headers), method=method)  # noqa: S310 - http(s) only
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                yield answer
        except HTTPError as error:
            raise self._refusal(error) from None
        except (URLError, OSError, HTTPException) as error:
            raise self._unanswered(error, seconds) from None

    def _unanswered(self, error: Exception, seconds: float) -> NetworkError:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError | socket.timeout):
            message = f"Label Studio at {self._url} did not answer within {seconds:g} s"
            return NetworkError(message, hint="try again; it may be busy with an export")
        shown = getattr(reason, "strerror", None) or type(reason).__name__
        return NetworkError(
            f"Label Studio at {self._url} does not answer: {shown.lower()}", hint="start it, or check the URL"
        )

    def _refusal(self, error: HTTPError) -> LabelkitError:
        status = error.code
        if status == 401:
            return LabelkitError(f"Label Studio at {self._url} does not accept the token", hint=WHERE_TOKENS_ARE)
        if status in (403, 404):
            message = f"Label Studio at {self._url} has no project {self._project} that this token may use"
            return LabelkitError(message, hint="its number is in the address of its page: /projects/NUMBER")
        if 300 <= status < 400:
            where = error.headers.get("Location", "")[:200]
            return NetworkError(f"{self._url} leads elsewhere ({where})", hint="give that address, e.g. with https")
        return NetworkError(
            f"Label Studio at {self._url} refuses with status {status}{_detail(error)}", hint="see its log"
        )


def _detail(error: HTTPError) -> str:
    """Return what the server says of an error, shortened."""
    try:
        found = json.loads(error.read(1 << 16))
    except (ValueError, OSError):
        return ""
    detail = found.get("validation_errors") or found.get("detail") if isinstance(found, dict) else None
    return f": {' '.join(str(detail).split())[:200]}" if detail else ""

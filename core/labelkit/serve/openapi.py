"""The OpenAPI document of a server, and a page that shows it; the page loads nothing and runs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.metadata import version
from itertools import groupby
from typing import Any

from pydantic.json_schema import models_json_schema

from labelkit.serve.operations import Operation

#: status → why, of the errors that every operation with a body may have
_ERRORS = {
    "400": "invalid JSON",
    "401": "a token is missing or wrong",
    "404": "unknown model",
    "408": "the body did not arrive in time",
    "413": "the body is too large, or has too many texts",
    "415": "the body is not application/json",
    "422": "an invalid field, which the message names",
    "429": "too much is waiting; Retry-After says when to try again",
    "503": "inference did not begin in time, or the server is ending",
    "504": "labelling took too long",
}
_STYLE = """
:root { color-scheme: light dark } body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
font: 1rem/1.5 system-ui, sans-serif } h3 { margin: 1.5rem 0 .3rem } code, pre { font: .875rem ui-monospace, monospace }
pre { overflow: auto; padding: .7rem; border: 1px solid #8886; border-radius: .3rem } p { margin: .3rem 0 }
"""


def openapi_document(operations: Sequence[Operation], *, token: bool) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some operations.

    :param token: operations that are not open need a token.
    """
    types = [(one, "validation") for each in operations for one in (each.body, each.answer) if one is not None]
    references, schemas = models_json_schema(types, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.shown, {})[each.method.lower()] = _operation(each, references, token=token)
    return {
        "openapi": "3.1.0",
        "info": {"title": "labelkit serve", "version": version("labelkit")},
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, references: Any, *, token: bool) -> dict[str, Any]:
    answer = references[operation.answer, "validation"] if operation.answer else {}
    found: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.group],
        "responses": {"200": {"description": "OK", "content": {operation.media: {"schema": answer}}}},
    }
    names = re.findall(r"{(\w+)}", operation.shown)
    text = {"type": "string"}
    parameters = [
        *({"name": name, "in": "path", "required": True, "schema": text} for name in names),
        *(
            {"name": name, "in": "query", "required": False, "description": what, "schema": text}
            for name, what in operation.query.items()
        ),
    ]
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        schema = references[operation.body, "validation"]
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    errors = {**_ERRORS, **operation.refusals} if operation.body else {"404": _ERRORS["404"]} if names else {}
    if token and not operation.open:
        found["security"] = [{"token": []}]
        errors = {"401": _ERRORS["401"], **errors}
    found["responses"] |= {status: {"description": why} for status, why in errors.items()}
    return found


def documentation_page(document: dict[str, Any]) -> str:
    """Return a page of HTML with all operations and schemas of an OpenAPI document."""
    title = escape(document["info"]["title"])
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title} {escape(document['info']['version'])}</h1>"
        f'<p>As a document: <a href="openapi.json">openapi.json</a></p>{"".join(_sections(document))}</body></html>'
    )


def _sections(document: dict[str, Any]) -> Iterator[str]:
    listed = [
        (operation["tags"][0], method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for group, operations in groupby(listed, key=lambda one: one[0]):
        yield f"<h2>{escape(group)}</h2>"
        for _, method, path, operation in operations:
            yield f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation['summary'])}</p>"
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                name = content["schema"]["$ref"].rpartition("/")[2]
                yield f'<p>Body: <a href="#{escape(name)}">{escape(name)}</a></p>'
            reasons = (f"{status} {why}" for status, why in _reasons(operation))
            yield f"<p><small>{escape('; '.join(reasons))}</small></p>"
    yield "<h2>Bodies and answers</h2>"
    for name, schema in document["components"]["schemas"].items():
        text = json.dumps(schema, indent=2, ensure_ascii=False, allow_nan=False)
        yield f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3><pre>{escape(text)}</pre>'


def _reasons(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((status, answer["description"]) for status, answer in operation["responses"].items())

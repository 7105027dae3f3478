"""Read the bodies of requests: bounded while they arrive, then validated; errors are one line that names the field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from labelkit.errors import nearest
from labelkit.serve.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request

    from labelkit.serve.limits import ServeLimits

#: the shortest message that says what is wrong, by pydantic's type of error
_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
}
#: what pydantic adds to the place of a value that may be of several types
_TYPES = frozenset(("str", "list[str]", "list[list[str]]", "PairInput", "list[union[str,PairInput]]"))


class Body(BaseModel):
    """The body of a request: no value is converted, and unknown fields are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class OpenBody(BaseModel):
    """The body of a request of a protocol whose clients send fields that need not be known."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


B = TypeVar("B", bound=BaseModel)


async def read_body(request: Request, limits: ServeLimits) -> bytes:
    """Return the body of a request in JSON.

    :raises RequestError: it is of another type, too large, which is found before it is read, or does not arrive.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        # a page of another site can make a browser send other types without asking this server first
        raise RequestError(415, "the header Content-Type must be application/json")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body:
        raise _too_large(limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        raise RequestError(408, f"the body did not arrive within {limits.seconds:g} s") from None
    return b"".join(parts)


def parse_body(content: bytes, model: type[B]) -> B:
    """Return a body that was validated.

    :raises RequestError: it is not JSON, or not as ``model`` says; the message names the first field that is wrong.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        errors: list[Any] = error.errors(include_url=False, include_input=False, include_context=True)
    if errors[0]["type"] == "json_invalid":
        raise RequestError(400, _json_error(content, errors[0]["msg"]))
    raise RequestError(422, _first_error(errors, model))


def _first_error(errors: list[Any], model: type[BaseModel]) -> str:
    """Return the line of the first field that is wrong; where it may be of several types, that of the closest one."""
    places = [tuple(part for part in one["loc"] if part not in _TYPES) for one in errors]
    same_field = [place for place in places if place[:1] == places[0][:1]]
    place = max(same_field, key=len)
    where = _path(place)
    if errors[0]["type"] == "extra_forbidden":
        return f"{where}: unknown field; {nearest(str(place[-1]), _known_fields(model, place[:-1]))}"
    found = [_message(error) for error, its_place in zip(errors, places, strict=True) if its_place == place]
    message = " or ".join(dict.fromkeys(found))
    return f"{where}: {message}" if where else f"the body {message}"


def _message(error: Any) -> str:
    message: str = _MESSAGES.get(error["type"], error["msg"].removeprefix("Input "))
    return message[:1].lower() + message[1:]


def _too_large(limits: ServeLimits) -> RequestError:
    return RequestError(413, f"the body is larger than {limits.body:,} bytes; send fewer texts in a request")


def _path(location: tuple[str | int, ...]) -> str:
    """Return where a value is, as ``texts[3]``; names that a client chose are quoted where they are long or unusual."""
    shown = ""
    for part in location:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif part.isascii() and part.replace("_", "").isalnum() and len(part) <= 64:
            shown += f".{part}" if shown else part
        else:
            shown += f"[{json.dumps(part[:64], allow_nan=False)}]"
    return shown


def _known_fields(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the fields that an object of the body may have."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next((one for one in _models_in(field.annotation)), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def _json_error(content: bytes, message: str) -> str:
    """Return what is wrong with invalid JSON; where it is a lone surrogate, which Python would read, its field."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return f"the body is invalid JSON: {message.removeprefix('Invalid JSON: ')}"
    where = next(_lone_surrogates(value, ()), None)
    if where is None:
        return f"the body is invalid JSON: {message.removeprefix('Invalid JSON: ')}"
    return f"{_path(where) or 'the body'}: must be Unicode text, and has half of a surrogate pair"


def _lone_surrogates(value: Any, location: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield location
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _lone_surrogates(item, (*location, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _lone_surrogates(name, (*location, name))
            yield from _lone_surrogates(item, (*location, name))

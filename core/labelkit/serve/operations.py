"""The operations of a server: one table that routes requests, shapes errors, and is documented as OpenAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from labelkit.errors import LabelkitError
from labelkit.label.text_inputs import check_pair
from labelkit.records import Example, Labelled, TextPair
from labelkit.serve.bodies import B, parse_body, read_body
from labelkit.serve.errors import RequestError
from labelkit.serve.limits import ServeLimits

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.serve.models import ServedModel, ServedModels, ServedTask

Handle = Callable[["Request"], Awaitable[Response]]
ErrorShape = Callable[[RequestError], object]
#: in the scope of a request: the path of its operation, for metrics
ROUTE = "labelkit.route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a server does for one method and path.

    :param path: with parameters in braces, as OpenAPI and Starlette write them.
    :param body: what its body must be; None: it has none.
    :param answer: what it returns; None: a JSON value without a schema.
    :param group: the protocol, for the documentation.
    :param open: it needs no token.
    :param media: the type of what it returns.
    :param refusals: statuses that this operation has beside those of all, and why.
    :param route: its path as metrics and documentation show it, where the path itself is a secret.
    :param query: name → description of the parameters of its query, all of them optional.
    """

    method: str
    path: str
    group: str
    summary: str
    handle: Handle
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    shape: ErrorShape = lambda error: {"error": error.message}
    open: bool = False
    media: str = "application/json"
    refusals: Mapping[str, str] = field(default_factory=dict)
    route: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The path that metrics and documentation show."""
        return self.route or self.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        from starlette.requests import Request

        scope[ROUTE] = self.shown
        try:
            response = await self.handle(Request(scope, receive))
        except RequestError as error:
            response = json_response(self.shape(error), error.status, error.headers)
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Labelling:
    """What the operations of all protocols share: the models and the limits."""

    models: ServedModels
    limits: ServeLimits

    def model(self, request: Request) -> ServedModel | ServedTask:
        """Return the model that the path of a request names, as a labeller of the task in its query if there is one.

        :raises RequestError: there is no such model, or it does not serve this task.
        """
        model = self.models.find(path_parameter(request, "model"))
        task = request.query_params.get("task")
        return model if task is None else model.of_task(task)

    async def body(self, request: Request, model: type[B]) -> B:
        """Return the validated body of a request.

        :raises RequestError: it is too large, or invalid.
        """
        return parse_body(await read_body(request, self.limits), model)

    async def label(
        self, model: ServedModel | ServedTask, examples: list[Example]
    ) -> tuple[list[Labelled], CheckpointInfo]:
        """Return the records of some examples, and the checkpoint that labelled them.

        :raises RequestError: they are too many, too much waits already, time is over, or one cannot be labelled, as a
            single text by a labeller of pairs.
        """
        if len(examples) > self.limits.texts:
            raise RequestError(413, f"{len(examples):,} texts are more than {self.limits.texts:,}; send fewer at once")
        try:
            for example in examples:
                check_pair(example, model.info)
        except LabelkitError as error:
            raise RequestError(422, f"the body: {error.message}") from None
        return await model.label(examples, self.limits.seconds)


#: the parameter that chooses a layer of a model of several tasks
TASK_QUERY = {"task": "of a model of several tasks, answer with the labels of this one; default the first"}


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response in JSON."""
    return Response(to_json(content), status, headers, "application/json")


def text_examples(texts: Sequence[str | TextPair]) -> list[Example]:
    """Return an example of each text or pair, numbered as ``labelkit label --text`` numbers them."""
    return [
        Example(id=str(number), text=text)
        if isinstance(text, str)
        else Example(id=str(number), text=text.text, pair=text.pair)
        for number, text in enumerate(texts, 1)
    ]


def path_parameter(request: Request, name: str) -> str:
    """Return a parameter of the path of a request."""
    found: Any = request.path_params[name]
    return str(found)

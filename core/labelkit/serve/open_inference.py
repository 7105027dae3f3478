"""The Open Inference Protocol, version 2: one input of texts, one output of JSON in the Hugging Face shape."""

from __future__ import annotations

from importlib.metadata import version
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from pydantic_core import to_json

from labelkit.serve.bodies import OpenBody
from labelkit.serve.errors import RequestError
from labelkit.serve.huggingface import Parameters, shaped
from labelkit.serve.operations import TASK_QUERY, Labelling, Operation, json_response, text_examples

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from labelkit.serve.models import ServedModel, ServedTask

_GROUP = "Open Inference Protocol"


class Tensor(OpenBody):
    """An input: texts."""

    name: str
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: str
    data: list[str]


class InferBody(OpenBody):
    """A request for inference."""

    id: str | None = None
    inputs: list[Tensor]


def open_inference_operations(labelling: Labelling) -> list[Operation]:
    """Return the operations below ``/v2``."""

    async def server(request: Request) -> Response:
        return json_response({"name": "labelkit", "version": version("labelkit"), "extensions": []})

    async def describe(request: Request) -> Response:
        return json_response(_metadata(_model(request, labelling)))

    async def ready(request: Request) -> Response:
        model = _model(request, labelling)
        return json_response({"name": model.name, "ready": True})

    async def infer(request: Request) -> Response:
        model = _model(request, labelling)
        body = await labelling.body(request, InferBody)
        texts = _texts(body)
        records, info = await labelling.label(model, text_examples(texts))
        data = [to_json(shaped(record, Parameters())).decode() for record in records]
        output = {
            "name": "output",
            "shape": [len(data), 1],
            "datatype": "BYTES",
            "parameters": {"content_type": "hg_jsonlist"},
            "data": data,
        }
        answer = {"model_name": model.name, "model_version": info.run, "outputs": [output]}
        return json_response(answer if body.id is None else {**answer, "id": body.id})

    found = [Operation(method="GET", path="/v2", group=_GROUP, summary="Describe the server.", handle=server)]
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        found += [
            Operation(method="GET", path=path, group=_GROUP, summary="Describe the model.", handle=describe),
            Operation(method="GET", path=f"{path}/ready", group=_GROUP, summary="Is the model ready?", handle=ready),
            Operation(
                method="POST",
                path=f"{path}/infer",
                group=_GROUP,
                summary="Label texts.",
                handle=infer,
                body=InferBody,
                query=TASK_QUERY,
            ),
        ]
    return found


def _model(request: Request, labelling: Labelling) -> ServedModel | ServedTask:
    """Return the model of the path of a request.

    :raises RequestError: there is none, or not in this version.
    """
    model = labelling.model(request)
    wanted = request.path_params.get("version", model.run)
    if wanted != model.run:
        raise RequestError(404, f"version: unknown version; {model.name} is served in version {model.run}")
    return model


def _metadata(model: ServedModel | ServedTask) -> dict[str, Any]:
    tensor = {"datatype": "BYTES", "shape": [-1]}
    return {
        "name": model.name,
        "versions": [model.run],
        "platform": f"labelkit_{model.labeller.engine.name}",
        "inputs": [{"name": "text", **tensor}],
        "outputs": [{"name": "output", "datatype": "BYTES", "shape": [-1, 1]}],
    }


def _texts(body: InferBody) -> list[str]:
    """Return the texts of a body.

    :raises RequestError: it has not one input of texts in a shape of its size.
    """
    if len(body.inputs) != 1:
        raise RequestError(400, f"inputs: must hold one input, not {len(body.inputs)}")
    (tensor,) = body.inputs
    if tensor.datatype != "BYTES":
        raise RequestError(400, "inputs[0].datatype: must be BYTES")
    if prod(tensor.shape) != len(tensor.data):
        raise RequestError(400, f"inputs[0].shape: {tensor.shape} does not hold {len(tensor.data):,} texts")
    return tensor.data

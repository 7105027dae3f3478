"""The API of Text Embeddings Inference for classifiers of text."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from labelkit.records import TextPair
from labelkit.serve.bodies import OpenBody
from labelkit.serve.errors import RequestError
from labelkit.serve.native import ranked
from labelkit.serve.operations import TASK_QUERY, Labelling, Operation, json_response, text_examples

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from labelkit.serve.models import ServedModel, ServedTask


class PredictBody(OpenBody):
    """A text, a list of the two texts of a pair, or a batch of lists of one text or two texts each."""

    inputs: str | list[str] | list[list[str]]
    truncate: bool = False
    raw_scores: bool = False


def tei_operations(labelling: Labelling) -> list[Operation]:
    """Return the operations below ``/tei``."""

    async def predict(request: Request) -> Response:
        model = labelling.model(request)
        if model.info.kind != "text":
            message = f"{model.name} labels words: TEI classifies texts only; see /hf/{model.name}"
            raise RequestError(424, message, kind="Backend")
        body = await labelling.body(request, PredictBody)
        records, _ = await labelling.label(model, text_examples(_texts(body)))
        found = [ranked(record) for record in records]
        single = isinstance(body.inputs, str) or isinstance(body.inputs[0], str)
        return json_response(found[0] if single else found)

    async def info(request: Request) -> Response:
        return json_response(_info(labelling.model(request), labelling))

    def shape(error: RequestError) -> object:
        return {"error": error.message, "error_type": error.kind}

    group = "Text Embeddings Inference"
    return [
        Operation(
            method="POST", path="/tei/{model}/predict", group=group, summary="Classify texts.", handle=predict,
            query=TASK_QUERY, body=PredictBody, shape=shape, refusals={"424": "the model labels words"},
        ),
        Operation(
            method="GET", path="/tei/{model}/info", group=group, summary="Describe the model.", handle=info,
            query=TASK_QUERY, shape=shape,
        ),
    ]  # fmt: skip


def _texts(body: PredictBody) -> list[str | TextPair]:
    """Return the texts, or the pairs of texts, of a body.

    :raises RequestError: it holds none, or neither texts nor pairs, or asks for raw scores.
    """
    if body.raw_scores:
        raise RequestError(422, "raw_scores: is not supported: scores are calibrated confidences")
    if isinstance(body.inputs, str):
        return [body.inputs]
    if not body.inputs:
        raise RequestError(400, "inputs: must not be empty", kind="Empty")
    texts: list[str | TextPair] = []
    # as in TEI, a list of texts is one pair
    batch = [(f"inputs[{index}]", one) for index, one in enumerate(body.inputs) if isinstance(one, list)]
    for where, one in batch or [("inputs", [str(text) for text in body.inputs])]:
        if len(one) not in (1, 2):
            raise RequestError(422, f"{where}: must hold one text, or the two of a pair, not {len(one)}")
        texts.append(one[0] if len(one) == 1 else TextPair(one[0], one[1]))
    return texts


def _info(model: ServedModel | ServedTask, labelling: Labelling) -> dict[str, Any]:
    info, labels = model.info, model.info.schema.label_names
    ids = {"id2label": {str(index): label for index, label in enumerate(labels)}}
    return {
        "model_id": info.run,
        "model_sha": None,
        "model_dtype": {"fp32": "float32", "bf16": "bfloat16"}.get(model.labeller.engine.precision, "int8"),
        "model_type": {"classifier": {**ids, "label2id": {label: index for index, label in enumerate(labels)}}},
        "max_input_length": info.max_length,
        "max_batch_tokens": model.labeller.engine.budget,
        "auto_truncate": False,
        "payload_limit": labelling.limits.body,
        "version": version("labelkit"),
    }

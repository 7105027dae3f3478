"""The shape of the Hugging Face inference API: what ``huggingface_hub.InferenceClient(model=URL)`` sends and reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from labelkit.records import Labelled, TextPair
from labelkit.serve.bodies import Body, OpenBody
from labelkit.serve.errors import RequestError
from labelkit.serve.native import ranked
from labelkit.serve.operations import TASK_QUERY, Labelling, Operation, json_response, text_examples

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

OUTSIDE = "O"


class Parameters(Body):
    """The parameters of both pipelines; each is for labellers of one kind."""

    aggregation_strategy: Annotated[
        Literal["none", "simple", "first", "average", "max"] | None,
        Field(description="none: a result for each word; all others: for each span, as words are never split"),
    ] = None
    ignore_labels: Annotated[list[str] | None, Field(description="labels to leave out; O always is")] = None
    stride: Annotated[int | None, Field(description="without effect: long texts are always read in windows")] = None
    top_k: Annotated[int | None, Field(ge=1, description="how many labels of a text to return")] = None
    function_to_apply: Annotated[Literal["softmax"] | None, Field(description="scores are always calibrated")] = None


class PairInput(OpenBody):
    """A pair of texts, as the pipeline of text classification takes it."""

    text: str
    text_pair: str | None = None


class InferenceBody(OpenBody):
    """A text, a pair of texts, or several."""

    inputs: str | PairInput | list[str | PairInput]
    parameters: Parameters | None = None


def huggingface_operations(labelling: Labelling) -> list[Operation]:
    """Return the operation below ``/hf``."""

    async def infer(request: Request) -> Response:
        model = labelling.model(request)
        body = await labelling.body(request, InferenceBody)
        parameters = body.parameters or Parameters()
        _check(parameters, model.info.kind)
        given = body.inputs if isinstance(body.inputs, list) else [body.inputs]
        records, _ = await labelling.label(model, text_examples([_text(one) for one in given]))
        found = [shaped(record, parameters) for record in records]
        # the client of text classification takes the first of a list of lists, that of token classification does not
        single = not isinstance(body.inputs, list) and model.info.kind == "token"
        return json_response(found[0] if single else found)

    return [
        Operation(
            method="POST", path="/hf/{model}", group="Hugging Face", body=InferenceBody, handle=infer,
            query=TASK_QUERY, summary="Token or text classification, as InferenceClient(model=URL) asks for it.",
        )
    ]  # fmt: skip


def _text(given: str | PairInput) -> str | TextPair:
    if isinstance(given, str):
        return given
    return given.text if given.text_pair is None else TextPair(given.text, given.text_pair)


def shaped(record: Labelled, parameters: Parameters) -> list[dict[str, Any]]:
    """Return what the pipeline of the kind of a record returns for its text."""
    if record.words is None:
        return ranked(record)[: parameters.top_k]
    ignored = {OUTSIDE, *(parameters.ignore_labels or ())}
    words = parameters.aggregation_strategy == "none"
    return [one for one in (_words(record) if words else _groups(record)) if not ignored & set(one.values())]


def _groups(record: Labelled) -> list[dict[str, Any]]:
    return [
        {"entity_group": one.label, "score": one.score, "word": one.text, "start": one.start, "end": one.end}
        for one in record.spans or ()
    ]


def _words(record: Labelled) -> list[dict[str, Any]]:
    """Return the words of the spans of a record, each with the score of its span."""
    found: list[dict[str, Any]] = []
    spans = iter(record.spans or ())
    span = next(spans, None)
    rows = zip(record.labels or (), record.offsets or (), strict=True)
    for index, (label, (start, end)) in enumerate(rows, 1):
        while span is not None and span.end <= start:
            span = next(spans, None)
        if span is not None and span.start <= start < span.end:
            word = record.text[start:end]
            found.append(
                {"entity": label, "score": span.score, "index": index, "word": word, "start": start, "end": end}
            )
    return found


def _check(parameters: Parameters, kind: str) -> None:
    """Raise if a parameter is for the other kind of labeller, or asks for what there is not.

    :raises RequestError: it is.
    """
    others = ("top_k", "function_to_apply") if kind == "token" else ("aggregation_strategy", "ignore_labels", "stride")
    for name in others:
        if getattr(parameters, name) is not None:
            raise RequestError(422, f"parameters.{name}: is unknown to a labeller of kind {kind}")
    if parameters.ignore_labels is not None and OUTSIDE not in parameters.ignore_labels:
        raise RequestError(422, f"parameters.ignore_labels: must hold {OUTSIDE}: words outside of spans have no score")

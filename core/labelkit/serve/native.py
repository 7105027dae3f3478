"""labelkit's own API: records as ``labelkit label`` writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from labelkit.errors import LabelkitError
from labelkit.formats.labelled_json import to_json
from labelkit.label.operating_points import points_to_json
from labelkit.label.records import drop_low_scores
from labelkit.labels.numbers import refuse_numbers
from labelkit.records import Example, Labelled
from labelkit.serve.bodies import Body
from labelkit.serve.errors import RequestError
from labelkit.serve.operations import Labelling, Operation, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.serve.models import ServedModel


class InputRecord(BaseModel):
    """A text, a pair of texts, or words, with fields of the caller that come back with the record."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    id: Annotated[str | None, Field(description="comes back as it is; default: the number of the record")] = None
    text: str | None = None
    pair: Annotated[str | None, Field(description="the second text, for a labeller of pairs of texts")] = None
    words: list[str] | None = None


class LabelBody(Body):
    """What to label: exactly one of ``texts``, ``words`` and ``records``."""

    model: Annotated[str | None, Field(description="the name of a model; not needed where only one is served")] = None
    texts: Annotated[list[str] | None, Field(description="texts to label")] = None
    words: Annotated[list[list[str]] | None, Field(description="texts that are split into words already")] = None
    records: Annotated[list[InputRecord] | None, Field(description="texts or words with own fields")] = None
    min_score: Annotated[
        float | None, Field(ge=0, le=1, description="leave out spans, and labels of texts, with a lower score")
    ] = None


class LabelAnswer(BaseModel):
    """Records in the order of the input."""

    model: Annotated[str, Field(description="the name of the model")]
    run: Annotated[str, Field(description="the id of the run that labelled")]
    records: Annotated[list[dict[str, Any]], Field(description="as labelkit label writes them to JSON Lines")]


class ModelsAnswer(BaseModel):
    """The models of the server."""

    models: list[dict[str, Any]]


def native_operations(labelling: Labelling) -> list[Operation]:
    """Return the operations below ``/v1``."""

    async def label(request: Request) -> Response:
        body = await labelling.body(request, LabelBody)
        model = labelling.models.find(body.model)
        examples = _examples(body, model)
        records, info = await labelling.label(model, examples)
        if body.min_score is not None:
            records = [_above(body.min_score, record, info) for record in records]
        return json_response({"model": model.name, "run": info.run, "records": [to_json(one) for one in records]})

    async def models(request: Request) -> Response:
        return json_response({"models": [_description(model) for model in labelling.models]})

    group = "labelkit"
    return [
        Operation(
            method="POST", path="/v1/label", group=group, summary="Label texts or words.", handle=label,
            body=LabelBody, answer=LabelAnswer,
        ),
        Operation(
            method="GET", path="/v1/models", group=group, summary="List the models.", handle=models,
            answer=ModelsAnswer,
        ),
    ]  # fmt: skip


def _above(min_score: float, record: Labelled, info: CheckpointInfo) -> Labelled:
    """Return a record without what is scored lower, of any task."""
    found = drop_low_scores(record, min_score, info.schema.scheme)
    schemes = {task: one.schema.scheme for task, one in info.of_tasks.items()}
    layers = {task: drop_low_scores(layer, min_score, schemes[task]) for task, layer in record.layers.items()}
    return replace(found, layers=layers)


def _examples(body: LabelBody, model: ServedModel) -> list[Example]:
    """Return the examples of a body.

    :raises RequestError: it has none, or several fields of them, or an option that the labeller has no use for.
    """
    given = [name for name in ("texts", "words", "records") if getattr(body, name) is not None]
    if len(given) != 1:
        what = " and ".join(given) + " cannot be combined" if given else "one of texts, words and records is missing"
        raise RequestError(422, f"{given[0]}: {what}" if given else f"texts: {what}")
    if body.min_score is not None:
        try:
            for info in model.info.of_tasks.values():
                refuse_numbers(info.schema, "min_score")
        except LabelkitError as error:
            raise RequestError(422, f"min_score: {error.message}") from None
    if body.texts is not None:
        return [Example(id=str(number), text=text) for number, text in enumerate(body.texts, 1)]
    if body.words is not None:
        return [Example(id=str(number), words=tuple(words)) for number, words in enumerate(body.words, 1)]
    takes_pairs = model.info.takes_pairs
    return [_example(number, record, takes_pairs=takes_pairs) for number, record in enumerate(body.records or (), 1)]


def _example(number: int, record: InputRecord, *, takes_pairs: bool) -> Example:
    if record.text is None and record.words is None:
        raise RequestError(422, f"records[{number - 1}].text: is missing, and so is words")
    words = None if record.words is None else tuple(record.words)
    extra = dict(record.model_extra or {})
    if record.pair is not None and not takes_pairs:  # a field of the caller, to this labeller
        extra["pair"] = record.pair
    pair = record.pair if takes_pairs else None
    example = Example(id=str(number), text=record.text, pair=pair, words=words, extra=extra)
    return example if record.id is None else replace(example, id=record.id)


def _description(model: ServedModel) -> dict[str, Any]:
    info, engine = model.info, model.labeller.engine
    return {
        "name": model.name,
        "run": info.run,
        "task": info.task,
        "tasks": list(info.of_tasks),
        "kind": info.kind,
        "pairs": info.pairs,
        "labels": list(info.schema.label_names),
        "engine": engine.name,
        "device": engine.device,
        "operating_point": points_to_json(model.labeller.operating_points),
        "max_length": info.max_length,
        "on_disk": not model.missing,
        "synthetic": info.synthetic,
    }


def ranked(record: Labelled) -> list[dict[str, Any]]:
    """Return the labels of a text, the likeliest first; of a number, the number itself as the score."""
    if record.number is not None:
        return [{"label": "number", "score": record.number}]
    scores = sorted((record.scores or {}).items(), key=lambda pair: -pair[1])
    return [{"label": label, "score": score} for label, score in scores]

"""Predictions for tasks of a project: one for each task, always, since Label Studio drops a batch with fewer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labelkit.label_studio.label_config import Control
from labelkit.records import Example, Labelled

if TYPE_CHECKING:
    from labelkit.serve.models import ServedModel
    from labelkit.serve.operations import Labelling


@dataclass(slots=True)
class Unsent:
    """What was predicted for a project and not sent.

    :param labels: labels that its configuration does not know.
    :param fields: fields that tasks lack.
    """

    labels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def assign_models(controls: Iterable[Control], models: Iterable[ServedModel]) -> list[tuple[Control, ServedModel]]:
    """Return each control with the model of its kind that knows most of its labels; those without one are left out."""
    known = list(models)
    found: list[tuple[Control, ServedModel]] = []
    for control in controls:
        fitting = [model for model in known if model.info.kind == control.kind]
        if fitting:
            found.append((control, max(fitting, key=lambda model: len(labels_of(model) & control.names.keys()))))
    return found


def labels_of(model: ServedModel) -> set[str]:
    """Return the labels of a model, without the prefixes of a tagging scheme."""
    schema = model.info.schema
    return set(schema.types if schema.scheme else schema.label_names)


async def predict_tasks(
    pairs: Sequence[tuple[Control, ServedModel]], data: Sequence[Mapping[str, object]], labelling: Labelling
) -> tuple[list[dict[str, Any]], Unsent]:
    """Return a prediction for the data of each task, in order, and what could not be sent.

    :raises RequestError: too much waits already, or time is over.
    """
    unsent = Unsent()
    results: list[list[dict[str, Any]]] = [[] for _ in data]
    versions: list[str] = []
    for control, model in pairs:
        texts = {number: text for number, one in enumerate(data) if (text := control.text(one)) is not None}
        unsent.fields |= {control.data_key} if len(texts) < len(data) else set()
        examples = [Example(id=str(number), text=text) for number, text in texts.items()]
        records, info = await labelling.label(model, examples)
        versions.append(info.run)
        for number, record in zip(texts, records, strict=True):
            for value, score, labels in _values(record):
                known = [control.names[label] for label in labels if label in control.names]
                unsent.labels |= set(labels) - control.names.keys()
                if known:
                    value[control.type] = known
                    results[number].append(_result(len(results[number]) + 1, control, value, score))
    version = "+".join(dict.fromkeys(versions))
    return [_prediction(version, found) for found in results], unsent


def _values(record: Labelled) -> Iterable[tuple[dict[str, Any], float | None, Sequence[str]]]:
    """Yield value, score and labels of each result of a record: of each span, or of the whole text."""
    if record.words is not None:
        for span in record.spans or ():
            yield {"start": span.start, "end": span.end, "text": span.text}, span.score, (span.label,)
        return
    labels = record.labels if record.labels is not None else (() if record.label is None else (record.label,))
    scores = [record.scores[label] for label in labels if record.scores and label in record.scores]
    yield {}, min(scores, default=None), labels


def _result(number: int, control: Control, value: dict[str, Any], score: float | None) -> dict[str, Any]:
    scored = {} if score is None else {"score": score}
    names = {"from_name": control.name, "to_name": control.to_name, "type": control.type}
    return {"id": f"r{number}", **names, **scored, "value": value}


def _prediction(version: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the prediction of a task; its score is the lowest of its results, by which Label Studio orders tasks."""
    scores = [result["score"] for result in results if "score" in result]
    scored = {"score": min(scores)} if scores else {}
    return {"model_version": version, **scored, "result": results}

"""Send tasks with predictions to a project of Label Studio, as its label config calls their labels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.json_values import stored_values
from labelkit.formats.tools.label_studio import parse_tasks
from labelkit.label_studio.client import LabelStudioClient
from labelkit.label_studio.label_config import RESULT_TYPES, Control, parse_label_config
from labelkit.label_studio.references import ProjectReference
from labelkit.records import LoadContext

#: tasks that are sent at once; the server answers within its time limit
_BATCH = 200
#: the field of the text in what labelkit writes
_TEXT = "text"


@dataclass(slots=True)
class PushResult:
    """What was sent to a project.

    :param known: texts that the project has already.
    :param unknown: labels that its label config does not know → how often they were left out.
    """

    created: int = 0
    predicted: int = 0
    known: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {
            "created": self.created, "predicted": self.predicted, "already_there": self.known,
            "unknown_labels": dict(self.unknown),
        }  # fmt: skip


def push_tasks(path: Path, reference: ProjectReference, ctx: LoadContext) -> PushResult:
    """Create a task for each record of a file in Label Studio's JSON, with its prediction.

    :raises DataError: the file is no such file, or the project takes other labels.
    :raises LabelkitError: the server does not answer, or refuses; what was created before stays.
    """
    client = LabelStudioClient(reference, ctx.label_studio_token)
    try:
        controls = parse_label_config(client.label_config())
    except DataError as error:
        raise DataError(f"{reference}: {error.message}", hint=error.hint) from None
    result = PushResult()
    tasks = _new_tasks(path, controls, ctx, _texts_in(client, controls[0], ctx), result)
    while batch := list(islice(tasks, _BATCH)):
        result.predicted += client.import_tasks(batch)
        result.created += len(batch)
    return result


def _texts_in(client: LabelStudioClient, control: Control, ctx: LoadContext) -> set[str]:
    """Return the texts of the tasks that a project has."""
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export.json"
        with export.open("wb") as target:
            client.export(target, all_tasks=True)
        tasks = (task for _, task in stored_values(export, replace(ctx, encoding="utf-8"), "array"))
        texts = (control.text(task.get("data") or {}) for task in tasks if isinstance(task, Mapping))
        return {text for text in texts if text is not None}


def _new_tasks(
    path: Path, controls: list[Control], ctx: LoadContext, known: set[str], result: PushResult
) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a file whose texts are new, as the project names fields, tags and labels.

    :raises DataError: a task has no text.
    """
    for number, task in parse_tasks(path, ctx):
        data = task.get("data") if isinstance(task, Mapping) else None
        text = data.get(_TEXT) if isinstance(data, Mapping) else None
        if not isinstance(text, str) or not isinstance(data, Mapping):
            hint = "write it with --to label-studio"
            raise DataError(f"{path}: task {number} has no text in 'data.{_TEXT}'", hint=hint)
        if text in known:
            result.known += 1
            continue
        known.add(text)
        others = {name: value for name, value in data.items() if name != _TEXT}
        fields = dict.fromkeys((one.data_key for one in controls), text)
        predictions = [one for one in task.get("predictions") or () if isinstance(one, Mapping)]
        yield {
            "data": {**others, **fields},
            "predictions": [_prediction(one, controls, path, number, result.unknown) for one in predictions],
        }


def _prediction(
    prediction: Mapping[str, Any], controls: list[Control], path: Path, number: int, unknown: Counter[str]
) -> dict[str, Any]:
    """Return a prediction whose results name tags and labels of the project; a result without any is left out.

    :raises DataError: the project has no tag for results of a type.
    """
    results = []
    for one in prediction.get("result") or ():
        type_, value = one.get("type"), one.get("value") or {}
        control = next((each for each in controls if each.type == type_), None)
        if type_ not in RESULT_TYPES or control is None:
            have = " and ".join(f"<{each.tag}>" for each in controls)
            message = f"{path}: task {number} has results of type '{type_}', and the project has {have}"
            raise DataError(message, hint="push it to a project of its kind")
        labels = [label for label in value.get(type_) or () if label in control.names]
        unknown.update(label for label in value.get(type_) or () if label not in control.names)
        if labels:
            names = {"from_name": control.name, "to_name": control.to_name}
            results.append({**one, **names, "value": {**value, type_: [control.names[each] for each in labels]}})
    return {**prediction, "result": results}

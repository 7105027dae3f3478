"""The annotations of a project as its webhooks report them, kept in the home, and as training data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.files.atomic import storage_errors
from labelkit.files.json_text import to_json
from labelkit.label_studio.label_config import Control
from labelkit.label_studio.tasks import counting_annotation, is_held_out, slim_annotation, slim_prediction


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Annotated texts of a project, divided.

    :param annotations: id and time of each annotation that is used.
    """

    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    annotations: list[tuple[int, str]]


class AnnotationStore:
    """The events of a project, in a file that is only appended to."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "annotations.jsonl"

    def add(self, annotated: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Keep annotations that were created or updated, each with its task.

        :raises StorageError: the disk is full, or permission is denied.
        """
        self._append(
            {"task": {"id": task.get("id"), "data": task.get("data")}, "annotation": slim_annotation(annotation)}
            for task, annotation in annotated
        )

    def add_predictions(self, predicted: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Keep what was predicted for tasks: an event says only that its annotation began with a prediction.

        :raises StorageError: the disk is full, or permission is denied.
        """
        self._append({"predicted": task, "prediction": slim_prediction(prediction)} for task, prediction in predicted)

    def delete(self, ids: Iterable[int]) -> None:
        """Forget annotations that were deleted.

        :raises StorageError: the disk is full, or permission is denied.
        """
        self._append([{"deleted": list(ids)}])

    def current(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return task and annotation of all annotations that there are, in the order of their creation."""
        found: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {}
        predictions: dict[Any, dict[str, Any]] = {}
        for event in self._events():
            if "deleted" in event:
                for one in event["deleted"]:
                    found.pop(one, None)
            elif "predicted" in event:
                predictions[event["predicted"]] = event["prediction"]
            else:
                task, annotation = event["task"], event["annotation"]
                before = found.get(annotation.get("id"), (task, {}))[1].get("prediction")
                if annotation.get("parent_prediction") is not None:  # as it was when the annotation was created
                    annotation["prediction"] = before or predictions.get(task.get("id"))
                found[annotation.get("id")] = task, annotation
        return list(found.values())

    def _events(self) -> Iterator[dict[str, Any]]:
        if not self._path.is_file():
            return
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # the last line may be one that a full disk cut
                    yield json.loads(line)

    def _append(self, events: Iterable[Mapping[str, Any]]) -> None:
        lines = "".join(json.dumps(event, allow_nan=False) + "\n" for event in events)
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)


def training_data(
    annotated: Iterable[tuple[dict[str, Any], dict[str, Any]]],
    control: Control,
    labels: Mapping[str, object],
    *,
    several: bool = False,
) -> TrainingData:
    """Return the annotations of one control as tasks of an export of Label Studio.

    Of several annotations of a task the ground truth counts, else the latest.

    :param labels: those of the labeller, by which labels of the project are called where ``predicted_values`` say so.
    :param several: texts have any number of labels, so that one without any counts.
    """
    of_tasks: dict[Any, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for task, annotation in annotated:
        of_tasks.setdefault(task["id"], (task, []))[1].append(annotation)
    data = TrainingData([], [], [])
    for task, annotated_by in of_tasks.values():
        text, counting = control.text(task.get("data") or {}), counting_annotation(annotated_by)
        if text is None or counting is None:
            continue
        kept = _of_control(counting, control, labels)
        if control.kind == "text" and not several and not any(one["value"]["choices"] for one in kept["result"]):
            continue  # a text without the class that it needs
        split = data.validation if is_held_out(text) else data.train
        split.append({"id": task["id"], "data": {"text": text}, "annotations": [kept]})
        data.annotations.append((counting.get("id", 0), str(counting.get("updated_at", ""))))
    return data


def write_tasks(path: Path, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Write tasks as a JSON array.

    :raises StorageError: the disk is full, or permission is denied.
    """
    with storage_errors(path):
        path.write_text(json.dumps(list(tasks), allow_nan=False), encoding="utf-8")


def write_provenance(path: Path, content: Mapping[str, Any]) -> None:
    """Write which annotations a run was trained on.

    :raises StorageError: the disk is full, or permission is denied.
    """
    with storage_errors(path):
        path.write_text(to_json(content) + "\n", encoding="utf-8")


def _of_control(annotation: Mapping[str, Any], control: Control, labels: Mapping[str, object]) -> dict[str, Any]:
    """Return an annotation, and the prediction that it began with, with the results of one control only.

    :param labels: those of the labeller, by which labels of the project are called.
    """

    def own(results: Any) -> list[dict[str, Any]]:
        found = [one for one in results or () if isinstance(one, dict) and one.get("from_name") == control.name]
        values = [one["value"] for one in found if isinstance(one.get("value"), dict)]
        with_labels = [value for value in values if isinstance(value.get(control.type), list)]
        return [{**names, "value": {**value, control.type: called(value[control.type])}} for value in with_labels]

    def called(given: list[str]) -> list[str]:
        return [control.label_of(each, labels) for each in given]

    names = {"from_name": control.name, "to_name": "text", "type": control.type}
    kept = {**annotation, "result": own(annotation.get("result"))}
    if prediction := annotation.get("prediction"):
        kept["prediction"] = {**prediction, "result": own(prediction.get("result"))}
    return kept

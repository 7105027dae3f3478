"""The annotations of a project as its webhooks report them, kept in the home, and as training data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.files.atomic import storage_errors
from labelkit.files.json_text import to_json
from labelkit.serve.label_studio.label_config import Control

#: of five annotated texts about one is held out as validation, by its hash: always the same ones
_HELD_OUT = 5
#: what is kept of an annotation and of a task; payloads hold tokens and addresses of people, too
_ANNOTATION = ("id", "result", "was_cancelled", "ground_truth", "updated_at")


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

    def add(self, task: Mapping[str, Any], annotation: Mapping[str, Any]) -> None:
        """Keep an annotation that was created or updated.

        :raises StorageError: the disk is full, or permission is denied.
        """
        kept = {name: annotation[name] for name in _ANNOTATION if name in annotation}
        self._append({"task": {"id": task.get("id"), "data": task.get("data")}, "annotation": kept})

    def delete(self, ids: Iterable[int]) -> None:
        """Forget annotations that were deleted.

        :raises StorageError: the disk is full, or permission is denied.
        """
        self._append({"deleted": list(ids)})

    def current(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return task and annotation of all annotations that there are, in the order of their creation."""
        found: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {}
        for event in self._events():
            if "deleted" in event:
                for one in event["deleted"]:
                    found.pop(one, None)
            else:
                found[event["annotation"].get("id")] = event["task"], event["annotation"]
        return list(found.values())

    def _events(self) -> Iterator[dict[str, Any]]:
        if not self._path.is_file():
            return
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # the last line may be one that a full disk cut
                    yield json.loads(line)

    def _append(self, event: Mapping[str, Any]) -> None:
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event, allow_nan=False) + "\n")


def training_data(
    annotated: Iterable[tuple[dict[str, Any], dict[str, Any]]], control: Control, labels: Mapping[str, object]
) -> TrainingData:
    """Return the annotations of one control as records of a JSON Lines file.

    Of several annotations of a task the ground truth counts, else the latest.

    :param labels: those of the labeller, by which labels of the project are called where ``predicted_values`` say so.
    """
    latest: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {}
    for task, annotation in annotated:
        before = latest.get(task["id"])
        if not annotation.get("was_cancelled") and not (before and before[1].get("ground_truth")):
            latest[task["id"]] = task, annotation
    data = TrainingData([], [], [])
    for task, annotation in latest.values():
        text = control.text(task.get("data") or {})
        record = None if text is None else _record(text, annotation.get("result") or [], control, labels)
        if text is not None and record is not None:
            (data.validation if _is_held_out(text) else data.train).append({"id": str(task["id"]), **record})
            data.annotations.append((annotation.get("id", 0), str(annotation.get("updated_at", ""))))
    return data


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as JSON Lines.

    :raises StorageError: the disk is full, or permission is denied.
    """
    with storage_errors(path):
        path.write_text("".join(json.dumps(record, allow_nan=False) + "\n" for record in records), encoding="utf-8")


def write_provenance(path: Path, content: Mapping[str, Any]) -> None:
    """Write which annotations a run was trained on.

    :raises StorageError: the disk is full, or permission is denied.
    """
    with storage_errors(path):
        path.write_text(to_json(content) + "\n", encoding="utf-8")


def _record(text: str, results: Iterable[Any], control: Control, labels: Mapping[str, object]) -> dict[str, Any] | None:
    """Return the record of a text; None for a text without the class that it needs."""
    own = [one for one in results if isinstance(one, dict) and one.get("from_name") == control.name]
    values = [
        (one["value"], control.label_of(name, labels))
        for one in own
        if isinstance(one.get("value"), dict)
        for name in one["value"].get(control.type) or ()
    ]
    if control.kind == "text":
        return {"text": text, "label": values[0][1]} if values else None
    spans = [{"start": value["start"], "end": value["end"], "label": label} for value, label in values]
    return {"text": text, "spans": spans}


def _is_held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % _HELD_OUT == 0

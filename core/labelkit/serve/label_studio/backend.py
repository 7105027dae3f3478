"""The operations that Label Studio asks of a backend.

It sends no credentials with them, so beyond loopback their paths begin with a secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from starlette.responses import Response

from labelkit.errors import DataError, LabelkitError, StorageError
from labelkit.files.atomic import storage_errors
from labelkit.label_studio.label_config import parse_label_config
from labelkit.serve.bodies import OpenBody
from labelkit.serve.errors import RequestError
from labelkit.serve.label_studio.predictions import Unsent, assign_models, labels_of, predict_tasks
from labelkit.serve.label_studio.training import Pairs, TrainingJobs
from labelkit.serve.operations import Labelling, Operation, json_response

if TYPE_CHECKING:
    from starlette.requests import Request

_GROUP = "Label Studio"
_ANNOTATED = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")


class SetupBody(OpenBody):
    """A project that was connected; ``schema`` is its label config."""

    project: str | None = None
    config: str = Field("", alias="schema")


class TaskBody(OpenBody):
    """A task to label."""

    id: int | None = None
    data: dict[str, Any]


class PredictTasksBody(OpenBody):
    """Tasks to label; the config is that of the last setup where none is given."""

    tasks: list[TaskBody]
    project: str | None = None
    label_config: str | None = None


class ProjectBody(OpenBody):
    """The project of an event."""

    id: int
    label_config: str = ""


class AnnotatedTask(OpenBody):
    """The task of an annotation."""

    id: int
    data: dict[str, Any]


class EventBody(OpenBody):
    """An event of a project: fields that labelkit has no use for are not kept."""

    action: str
    project: ProjectBody
    task: AnnotatedTask | list[AnnotatedTask] | None = None
    annotation: dict[str, Any] | list[dict[str, Any]] | None = None
    annotations: list[dict[str, Any]] | None = None

    @property
    def annotated(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Task and annotation of each annotation: of one, or of many that were made of predictions at once."""
        tasks = self.task if isinstance(self.task, list) else [self.task] if self.task else []
        found = self.annotation if isinstance(self.annotation, list) else [self.annotation] if self.annotation else []
        if len(tasks) == len(found) == 1:
            return [(tasks[0].model_dump(), found[0])]
        by_id = {task.id: task.model_dump() for task in tasks}
        return [(by_id[one["task"]], one) for one in found if one.get("task") in by_id]


class LabelStudioBackend:
    """Answers Label Studio with the models of a server.

    :param say: prints a line of the log, once each.
    """

    def __init__(self, labelling: Labelling, jobs: TrainingJobs, say: Callable[[str], None]) -> None:
        self._labelling, self._jobs, self._say = labelling, jobs, say
        self._configs: dict[str, str] = {}
        self._said: set[str] = set()

    def operations(self, prefix: str) -> list[Operation]:
        """Return the operations.

        :param prefix: of all paths: empty, or ``/SECRET``.
        """
        listed: list[tuple[str, str, str, Any, Any]] = [
            ("GET", "/health", "Is the backend up?", self._health, None),
            ("POST", "/setup", "Connect a project.", self._setup, SetupBody),
            ("GET", "/versions", "List the runs that predict.", self._versions, None),
            ("POST", "/predict", "Label tasks.", self._predict, PredictTasksBody),
            ("POST", "/webhook", "Take an event of a project.", self._webhook, EventBody),
        ]
        return [
            Operation(
                method=method, path=prefix + path, group=_GROUP, summary=summary, handle=handle, body=body, open=True,
                route=f"/{{secret}}{path}" if prefix else path,
            )
            for method, path, summary, handle, body in listed
        ]  # fmt: skip

    async def _health(self, request: Request) -> Response:
        return json_response({"status": "UP", "model_class": "labelkit"})

    async def _versions(self, request: Request) -> Response:
        return json_response({"versions": [model.run for model in self._labelling.models]})

    async def _setup(self, request: Request) -> Response:
        body = await self._labelling.body(request, SetupBody)
        pairs = self._pairs(body.config, "schema")
        self._configs[_project_id(body.project)] = body.config
        unsent = Unsent(labels={one for control, model in pairs for one in labels_of(model) - control.names.keys()})
        self._report(_project_id(body.project), Unsent(unsent.labels - {"O"}))
        return json_response({"model_version": "+".join(dict.fromkeys(model.run for _, model in pairs))})

    async def _predict(self, request: Request) -> Response:
        body = await self._labelling.body(request, PredictTasksBody)
        project = _project_id(body.project)
        pairs = self._pairs(body.label_config or self._configs.get(project, ""))
        found, unsent = await predict_tasks(pairs, [task.data for task in body.tasks], self._labelling)
        self._report(project, unsent)
        predicted = [(task.id, one) for task, one in zip(body.tasks, found, strict=True) if task.id is not None]
        if project.isdecimal() and predicted:
            with contextlib.suppress(StorageError):  # people wait for labels; what is corrected is then not counted
                await asyncio.to_thread(self._jobs.store(int(project)).add_predictions, predicted)
        return json_response({"results": found})

    async def _webhook(self, request: Request) -> Response:
        body = await self._labelling.body(request, EventBody)
        store, project = self._jobs.store(body.project.id), body.project.id
        job: str | None = None
        try:
            if body.action in _ANNOTATED and (annotated := body.annotated):
                await asyncio.to_thread(store.add, annotated)
                self._jobs.count(project, self._pairs(body.project.label_config), len(annotated))
            elif body.action == "ANNOTATIONS_DELETED":
                ids = [one["id"] for one in body.annotations or () if isinstance(one.get("id"), int)]
                await asyncio.to_thread(store.delete, ids)
            elif body.action == "START_TRAINING":
                job = self._jobs.start(project, self._pairs(body.project.label_config))
        except LabelkitError as error:
            raise RequestError(507, error.message, kind="Backend") from None
        return json_response({} if job is None else {"job": job})

    def _pairs(self, config: str, field: str = "label_config") -> Pairs:
        """Return the controls of a config, each with the model that predicts its labels.

        :raises RequestError: the config has no labels of texts, or no model is of their kind.
        """
        try:
            controls = parse_label_config(config)
        except DataError as error:
            raise RequestError(400, f"{field}: {error.message}; {error.hint}") from None
        pairs = assign_models(controls, self._labelling.models)
        if not pairs:
            kinds = {"token": "<Labels>", "text": "<Choices>"}
            served = " and ".join(sorted({kinds[model.info.kind] for model in self._labelling.models}))
            raise RequestError(400, f"{field}: the models of this server predict {served} only")
        return pairs

    def _report(self, project: str, unsent: Unsent) -> None:
        """Say what was not sent, once."""
        lines = [
            f"label '{label}' is unknown to its label config and not sent; predicted_values of a label can name it"
            for label in sorted(unsent.labels)
        ]
        lines += [f"tasks without a text in '{field}' get no labels" for field in sorted(unsent.fields)]
        for line in (f"note: project {project or '?'}: {line}" for line in lines):
            if line not in self._said:
                self._said.add(line)
                self._say(line)


def _project_id(project: str | None) -> str:
    """Return the number of a project, which Label Studio sends with a time after it."""
    return (project or "").partition(".")[0]


def secret_path(folder: Path) -> tuple[str, Path]:
    """Return the secret prefix of the backend's paths, and the file that keeps it, which is made the first time.

    :raises StorageError: the file cannot be read or written.
    """
    path, temporary = folder / "secret", folder / f"secret.{secrets.token_hex(8)}"
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
            with contextlib.suppress(FileExistsError):  # of several first servers, one makes it
                os.link(temporary, path)
            temporary.unlink()
        content = path.read_text(encoding="ascii").strip()
    if not re.fullmatch(r"[\w-]{16,}", content):
        raise StorageError(f"{path} holds no secret", hint="delete it: the next start makes another")
    return f"/{content}", path

"""Train on the annotations of a project, in processes of their own, and serve the new run if it is better."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, RegistryError, TrainingError
from labelkit.inference.onnx.engine import KERNELS_VARIABLE
from labelkit.label_studio.label_config import Control
from labelkit.registry.run_lock import hold_lock
from labelkit.serve.label_studio.annotations import AnnotationStore, training_data, write_provenance, write_tasks
from labelkit.serve.label_studio.predictions import labels_of

if TYPE_CHECKING:
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.registry import Home
    from labelkit.serve.models import ServedModel

#: texts that a run is trained on at least, and that it is compared on
LEAST_TRAIN, LEAST_VALIDATION = 4, 2
#: training yields to serving: the priority of its processes
_NICE = 10
#: seconds in which a process that is told to end must have recorded that it was
_END_SECONDS = 20
Pairs = Sequence[tuple[Control, "ServedModel"]]


@dataclass(slots=True)
class _Project:
    """What is known of a project: its job, if one is running, and the annotations since the last one."""

    job: str | None = None
    new: int = 0
    pairs: Pairs = ()


class TrainingJobs:
    """The training jobs of all projects: at most one of each at a time.

    :param folder: of the home, with a folder for each project.
    :param retrain_after: start a job after this many annotations; None: only when asked.
    :param say: prints a line of the log.
    """

    def __init__(self, home: Home, folder: Path, retrain_after: int | None, say: Callable[[str], None]) -> None:
        self._home, self._folder, self._retrain_after, self._say = home, folder, retrain_after, say
        self._lock = threading.Lock()
        self._projects: dict[int, _Project] = {}
        self._process: dict[int, subprocess.Popen[str]] = {}
        self._ended = False

    def store(self, project: int) -> AnnotationStore:
        """Return the annotations of a project."""
        return AnnotationStore(self._folder / f"project-{project}")

    def count(self, project: int, pairs: Pairs, annotations: int = 1) -> None:
        """Count annotations, and start a job once there are enough new ones."""
        with self._lock:
            known = self._projects.setdefault(project, _Project())
            known.new += annotations
            known.pairs = pairs
            due = self._retrain_after is not None and known.new >= self._retrain_after
        if due:
            self.start(project, pairs)

    def start(self, project: int, pairs: Pairs) -> str | None:
        """Start a job for a project and return its id; that of the running one if there is one."""
        with self._lock:
            known = self._projects.setdefault(project, _Project())
            if known.job is None and not self._ended and pairs:
                known.job, known.new = uuid.uuid4().hex[:12], 0
                arguments = (project, known.job, list(pairs))
                threading.Thread(target=self._run, args=arguments, name="serve-train", daemon=True).start()
            return known.job

    def end(self) -> None:
        """End all jobs; what they have trained is recorded as interrupted."""
        with self._lock:
            self._ended = True
            running = list(self._process.values())
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)

    # -- in the thread of a job ---------------------------------------------------------------------------------------

    def _run(self, project: int, job: str, pairs: Pairs) -> None:
        folder = self._folder / f"project-{project}"
        try:
            with hold_lock(folder):
                for control, model in pairs:
                    self._train(project, job, control, model)
        except RegistryError:
            self._say(f"note: project {project}: another server trains on its annotations")
        except LabelkitError as error:
            self._say(f"note: project {project}: {error.message}")
        except Exception as error:
            self._say(f"note: project {project}: training failed with {type(error).__name__}")
        finally:
            with self._lock:
                known = self._projects[project]
                known.job = None
                due = self._retrain_after is not None and known.new >= self._retrain_after
            if due:
                self.start(project, known.pairs)

    def _train(self, project: int, job: str, control: Control, model: ServedModel) -> None:
        """Train a run that continues from a model, and serve it if it wins on the texts that were held out.

        :raises LabelkitError: there are too few annotations, or a process failed.
        """
        before = model.info
        known, several = dict.fromkeys(labels_of(model)), before.schema.multilabel
        data = training_data(self.store(project).current(), control, known, several=several)
        if len(data.train) < LEAST_TRAIN or len(data.validation) < LEAST_VALIDATION:
            found = f"{len(data.train)} texts to train on and {len(data.validation)} held out"
            raise TrainingError(f"too few annotations for {model.name}: {found}; a fifth is held out, by hash")
        folder = self._folder / f"project-{project}" / job / model.info.task
        folder.mkdir(parents=True, exist_ok=True)
        train, validation = folder / "train.json", folder / "validation.json"
        write_tasks(train, data.train)
        write_tasks(validation, data.validation)
        source, checkpoint = f"train={train},validation={validation}", str(model.labeller.folder)
        self._say(f"project {project}: {model.name} trains on {len(data.train)} texts, job {job}")
        origin = ("--from", before.run) if self._is_recorded(before.run) else ("--model", checkpoint)
        run: str = self._labelkit(project, "run", before.task, "--data", source, *origin, *_reading(before))["run"]
        content = {"project": project, "job": job, "run": run, "from": before.run, "annotations": data.annotations}
        write_provenance(folder / "provenance.json", content)
        metric, higher = self._metric(run)
        scores = [self._score(project, one, validation, metric, before) for one in (checkpoint, run)]
        shown = f"{metric} {scores[1]:.4f}, {before.run} has {scores[0]:.4f} on {len(data.validation)} held-out texts"
        if (scores[1] > scores[0]) is higher and scores[0] != scores[1] and model.run == before.run:
            model.promote(run)
            self._say(f"project {project}: run {run} is better: {shown}")
        else:
            self._say(f"project {project}: run {run} is not served: {shown}")

    def _score(self, project: int, reference: str, validation: Path, metric: str, info: CheckpointInfo) -> float:
        """Return the score of a run, or of a checkpoint folder, on held-out texts.

        :raises TrainingError: it cannot be scored, for example for a label that it does not know.
        """
        found = self._labelkit(project, "evaluate", reference, "--data", str(validation), *_reading(info))["metrics"]
        (tasks,) = found.values()
        (figures,) = tasks.values()
        return float(figures[metric])

    def _is_recorded(self, run: str) -> bool:
        """Return whether a run is in the registry, so that its test split is known."""
        from labelkit.registry import Registry

        with Registry.open(self._home, create=False) as registry:
            try:
                return registry.runs.get(run).status != "adopted"
            except RegistryError:
                return False

    def _metric(self, run: str) -> tuple[str, bool]:
        """Return the figure that selected the checkpoint of a run, and whether higher is better."""
        from labelkit.registry import Registry

        with Registry.open(self._home, create=False) as registry:
            record = registry.runs.get(run).record
        return record.metric_key, record.higher_is_better

    def _labelkit(self, project: int, *arguments: str) -> Mapping[str, Any]:
        """Run a command of labelkit and return its JSON document.

        :raises TrainingError: it failed, with its own error.
        """
        environment = {**os.environ, "LABELKIT_HOME": str(self._home.root)}
        for own in ("LABELKIT_SERVE_TOKEN", KERNELS_VARIABLE):  # the server's own secret, and its bound of memory
            environment.pop(own, None)
        process = subprocess.Popen(
            [sys.executable, "-m", "labelkit", *arguments, "--json"], env=environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        with self._lock:
            self._process[project] = process
            if self._ended:
                process.terminate()
        out, err = process.communicate()
        with self._lock:
            del self._process[project]
        if process.returncode:
            reason = next((line for line in err.splitlines() if line.startswith("error: ")), "error: it was ended")
            raise TrainingError(f"labelkit {arguments[0]} failed: {reason.removeprefix('error: ')}")
        document: Mapping[str, Any] = json.loads(out)
        return document


def _reading(info: CheckpointInfo) -> tuple[str, ...]:
    """Return the options by which the tasks are read as the labeller reads texts."""
    settings = ("data.format=label-studio", f"data.splitter={info.splitter}", "data.align_spans=expand")
    several = ("data.multilabel=true",) if info.schema.multilabel else ()
    return tuple(part for each in (*settings, *several) for part in ("--set", each))

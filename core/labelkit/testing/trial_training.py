"""A task tried out: trained for a moment on its own examples with a tiny random encoder, saved, loaded, used."""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelkit.config.environment import Environment
from labelkit.events import Event, Scored
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Labelled, Labels, LoadContext, Metric, Predictions, Task
from labelkit.testing import worker
from labelkit.testing.base import calling, require, require_none

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: the first step has a learning rate of 0, so that the first evaluation is that of an untrained model
SETTINGS: Mapping[str, Any] = {
    "train.num_train_epochs": 16.0,
    "train.learning_rate": 3e-3,
    "train.lr_scheduler_type": "constant_with_warmup",
    "train.warmup_steps": 1.0,
    "train.weight_decay": 0.0,
    "train.precision": "fp32",
}
ADVICE = "labelkit run --model tiny:bert on the examples shows the same"


@dataclass(frozen=True, slots=True)
class Step:
    """An evaluation during the trial.

    :param loss: the mean over all words.
    :param labels: what the model gives to each example.
    """

    split: str
    best: bool
    loss: float
    labels: tuple[Labels, ...]


class Trial:
    """A task, and what comes of training it for a moment."""

    def __init__(self, task: Task, catalog: Catalog) -> None:
        self.task = task
        self.name = task.name
        self.kind = task.kind
        self.catalog = catalog

    @cached_property
    def inputs(self) -> list[str | tuple[str, ...]]:
        """The examples as somebody would give them to be labelled."""
        return [example.text or "" if self.kind == "text" else example.words or () for example in self.task.examples]

    @cached_property
    def folder(self) -> Path:
        """A folder that lasts as long as the trial."""
        folder = tempfile.mkdtemp(prefix="labelkit-contract-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @cached_property
    def trained(self) -> tuple[Path, list[Step]]:
        """The checkpoint's folder, and the evaluations in their order; trains when it is first asked for.

        :raises Broken: training stops.
        """
        watched = _Watched(self.catalog)
        with calling(f"training task '{self.name}' on its examples", ADVICE):
            checkpoint = _train(self, watched)
        return checkpoint, watched.steps

    @cached_property
    def labeller(self) -> Labeller:
        """The checkpoint, loaded.

        :raises Broken: it cannot be.
        """
        from labelkit.label.labeller import Labeller
        from labelkit.registry import Home

        with calling(f"loading the checkpoint of task '{self.name}'", "let it be loaded with what it was trained with"):
            return Labeller.open(f"{self.trained[0]}/", Home(root=self.folder / "home"), self.catalog)


class _Watched:
    """A catalog whose metrics note what they are given, and that has no observers: a trial is no run of anybody's."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._last: tuple[float, tuple[Labels, ...]] = (math.nan, ())
        self.steps: list[Step] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def find(self, kind: str, name: str) -> Any:
        """Return a record as the catalog does."""
        found = self._catalog.find(kind, name)
        return replace(found, compute=self._noting(found)) if isinstance(found, Metric) else found

    def observers(self) -> Mapping[str, Callable[[Event], None]]:
        """Return nobody."""
        return {}

    def hear(self, event: Event) -> None:
        """Note an evaluation."""
        if isinstance(event, Scored):
            self.steps.append(Step(event.split, event.best, *self._last))

    def _noting(self, metric: Metric) -> Callable[[Predictions], Mapping[str, Any]]:
        def compute(given: Predictions) -> Mapping[str, Any]:
            self._last = _loss(given), tuple(given.predictions)
            return metric.compute(given)

        return compute


def _loss(given: Predictions) -> float:
    import numpy as np

    number = {label: index for index, label in enumerate(given.schema.label_names)}
    rows = ((labels,) if isinstance(labels, str) else labels for labels in given.references)
    gold = [number[label] for labels in rows for label in labels]
    assert given.scores is not None
    return float(-given.scores[np.arange(len(gold)), gold].astype(np.float64).mean())


# -- training ---------------------------------------------------------------------------------------------------------


def _train(trial: Trial, watched: _Watched) -> Path:
    """Train as ``labelkit run`` does and return the checkpoint's folder."""
    from labelkit.config.plan import Request
    from labelkit.registry import Home
    from labelkit.train.preparation import prepare
    from labelkit.train.run import train

    home = Home(root=trial.folder / "home")
    settings = {
        **SETTINGS,
        "data": _data(trial),
        "data.format": "jsonl",
        "model": str(_tiny()),
        "train.per_device_train_batch_size": len(trial.task.examples),
    }
    overrides = {key: (value, "contract") for key, value in settings.items()}
    request = Request(task=trial.name, recipe="contract", overrides=overrides, frozen=True)
    catalog = cast(Catalog, watched)
    prepared = prepare(request, catalog, Environment(offline=True), home, say=lambda stage, detail: None)
    return train(prepared, catalog, home, listeners=[watched.hear]).checkpoint


def _data(trial: Trial) -> str:
    """Write the examples as the three splits of a data reference."""
    from labelkit.data.convert import to_labelled
    from labelkit.formats.jsonl import json_line
    from labelkit.formats.labelled_json import to_record

    layer = trial.task.layer
    bare = (_bare(example, {layer: example.labels[layer]}) for example in trial.task.examples)
    lines = b"".join(json_line(to_record(to_labelled(example)), example.id) for example in bare)
    files = {split: trial.folder / f"{split}.jsonl" for split in ("train", "validation", "test")}
    for file in files.values():
        file.write_bytes(lines)
    return ",".join(f"{split}={file}" for split, file in files.items())


def _bare(example: Example, labels: Mapping[str, Labels]) -> Example:
    return Example(id=example.id, words=example.words, text=None if example.words else example.text, labels=labels)


@functools.cache
def _tiny() -> Path:
    """Make a tiny encoder once for all trials of the process."""
    from labelkit.models.references import resolve_tiny

    folder = tempfile.mkdtemp(prefix="labelkit-contract-")
    weakref.finalize(_tiny, shutil.rmtree, folder, ignore_errors=True)
    return resolve_tiny("bert", LoadContext(cache=Path(folder), offline=True)).folder


# -- questions --------------------------------------------------------------------------------------------------------


def learns(trial: Trial) -> None:
    """Ask whether the first step lowers the loss."""
    validation = [step.loss for step in trial.trained[1] if step.split == "validation"]
    require(
        len(validation) > 1 and validation[1] < validation[0],
        f"one training step on the examples of task '{trial.name}' takes the loss from {validation[0]:.4f} to "
        f"{validation[min(1, len(validation) - 1)]:.4f}",
        "give examples with several labels, and preprocessors that leave something to read",
    )


def saves(trial: Trial) -> None:
    """Ask whether the loaded checkpoint gives the labels that the model had when it was saved."""
    kept = [step for step in trial.trained[1] if step.split == "validation" and step.best][-1]
    given = [_bare(example, {}) for example in trial.task.examples]
    with calling(f"labelling the examples of task '{trial.name}'", ADVICE):
        found = trial.labeller.finish(trial.labeller.prepare(given))
    require_none(
        _other_labels(trial, kept.labels, [labels_of(record) for record in found], "in the run", "once it is loaded"),
        "let decoders and preprocessors depend on what they are given alone, and on no labels: there are none when it "
        "labels",
    )


def worker_labels(trial: Trial) -> None:
    """Ask whether another process gives the same labels."""
    owner = trial.catalog.owner("task", trial.name).name
    here = [labels_of(record) for record in trial.labeller.label_all(trial.inputs)]
    loaded = [info.name for info in trial.catalog.plugins if info.status == "loaded"]  # the others may be blocked
    found = worker.ask("label", plugin=owner, folder=str(trial.trained[0]), inputs=trial.inputs, only=loaded)
    advice = "let it depend on nothing but the installed packages: no __main__, no state, no hash() of text"
    require(
        "error" not in found,
        f"a process that is given only names cannot label with task '{trial.name}': {found.get('error')}",
        advice,
    )
    there = [labels if isinstance(labels, str) else tuple(labels) for labels in found["labels"]]
    require_none(_other_labels(trial, here, there, "in this process", "in another one"), advice)


def not_installed(trial: Trial) -> str:
    """Return why other processes cannot label with the task, or an empty text."""
    return worker.not_installed(trial.catalog.owner("task", trial.name).name)


def _other_labels(
    trial: Trial, before: Sequence[Labels], after: Sequence[Labels], where: str, elsewhere: str
) -> Iterator[str]:
    scheme = trial.labeller.info.schema.scheme
    for example, one, other in zip(trial.task.examples, before, after, strict=True):
        if _plain(one, scheme) != _plain(other, scheme):
            yield (
                f"task '{trial.name}' labels example {example.id} as {one!r:.200} {where} and as {other!r:.200} "
                f"{elsewhere}"
            )


def _plain(labels: Labels, scheme: Any) -> Labels:
    """Return labels as a labeller shows them: made to fit their scheme."""
    from labelkit.labels.schemes import repair

    return labels if scheme is None or isinstance(labels, str) else repair(labels, scheme)[0]


def labels_of(record: Labelled) -> Labels:
    """Return what a record is labelled as."""
    return record.label or "" if record.words is None else record.labels or ()

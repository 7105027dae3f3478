"""Train a task for sixteen steps on its own examples with a tiny random encoder, save the checkpoint and load it."""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelkit.config.environment import Environment
from labelkit.config.joint import JOINED_BY
from labelkit.events import Event, Scored
from labelkit.plugins.catalog import Catalog, PluginInfo
from labelkit.plugins.functions import with_context
from labelkit.records import (
    Context,
    Example,
    Labels,
    LoadContext,
    Metric,
    Predictions,
    RunContext,
    Schema,
    Task,
    TextPair,
)
from labelkit.testing.contexts import Setup
from labelkit.testing.framework import plugin_call

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
class TrialEvaluation:
    """An evaluation during the trial.

    :param loss: the mean negative log-likelihood of the gold labels, over all words.
    :param labels: the predicted labels of each example.
    :param task: the task that is evaluated.
    """

    split: str
    best: bool
    loss: float
    labels: tuple[Labels, ...]
    task: str = ""


class Trial:
    """A task, and what comes of training it for a few steps."""

    def __init__(self, task: Task, setup: Setup) -> None:
        self.task = task
        self.name = task.name
        self.kind = task.kind
        self.setup = setup
        self.catalog = setup.catalog

    @property
    def schema(self) -> Schema | None:
        """The schema that the task's source names for its layer."""
        source = self.catalog.sources.get(self.task.source)
        name = source.layers.get(self.task.layer) if source else None
        return self.catalog.schemas.get(name) if name else None

    @property
    def inputs(self) -> list[str | tuple[str, ...] | TextPair]:
        """The examples as they would be given to be labelled."""
        return [_input(example) for example in self.task.examples]

    @property
    def unlabelled(self) -> list[Example]:
        """The examples without labels."""
        return [bare_example(example, {}) for example in self.task.examples]

    @cached_property
    def folder(self) -> Path:
        """A folder that is deleted with the trial."""
        folder = tempfile.mkdtemp(prefix="labelkit-contract-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @cached_property
    def trained(self) -> tuple[Path, list[TrialEvaluation]]:
        """The checkpoint's folder, and the evaluations in their order; trained as ``labelkit run`` does.

        :raises Broken: training stops.
        """
        recording = RecordingCatalog(self.catalog)
        settings = {
            **self.setup.plugin_values,
            "data": write_data(self.folder, self.task, self.task.examples),
            "train.per_device_train_batch_size": len(self.task.examples),
        }
        with plugin_call(f"training task '{self.name}' on its examples", ADVICE):
            checkpoint = train_trial(self.name, settings, recording, self.folder / "home")
        return checkpoint, recording.evaluations

    @cached_property
    def labeller(self) -> Labeller:
        """The checkpoint, loaded.

        :raises Broken: it cannot be.
        """
        from labelkit.label.labeller import Labeller
        from labelkit.registry import Home

        advice = "let it be loaded with what it was trained with"
        with plugin_call(f"loading the checkpoint of task '{self.name}'", advice):
            return Labeller.open(f"{self.trained[0]}/", Home(root=self.folder / "home"), self.catalog, trial=True)


def write_data(folder: Path, task: Task, examples: Sequence[Example]) -> str:
    """Write examples with the labels of a task as each of three splits, and return the data reference."""
    from labelkit.data.convert import to_labelled
    from labelkit.formats.jsonl import json_line
    from labelkit.formats.labelled_json import to_record

    bare = [bare_example(example, {task.layer: example.labels[task.layer]}) for example in examples]
    lines = b"".join(json_line(to_record(to_labelled(example)), example.id) for example in bare)
    files = {split: folder / f"{split}.jsonl" for split in ("train", "validation", "test")}
    for file in files.values():
        file.write_bytes(lines)
    return ",".join(f"{split}={file}" for split, file in files.items())


def train_trial(task: str, settings: Mapping[str, Any], catalog: RecordingCatalog, home: Path) -> Path:
    """Train a task, or several joined by ``+``, as ``labelkit run`` does, and return the folder of the checkpoint.

    :param settings: key → value, beside those that all trials have.
    """
    from labelkit.config.plan import Request
    from labelkit.registry import Home
    from labelkit.train.preparation import prepare
    from labelkit.train.run import train

    common = {
        **SETTINGS,
        "data.format": "jsonl",
        "data.unknown_label": "",  # all labels of a plugin's examples are labels
        "model": str(tiny_encoder()),
    }
    overrides = {key: (value, "contract") for key, value in {**common, **settings}.items()}
    request = Request(task=task, recipe="contract", overrides=overrides, frozen=True)
    recording, root, environment = cast(Catalog, catalog), Home(root=home), Environment(offline=True, trial=True)
    prepared = prepare(request, recording, environment, root, on_stage=lambda stage, detail: None)
    return train(prepared, recording, root, listeners=[catalog.record_evaluation]).checkpoint


def bare_example(example: Example, labels: Mapping[str, Labels]) -> Example:
    """Return an example with nothing but words or text, and these labels."""
    text = None if example.words else example.text
    return Example(id=example.id, words=example.words, text=text, pair=example.pair, labels=labels)


def _input(example: Example) -> str | tuple[str, ...] | TextPair:
    if example.words is not None:
        return example.words
    return example.text or "" if example.pair is None else TextPair(example.text or "", example.pair)


@functools.cache
def tiny_encoder() -> Path:
    """Create a tiny encoder, once for all trials of the process, and return its folder."""
    from labelkit.models.references import resolve_tiny

    folder = tempfile.mkdtemp(prefix="labelkit-contract-")
    weakref.finalize(tiny_encoder, shutil.rmtree, folder, ignore_errors=True)
    return resolve_tiny("bert", LoadContext(cache=Path(folder), offline=True)).folder


class RecordingCatalog:
    """A catalog whose metrics record what they are given, and which has no observers.

    :param companion: a task and its metric that the catalog has as well, in the name of core.
    """

    def __init__(self, catalog: Catalog, companion: tuple[Task, Metric] | None = None) -> None:
        self._catalog = catalog
        self._companion: dict[str, Task | Metric] = (
            {} if companion is None else {"task": companion[0], "metric": companion[1]}
        )
        self._last: dict[bool, tuple[float, tuple[Labels, ...]]] = {}
        self.evaluations: list[TrialEvaluation] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def find(self, kind: str, name: str) -> Any:
        """Return a record as the catalog does; a metric records its predictions."""
        of_companion = self._is_companion(kind, name)
        found: Any = self._companion[kind] if of_companion else self._catalog.find(kind, name)
        if not isinstance(found, Metric):
            return found

        def compute(given: Predictions, ctx: Context) -> Mapping[str, Any]:
            self._last[of_companion] = mean_loss(given), tuple(given.predictions)
            result: Mapping[str, Any] = with_context(found, ctx).compute(given)
            return result

        return replace(found, compute=compute)

    def owner(self, kind: str, name: str) -> PluginInfo:
        """Return the plugin that yields a record; core for those of the companion."""
        return self._catalog.plugins[0] if self._is_companion(kind, name) else self._catalog.owner(kind, name)

    def observers(self, ctx: RunContext) -> Mapping[str, Callable[[Event], None]]:
        """Return no observers."""
        return {}

    def record_evaluation(self, event: Event) -> None:
        """Record an evaluation of the run, but not the summary of several tasks."""
        if isinstance(event, Scored) and JOINED_BY not in event.task:
            last = self._last.get(self._is_companion("task", event.task), (math.nan, ()))
            self.evaluations.append(TrialEvaluation(event.split, event.best, *last, task=event.task))

    def _is_companion(self, kind: str, name: str) -> bool:
        return kind in self._companion and self._companion[kind].name == name


def mean_loss(given: Predictions) -> float:
    """Return the mean negative log-likelihood of the gold labels, or the mean squared error of numbers."""
    import numpy as np

    if given.schema.multilabel:
        assert given.scores is not None
        (gold_sets, _), chance = given.sets, np.exp(given.scores.astype(np.float64))
        return float(-np.log(np.where(gold_sets, chance, 1 - chance)).mean())
    if given.schema.numeric:
        gold_numbers, predicted = given.numbers
        return float(((gold_numbers - predicted) ** 2).mean())
    number = {label: index for index, label in enumerate(given.schema.label_names)}
    rows = ((labels,) if isinstance(labels, str) else labels for labels in given.references)
    gold = [number[label] for labels in rows for label in labels]
    assert given.scores is not None
    return float(-given.scores[np.arange(len(gold)), gold].astype(np.float64).mean())

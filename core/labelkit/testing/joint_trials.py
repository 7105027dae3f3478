"""Train a task together with a made-up one over one encoder, as the contract check of joint training does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelkit.config.joint import JOINED_BY
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Kind, Labels, Task
from labelkit.testing.framework import plugin_call
from labelkit.testing.label_losses import labels_of
from labelkit.testing.trial_training import (
    RecordingCatalog,
    Trial,
    TrialEvaluation,
    bare_example,
    train_trial,
    write_data,
)

if TYPE_CHECKING:
    from labelkit.label.joint import JointLabeller

#: the other task, its layer and its metric
COMPANION = "contract-companion"
#: kind → the source and the metric of core that the other task names
_PARTS: Mapping[Kind, tuple[str, str]] = {
    "token": ("sample", "accuracy"),
    "text": ("sample-reviews", "classification"),
}
#: half as many as a task is trained alone
EPOCHS = 8.0
ADVICE = "labelkit run TASK+OTHER --model tiny:bert with another task of its kind shows the same"


def companion_examples(task: Task) -> tuple[Example, ...]:
    """Return the examples of the other task: those of ``task`` but the first, and the first one twice in one.

    So each of the two tasks has an example that lacks the labels of the other. The label says whether an example is
    made of two; of words it is the label of each.
    """
    first, *others = task.examples
    twice = replace(
        first,
        id=f"{first.id}-twice",
        words=None if first.words is None else first.words * 2,
        text=None if first.words else f"{first.text or ''} {first.text or ''}",
    )
    return tuple(
        bare_example(one, {COMPANION: label if one.words is None else (label,) * len(one.words)})
        for one, label in [*((one, "once") for one in others or [first]), (twice, "twice")]
    )


class JointTrial:
    """A task, and what comes of training it together with another one for a few steps.

    :param trial: the task alone.
    """

    def __init__(self, trial: Trial) -> None:
        source, metric = _PARTS[trial.kind]
        self._trial = trial
        self._companion = Task(
            name=COMPANION, summary="whether an example is made of two", kind=trial.kind, layer=COMPANION,
            source=source, metrics=(COMPANION,), examples=companion_examples(trial.task),
        )  # fmt: skip
        measure = replace(trial.catalog.find("metric", metric), name=COMPANION)
        self._catalog = RecordingCatalog(trial.catalog, (self._companion, measure))

    @property
    def tasks(self) -> tuple[str, str]:
        """The names of both tasks, the tried one first."""
        return (self._trial.name, COMPANION)

    @property
    def evaluations(self) -> list[TrialEvaluation]:
        """The evaluations of both tasks, in their order.

        :raises Broken: training stops.
        """
        assert self._checkpoint  # trains
        return self._catalog.evaluations

    @cached_property
    def _checkpoint(self) -> Path:
        trial, folder = self._trial, self._trial.folder / "companion"
        folder.mkdir()
        settings = {
            **trial.setup.plugin_values,
            "data": write_data(trial.folder, trial.task, trial.task.examples),
            f"{COMPANION}.data": write_data(folder, self._companion, self._companion.examples),
            "train.num_train_epochs": EPOCHS,
            "train.per_device_train_batch_size": 2 * len(trial.task.examples),
            "train.select": trial.name,
        }
        with plugin_call(f"training task '{trial.name}' together with another one", ADVICE):
            return train_trial(JOINED_BY.join(self.tasks), settings, self._catalog, trial.folder / "joint-home")

    @cached_property
    def _labeller(self) -> JointLabeller:
        from labelkit.label.labeller import Labeller
        from labelkit.registry import Home

        home, catalog = Home(root=self._trial.folder / "joint-home"), cast(Catalog, self._catalog)
        with plugin_call(f"loading the checkpoint of task '{self._trial.name}' and another one", ADVICE):
            found = Labeller.open(f"{self._checkpoint}/", home, catalog, trial=True, all_tasks=True)
        return cast("JointLabeller", found)

    def predicted(self) -> list[Labels]:
        """Return the labels of the tried task for its examples, from the pass that labels with both.

        :raises Broken: labelling fails.
        """
        with plugin_call(f"labelling with task '{self._trial.name}' and another one", ADVICE):
            found = self._labeller.finish(self._labeller.prepare(self._trial.unlabelled))
        return [labels_of(record.layers[self._trial.name]) for record in found]

    def parameters_changed_without_labels(self) -> list[str]:
        """Return the parameters that have a gradient, or NaN, after a batch without labels of the tried task.

        :raises Broken: the loss fails.
        """
        from labelkit.models.joint import joint_loss
        from labelkit.train.joint_windows import JointCollator, labels_key

        name, joint = self._trial.name, self._labeller.joint
        head = self._labeller.head_of(name)
        encoded = self._labeller.prepare(self._trial.unlabelled).encoded
        items: list[Any] = [{"input_ids": window.ids, "second": window.second} for window in encoded.windows]
        batch = JointCollator(self._labeller.engine.encoding, {name: head.context.schema})(items)
        labels = {name: batch.pop(labels_key(name))}
        inputs = {key: value.to(joint.device) for key, value in batch.items() if ":" not in key}
        with plugin_call(f"the loss of task '{name}' for a batch without its labels", ADVICE):
            loss = joint_loss(joint(**inputs), labels, {name: head}, {})
            if loss.requires_grad:
                loss.backward()
        found = [key for key, value in joint.named_parameters() if value.grad is not None and value.grad.ne(0).any()]
        joint.zero_grad()
        return found

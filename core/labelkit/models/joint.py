"""One encoder with a classifier for each of several tasks: the model of joint training.

Each task keeps a whole classifier of transformers, whose encoder is shared. So any architecture can be used, and the
part of a task together with the encoder is a plain Hugging Face model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from labelkit.errors import LabelkitError, ModelError, one_line
from labelkit.models.checkpoint_files import JOINT_WEIGHTS
from labelkit.models.heads import MODULE, BoundHead, HeadSource, plain_state, save_module
from labelkit.models.loading import load_classifier
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: stands for the first task where only its encoder is needed; no name of a task
_FIRST = "_first"


class SharedEncoder(torch.nn.Module):
    """Takes the place of the encoder in a classifier: gives what the encoder has computed.

    :param pooler: the task's own, which classifiers of texts have in some architectures; None without.
    """

    def __init__(self, pooler: torch.nn.Module | None) -> None:
        super().__init__()
        self.pooler = pooler
        self.encoded: Any = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output of the encoder for the present batch."""
        if self.pooler is None:
            return self.encoded
        pooled = self.pooler(self.encoded.last_hidden_state)
        return type(self.encoded)(**{**self.encoded, "pooler_output": pooled})


class JointModel(torch.nn.Module):
    """The classifiers of several tasks over one encoder, which reads each batch once.

    :param models: task → its classifier; the encoder of the first is kept, those of the others are dropped.
    :raises ModelError: a classifier reads its input in another way, so that the encoder cannot be shared.
    """

    def __init__(self, models: Mapping[str, PreTrainedModel]) -> None:
        super().__init__()
        self.tasks = tuple(models)
        self._first = models[self.tasks[0]]
        for task, model in models.items():
            if model.base_model is model:
                raise ModelError(
                    f"{model.config.model_type} has no encoder of its own that tasks could share",
                    hint="try --model bundled",
                )
            if not shares_encoder(self._first, model):
                raise ModelError(
                    f"tasks '{self.tasks[0]}' and '{task}' cannot share the encoder {model.config.model_type}: "
                    "its classifiers for words and for texts differ inside",
                    hint="train the tasks one by one",
                )
        self._pooler = pooler_of(self._first)
        self._shared = {task: SharedEncoder(pooler_of(models[task])) for task in self.tasks[1:]}
        for task, shared in self._shared.items():
            setattr(models[task], models[task].base_model_prefix, shared)
        self.models = torch.nn.ModuleDict(models)

    @property
    def first(self) -> PreTrainedModel:
        """The classifier of the first task, which holds the encoder."""
        return self._first

    @property
    def config(self) -> Any:
        """The configuration of the first task's classifier."""
        return self._first.config

    @property
    def device(self) -> torch.device:
        """The device of the encoder."""
        return self._first.device

    def take(self, task: str) -> PreTrainedModel:
        """Return the classifier of a task with the encoder in its place; the joint model must not be used any more."""
        model: Any = self.models[task]
        if model is not self._first:
            self._put_encoder(task)
        return cast("PreTrainedModel", model)

    def forward(self, **inputs: torch.Tensor) -> dict[str, Any]:
        """Return task → the output of its classifier, from one pass of the encoder.

        :param inputs: ``input_ids`` and ``attention_mask`` of shape (windows, subwords).
        """
        hook = self._first.base_model.register_forward_hook(self._keep)
        try:
            return {task: model(**inputs) for task, model in self.models.items()}
        finally:
            hook.remove()
            self._keep(self, None, None)  # frees the hidden states

    def _keep(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        for shared in self._shared.values():
            shared.encoded = output

    @contextlib.contextmanager
    def plain(self, task: str) -> Iterator[PreTrainedModel]:
        """Give the classifier of a task with the encoder in its place, a plain model, in a ``with`` block."""
        model: Any = self.models[task]
        if model is self._first:
            yield model
            return
        self._put_encoder(task)
        try:
            yield model
        finally:
            _set_pooler(self._first.base_model, self._pooler)
            setattr(model, model.base_model_prefix, self._shared[task])

    def _put_encoder(self, task: str) -> None:
        """Put the encoder, with the pooler of a further task, into the task's classifier."""
        model, encoder = self.models[task], self._first.base_model
        setattr(model, self._first.base_model_prefix, encoder)
        _set_pooler(encoder, self._shared[task].pooler)


def pooler_of(model: PreTrainedModel) -> torch.nn.Module | None:
    """Return the pooler in the encoder of a classifier; None where it has none."""
    found: torch.nn.Module | None = getattr(model.base_model, "pooler", None)
    return found


def _set_pooler(encoder: Any, pooler: torch.nn.Module | None) -> None:
    if hasattr(encoder, "pooler"):
        encoder.pooler = pooler


def shares_encoder(first: PreTrainedModel, other: PreTrainedModel) -> bool:
    """Return whether the encoders of two classifiers have the same parameters by name and shape, poolers aside."""
    shapes = [
        {name: value.shape for name, value in model.base_model.named_parameters() if not name.startswith("pooler.")}
        for model in (first, other)
    ]
    return first.base_model_prefix == other.base_model_prefix and shapes[0] == shapes[1]


def load_joint(
    folder: Path,
    heads: Mapping[str, BoundHead],
    *,
    trained: bool = False,
    sources: Mapping[str, HeadSource] | None = None,
) -> JointModel:
    """Load the model in ``folder`` with a classifier for each task.

    :param heads: task → its head; the folder of a checkpoint is a plain one of the first.
    :param trained: the folder is a checkpoint, which must have the weights of all classifiers.
    :param sources: task → where the weights of a new run's head come from.
    :raises ModelError: weights are missing or of other shapes, or the encoder cannot be shared.
    """
    first = next(iter(heads))
    if not trained:
        own = sources or {}
        return JointModel(
            {task: load_new(folder, task, head, own.get(task, HeadSource())) for task, head in heads.items()}
        )
    models = {task: load_classifier(folder, head, trained=task == first) for task, head in heads.items()}
    joint = JointModel(models)
    _load_others(joint, folder / JOINT_WEIGHTS)
    return joint


def load_new(folder: Path, task: str, head: BoundHead, source: HeadSource) -> PreTrainedModel:
    """Load the encoder in ``folder`` with the classifier of a task that is to be trained.

    :param source: where the weights of its head come from.
    :raises ModelError: they are missing or of other shapes.
    """
    if not (source.takes and source.further):
        return load_classifier(folder, head, take_head=source.takes)
    model = load_classifier(folder, head, take_head=False)
    own = {
        name.removeprefix(f"{task}."): value
        for name, value in _read_weights(folder / JOINT_WEIGHTS).items()
        if name.startswith(f"{task}.")
    }
    try:
        unexpected = model.load_state_dict(own, strict=False).unexpected_keys
    except RuntimeError as error:
        raise _unfit(folder / JOINT_WEIGHTS, [task], error) from error
    if unexpected or not own:
        raise _unfit(folder / JOINT_WEIGHTS, [task], LabelkitError(f"it has no weights of '{task}' for this encoder"))
    return model


def load_task(folder: Path, first: BoundHead, task: str, head: BoundHead) -> PreTrainedModel:
    """Load the classifier of a further task from a checkpoint of several, as a plain model.

    :param first: the head of the first task, whose plain folder it is.
    :raises ModelError: weights are missing or of other shapes.
    """
    models = {_FIRST: load_classifier(folder, first, trained=True), task: load_classifier(folder, head)}
    joint = JointModel(models)
    _load_others(joint, folder / JOINT_WEIGHTS)
    return joint.take(task)


def _load_others(joint: JointModel, file: Path) -> None:
    """Load the classifiers of all tasks of a model but the first; the file may hold those of more tasks."""
    try:
        tensors = _read_weights(file)
        own = {name: value for name, value in tensors.items() if name.partition(".")[0] in joint.tasks[1:]}
        _others(joint).load_state_dict(own)
    except RuntimeError as error:
        raise _unfit(file, joint.tasks[1:], error) from error


def _read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the classifiers of all tasks but the first.

    :raises ModelError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, torch.Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{file} cannot be read: {one_line(error)}", hint="restore the folder, or train again"
        ) from error
    return found


def _unfit(file: Path, tasks: Sequence[str], error: Exception) -> ModelError:
    return ModelError(
        f"{file} does not fit the tasks {', '.join(tasks)}: {one_line(error)}",
        hint="restore the folder, or train again",
    )


def _others(joint: JointModel) -> torch.nn.ModuleDict:
    """Return the classifiers of all tasks but the first, without the encoder."""
    return torch.nn.ModuleDict({task: joint.models[task] for task in joint.tasks[1:]})


def save_joint(joint: JointModel, folder: Path) -> None:
    """Write a plain folder of the first task to ``folder``, and beside it the classifiers of the others."""
    from safetensors.torch import save_file

    with joint.plain(joint.tasks[0]) as model:
        model.save_pretrained(folder, state_dict=plain_state(model))
        save_module(model, folder)
    tensors = {name: value.detach().contiguous() for name, value in _others(joint).state_dict().items()}
    save_file(tensors, folder / JOINT_WEIGHTS)


def labelled_rows(labels: torch.Tensor, schema: Schema) -> torch.Tensor:
    """Return where there is a label: of shape (windows, subwords) for words, of shape (windows,) for texts."""
    known = labels != IGNORE_INDEX
    return known if schema.kind == "token" else known.reshape(len(labels), -1)[:, 0]


def joint_loss(
    outputs: Mapping[str, Any],
    labels: Mapping[str, torch.Tensor],
    heads: Mapping[str, BoundHead],
    weights: Mapping[str, float],
    *,
    shares: Mapping[str, torch.Tensor] | None = None,
    counts: Mapping[str, torch.Tensor] | None = None,
    unknown: Mapping[str, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return the weighted sum of the tasks' mean losses.

    A task without a label in the batch adds exactly zero, to the loss and to every gradient.

    :param outputs: task → the output of its classifier.
    :param labels: task → label ids, ``IGNORE_INDEX`` where there is no label.
    :param weights: task → the factor of its mean loss, above 0; 1 where it has none.
    :param shares: task of texts → the share of each window in the loss of its text, of shape (windows,).
    :param counts: task → the labels of its whole optimizer step; those of the batch where it is None.
    :param unknown: task → the first subword of each word whose label is unknown; no task where all are known.
    :raises LabelkitError: a head fails.
    """
    total: torch.Tensor | float = 0.0
    for task, head in heads.items():
        output, unknown_here = outputs[task], (unknown or {}).get(task)
        found = head.losses(output["logits"], labels[task], output.get(MODULE) or {}, unknown_here)
        known = labelled_rows(labels[task], head.context.schema)
        if head.context.schema.kind == "text":
            found = torch.where(known, found * (1.0 if shares is None else shares[task]), 0.0)
        count = (known.sum() if counts is None else counts[task]).clamp(min=1)
        total = total + found.sum() / count * weights.get(task, 1.0)
    assert isinstance(total, torch.Tensor)
    return total

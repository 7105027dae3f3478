"""The model that a run trains: a classifier, or those of several tasks over one encoder; and its Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelkit.events import Noted
from labelkit.models.adapters import Adapters, add_adapters
from labelkit.models.joint import JointModel, load_joint, load_new
from labelkit.models.loading import freeze_embeddings, load_classifier
from labelkit.settings import AUTO, TrainSettings
from labelkit.train.joint_loss_weights import weights_in_loss
from labelkit.train.joint_trainer import JointTrainer
from labelkit.train.joint_windows import JointCollator, JointWindows
from labelkit.train.resolution import ResolvedRun
from labelkit.train.trainer import WordLevelTrainer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def new_model(run: ResolvedRun) -> PreTrainedModel | JointModel:
    """Return the model of a run before training.

    :raises ModelError: it cannot be loaded, or the tasks cannot share an encoder.
    """
    train = run.plan.train
    model: Any
    if run.others:
        sources = {one.task: one.head_source for one in run.of_tasks}
        model = load_joint(run.encoder, {one.task: one.head for one in run.of_tasks}, sources=sources)
    else:
        model = load_new(run.encoder, run.task, run.head, run.head_source)
    if train.freeze_embeddings:
        freeze_embeddings(classifier_of(model))
    if train.lora_rank is not None:
        add_adapters(model, adapters_of(train))
    found: PreTrainedModel | JointModel = model
    return found


def trained_model(run: ResolvedRun, folder: Path) -> PreTrainedModel | JointModel:
    """Return the model of a checkpoint of a run.

    :raises ModelError: it cannot be loaded.
    """
    if run.others:
        return load_joint(folder, {one.task: one.head for one in run.of_tasks}, trained=True)
    return load_classifier(folder, run.head, trained=True)


def classifier_of(model: Any) -> PreTrainedModel:
    """Return the classifier of a model; of several tasks that of the first, which holds the encoder."""
    found: Any = model.models[model.tasks[0]] if isinstance(model, JointModel) else model
    return cast("PreTrainedModel", found)


def new_trainer(run: ResolvedRun, model: Any, **options: Any) -> WordLevelTrainer:
    """Return the Trainer of a run.

    :param options: arguments of :class:`WordLevelTrainer` that do not depend on the tasks.
    """
    train = run.plan.train
    options |= {
        "model": model,
        "train": run.windows["train"],
        "encoding": run.encoding,
        "batch_tokens": train.batch_tokens,
        "head_learning_rate": train.head_learning_rate,
    }
    if not run.others:
        return WordLevelTrainer(head=run.head, random_window=train.random_window, teacher=run.teacher, **options)
    stores = {one.task: one.windows["train"] for one in run.of_tasks}
    heads = {one.task: one.head for one in run.of_tasks}
    return JointTrainer(
        heads=heads,
        weights=weights_in_loss(stores, heads, train.loss_weight or {}),
        data=JointWindows(stores, train.sampling_smoothing, train.seed),
        collate=JointCollator(run.encoding, {task: head.context.schema for task, head in heads.items()}),
        **options,
    )


def windows_note(run: ResolvedRun, trainer: WordLevelTrainer) -> Noted | None:
    """Return what is said of the windows of several tasks; None for one task."""
    data: Any = trainer.train_dataset
    if not isinstance(data, JointWindows):
        return None
    own = ", ".join(f"{one.task} {len(one.windows['train']):,}" for one in run.of_tasks)
    more = len(data) - data.windows
    repeated = f", {more:,} of them seen again (train.sampling_smoothing)" if more else ""
    return Noted(run=run.id, text=f"{data.windows:,} windows of train (with labels: {own}){repeated}")


def adapters_of(settings: TrainSettings) -> Adapters:
    """Return the adapters that resolved settings ask for."""
    rank, alpha, targets = settings.lora_rank, settings.lora_alpha, settings.lora_targets
    assert rank is not None
    assert alpha != AUTO
    assert targets != AUTO
    return Adapters(rank=rank, alpha=alpha, dropout=settings.lora_dropout, targets=tuple(targets))

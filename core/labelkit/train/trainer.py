"""``transformers.Trainer`` for windows of words, with evaluation and resumption by labelkit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from labelkit.encode.alignment import Encoding, first_subword_mask
from labelkit.encode.batches import model_inputs, pad_labels, pad_words
from labelkit.encode.cache import WindowStore
from labelkit.labels.label_sets import multi_hot
from labelkit.models.heads import MODULE, BoundHead
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX
from labelkit.train.oom_recovery import OutOfMemoryTrainer
from labelkit.train.sampling import TokenBatchSampler, TrainSampler
from labelkit.train.teacher_targets import TeacherTargets
from labelkit.train.training_state import load_optimizer, load_random, load_weights
from labelkit.train.training_windows import Item, RandomTextWindows, TrainingWindows
from labelkit.train.weight_average import WeightAverage

#: (steps done, epochs done, mean training loss since the last evaluation) → metrics on validation
Evaluate = Callable[[int, float, float | None], Mapping[str, Any]]


class Collator:
    """Pads the windows of a batch to the longest one."""

    def __init__(self, encoding: Encoding, schema: Schema) -> None:
        self._encoding = encoding
        self._schema = schema

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Return the tensors of a batch; ``weights`` only for kind ``text``, ``unknown`` only where a label is."""
        left = self._encoding.pad_left
        rows = [item["input_ids"] for item in items]
        arrays: dict[str, NDArray[Any]] = {}
        seconds = [item["second"] for item in items]
        special, pad_id = self._encoding.special_tokens, self._encoding.pad_id
        arrays.update(model_inputs(rows, special, pad_id, left=left, seconds=seconds))
        arrays["labels"] = label_array([item["labels"] for item in items], self._schema, left=left)
        if self._schema.kind == "text":
            arrays["weights"] = np.array([item["weight"] for item in items], np.float32)
        else:
            unknown = unknown_words([item["words"] for item in items], arrays["labels"], left=left)
            arrays.update({} if unknown is None else {"unknown": unknown})
        if "teacher" in items[0]:
            arrays["teacher"] = teacher_array(items, self._schema, left=left)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def label_array(rows: Sequence[NDArray[Any]], schema: Schema, *, left: bool) -> NDArray[Any]:
    """Return the labels of windows as one array: of shape (windows, subwords), (windows,) or (windows, labels).

    :param rows: the label ids of each window: one for each subword, or those of its text.
    :param left: pad on the left.
    """
    if schema.kind == "token":
        return pad_labels(rows, left=left)
    return multi_hot(rows, len(schema.labels)) if schema.multilabel else text_labels([row[0] for row in rows])


def teacher_array(items: Sequence[Item], schema: Schema, *, left: bool) -> NDArray[np.float32]:
    """Return what teachers say of windows, of shape (windows, subwords, labels) or (windows, labels).

    It is zero at subwords that begin no word.
    """
    rows: NDArray[np.float32] = np.concatenate([item["teacher"] for item in items])
    if schema.kind == "text":
        return rows
    begins = first_subword_mask(pad_words([item["words"] for item in items], left=left))
    found = np.zeros((*begins.shape, rows.shape[1]), np.float32)
    found[begins] = rows
    return found


def learned_labels(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the labels of a batch, with a label in place of each unknown one that teachers know."""
    labels = batch["labels"]
    if "teacher" not in batch:
        return labels
    return labels.masked_fill((labels == IGNORE_INDEX) & (batch["teacher"].sum(dim=-1) > 0), 0)


def unknown_words(rows: Sequence[NDArray[np.int32]], labels: NDArray[Any], *, left: bool) -> NDArray[np.bool_] | None:
    """Return the first subword of each word whose label is unknown, of the shape of ``labels``; None for none.

    :param rows: the word of each subword of the windows.
    :param labels: their label ids, of shape (windows, subwords).
    """
    found: NDArray[np.bool_] = first_subword_mask(pad_words(rows, left=left)) & (labels == IGNORE_INDEX)
    return found if found.any() else None


def text_labels(labels: Sequence[np.integer[Any] | np.floating[Any]]) -> NDArray[Any]:
    """Return label ids of texts as int64, or numbers as float32.

    Trainer takes :data:`IGNORE_INDEX` for no label, so that a number that equals it is moved to the next one.
    """
    if not isinstance(labels[0], np.floating):
        return np.array(labels, np.int64)
    values = np.array(labels, np.float32)
    values[values == IGNORE_INDEX] = np.nextafter(np.float32(IGNORE_INDEX), np.float32(0))
    return values


@contextlib.contextmanager
def unwrapped_forward(model: torch.nn.Module) -> Iterator[None]:
    """Remove accelerate's wrapper of ``forward`` in a ``with`` block: evaluation has a precision of its own."""
    wrapped = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.__dict__["forward"] = wrapped


def weights_of_heads(model: Any) -> set[torch.nn.Parameter]:
    """Return the weights of a classifier, or of a joint model, outside of the encoder."""
    encoder = set(getattr(model, "first", model).base_model.parameters())
    return set(model.parameters()) - encoder


def separate_rate(optimizer: torch.optim.Optimizer, weights: set[torch.nn.Parameter], rate: float) -> None:
    """Give some weights of a new optimizer another learning rate, in groups of their own."""
    for group in list(optimizer.param_groups):
        own = [weight for weight in group["params"] if weight in weights]
        group["params"] = [weight for weight in group["params"] if weight not in weights]
        if own:
            optimizer.add_param_group({**group, "params": own, "lr": rate})


class RunningLoss:
    """The mean training loss since the last evaluation, summed on the device so that no step waits for it."""

    def __init__(self) -> None:
        self._total: torch.Tensor | float = 0.0
        self._steps = 0
        self._last_mean: float | None = None

    def add(self, loss: torch.Tensor) -> None:
        """Add the share of one batch in the loss of its optimizer step."""
        self._total = self._total + loss.detach()

    def count_step(self) -> None:
        """Count an optimizer step."""
        self._steps += 1

    @property
    def mean(self) -> float | None:
        """The mean loss of the steps since :meth:`reset`; directly after it the mean that it returned."""
        return float(self._total) / self._steps if self._steps else self._last_mean

    def reset(self) -> float | None:
        """Return the mean loss and start again from zero."""
        self._last_mean = self.mean if self._steps else None
        self._total, self._steps = 0.0, 0
        return self._last_mean

    def to_json(self) -> list[float]:
        """Return the sum and the number of steps."""
        return [float(self._total), self._steps]

    def load(self, content: Sequence[float]) -> None:
        """Restore what :meth:`to_json` returned."""
        self._total, self._steps = content[0], int(content[1])


class WordLevelTrainer(OutOfMemoryTrainer):
    """A Trainer of labelkit's windows, with evaluation on words and resumption without pickles.

    :param head: what computes the losses.
    :param batch_tokens: token budget of a batch of windows of similar length; 0 for a fixed number of windows.
    :param evaluate: evaluates the model on validation; called with the number of steps done, of epochs done, and the
        mean training loss since the last evaluation.
    :param random_window: the most subwords of the one window of each text that an epoch reads; 0 for all windows.
    :param head_learning_rate: peak learning rate of all weights outside of the encoder; None: as that of the encoder.
    :param teacher: what teachers say of the windows of ``train``; None where there are none.
    :param callbacks: called at each step and evaluation in this order, after those of transformers.
    :param data: the windows in place of those of ``train``, and ``collate`` what makes batches of them.
    :ivar average: of the weights, which the training state holds, too; None for none.
    """

    average: WeightAverage | None = None

    def __init__(
        self,
        *,
        model: torch.nn.Module,
        args: TrainingArguments,
        train: WindowStore,
        encoding: Encoding,
        head: BoundHead,
        batch_tokens: int,
        evaluate: Evaluate,
        callbacks: list[TrainerCallback],
        random_window: int = 0,
        head_learning_rate: float | None = None,
        teacher: TeacherTargets | None = None,
        data: TrainingWindows | None = None,
        collate: Callable[[Sequence[Item]], dict[str, torch.Tensor]] | None = None,
    ) -> None:
        seed = args.data_seed if args.data_seed is not None else args.seed
        windows = data or TrainingWindows(train, teacher, text=head.context.schema.kind == "text")
        if random_window:
            windows = RandomTextWindows(train, encoding, random_window, seed, teacher)
        lengths = windows.lengths()
        self._sampler = TrainSampler(
            lengths,
            args.train_batch_size * args.gradient_accumulation_steps,
            seed,
            by_length=args.train_sampling_strategy == "group_by_length",
            mark_epochs=windows.random,
        )
        self._batch_sampler: TokenBatchSampler | None = None
        if batch_tokens:
            self._batch_sampler = TokenBatchSampler(
                lengths, batch_tokens, seed, processes=args.world_size, mark_epochs=windows.random
            )
        super().__init__(
            model=model,
            args=args,
            train_dataset=windows,
            data_collator=collate or Collator(encoding, head.context.schema),
            callbacks=callbacks,
        )
        self.losses = RunningLoss()
        self._head = head
        self._head_learning_rate = head_learning_rate
        self._evaluate_words = evaluate
        self._mean_weight = windows.mean_weight
        self._teacher_weight = 0.0 if teacher is None else teacher.weight
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the items of all accumulated batches
        self.remove_callback(PrinterCallback)

    def count_steps(self) -> tuple[int, int]:
        """Return the optimizer steps per epoch, and of the whole training."""
        batches = len(self.get_train_dataloader())
        per_epoch = max(1, -(-batches // self.args.gradient_accumulation_steps))
        if self.args.max_steps > 0:
            return per_epoch, int(self.args.max_steps)
        return per_epoch, int(-(-per_epoch * self.args.num_train_epochs // 1))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of train: within a token budget, or of a fixed number of windows."""
        if self._batch_sampler is None:
            return super().get_train_dataloader()
        loader: DataLoader[Any] = DataLoader(
            cast(TrainingWindows, self.train_dataset),
            batch_sampler=self._batch_sampler,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the optimizer, in which the weights outside of the encoder have a learning rate of their own."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if self._head_learning_rate is not None:
            separate_rate(optimizer, weights_of_heads(self.model), self._head_learning_rate)
        return optimizer

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | int | None:
        """Return the number of labels of an optimizer step, those that teachers alone know included."""
        batches = [{**batch, "labels": learned_labels(batch)} for batch in batch_samples]
        found: torch.Tensor | int | None = super()._get_num_items_in_batch(batches, device)
        return found

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean of the head's losses over the labels of an optimizer step, in fp32.

        The weights of the windows of a text sum to one. They are divided by the mean weight of train, so that the
        gradient of a text does not depend on the other texts of its batch.
        """
        items = num_items_in_batch
        if items is None:
            items = (learned_labels(inputs) != IGNORE_INDEX).sum()
        labels, weights, unknown = inputs.pop("labels"), inputs.pop("weights", None), inputs.pop("unknown", None)
        teacher = inputs.pop("teacher", None)
        outputs = model(**inputs)
        losses = self._head.losses(outputs["logits"], labels, outputs.get(MODULE) or {}, unknown)
        if teacher is not None:
            learned = -(teacher * outputs["logits"].float().log_softmax(dim=-1)).sum(dim=-1)
            share = torch.where(labels == IGNORE_INDEX, 1.0, self._teacher_weight)
            losses = (1 - share) * losses.reshape(learned.shape) + share * learned
        if weights is not None:
            losses = losses * (weights / self._mean_weight)
        loss = losses.sum() / torch.as_tensor(items).clamp(min=1)  # of partly annotated data a batch may have no label
        if self.args.world_size > 1 and num_items_in_batch is not None:
            loss = loss * self.args.world_size  # the items are of all processes, whose gradients are averaged
        if model.training:
            self.losses.add(loss)
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate on validation and pass the metrics to the callbacks."""
        scores = self._evaluate_words(self.state.global_step, float(self.state.epoch or 0), self.losses.reset())
        metrics = {f"eval_{name}": value for name, value in scores.items() if isinstance(value, int | float)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # overrides of where Trainer resumes from a checkpoint of its own, which holds pickles

    def _get_train_sampler(self, train_dataset: Any = None) -> TrainSampler:
        return self._sampler

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        load_weights(self, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_optimizer(self, Path(checkpoint))

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Do nothing: the gradient scaler is loaded with the optimizer."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_random(Path(checkpoint))

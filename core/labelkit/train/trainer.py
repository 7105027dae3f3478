"""``transformers.Trainer`` with labelkit's windows, word-level scoring and checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from labelkit.encode.alignment import IGNORE_INDEX, Encoding
from labelkit.encode.batches import model_inputs, pad_labels
from labelkit.encode.cache import WindowStore
from labelkit.records import Kind
from labelkit.train import training_state as resume
from labelkit.train.oom_recovery import OutOfMemoryTrainer
from labelkit.train.sampling import TokenBatchSampler, TrainSampler
from labelkit.train.signals import InterruptHandler

Item = Mapping[str, Any]
#: called after each epoch with steps done, epochs done and the mean training loss since the last call
AfterEpoch = Callable[[int, float, float | None], Mapping[str, Any]]


class TrainingWindows(Dataset[Item]):
    """The windows of train, as Trainer wants them."""

    def __init__(self, store: WindowStore) -> None:
        self._store = store

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, index: int) -> Item:
        window = self._store[index]
        return {"input_ids": window.ids, "labels": self._store.labels(index), "weight": window.weight}


class Collator:
    """Pads a batch to its longest window."""

    def __init__(self, encoding: Encoding, kind: Kind) -> None:
        self._encoding = encoding
        self._kind = kind

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Return the batch's tensors; ``weights`` only for kind ``text``."""
        tokenizer = self._encoding.tokenizer
        left = tokenizer.padding_side == "left"
        rows = [item["input_ids"] for item in items]
        arrays: dict[str, NDArray[Any]] = {}
        arrays.update(model_inputs(rows, self._encoding.special_tokens, tokenizer.pad_token_id or 0, left=left))
        if self._kind == "token":
            arrays["labels"] = pad_labels([item["labels"] for item in items], left=left)
        else:
            arrays["labels"] = np.array([item["labels"][0] for item in items], np.int64)
            arrays["weights"] = np.array([item["weight"] for item in items], np.float32)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@contextlib.contextmanager
def bare(model: torch.nn.Module) -> Iterator[None]:
    """Take off for a while what accelerate put around ``forward``: scores would be computed as training is, in bf16."""
    wrapped = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.__dict__["forward"] = wrapped


class Losses:
    """The mean training loss since it was last asked for; summed up on the device, so that no step waits for it."""

    def __init__(self) -> None:
        self._total: torch.Tensor | float = 0.0
        self._steps = 0
        self._taken: float | None = None

    def add(self, loss: torch.Tensor) -> None:
        """Add the share of one batch in the loss of its optimizer step."""
        self._total = self._total + loss.detach()

    def step(self) -> None:
        """Count an optimizer step."""
        self._steps += 1

    @property
    def mean(self) -> float | None:
        """The mean over the steps since :meth:`take`; directly after it what that gave."""
        return float(self._total) / self._steps if self._steps else self._taken

    def take(self) -> float | None:
        """Return the mean and begin anew."""
        self._taken = self.mean if self._steps else None
        self._total, self._steps = 0.0, 0
        return self._taken

    def to_json(self) -> list[float]:
        """Return it ready for JSON."""
        return [float(self._total), self._steps]

    def load(self, content: Sequence[float]) -> None:
        """Become what :meth:`to_json` gave."""
        self._total, self._steps = content[0], int(content[1])


class WordLevelTrainer(OutOfMemoryTrainer):
    """A Trainer that leaves evaluation to ``after_epoch``, which scores words and keeps checkpoints.

    :param batch_tokens: sub-tokens in a batch of windows of similar length; 0: as many windows as ``args`` say.
    :param due: whether validation is scored after a step.
    :param after_evaluation: called once an epoch's evaluation is over.
    :param after_step: called after each optimizer step, once everything that resuming needs is consistent.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        args: TrainingArguments,
        train: WindowStore,
        encoding: Encoding,
        kind: Kind,
        batch_tokens: int,
        due: Callable[[int], bool],
        after_epoch: AfterEpoch,
        after_evaluation: Callable[[WordLevelTrainer], object],
        after_step: Callable[[WordLevelTrainer], object],
        interrupts: InterruptHandler,
    ) -> None:
        seed = args.data_seed if args.data_seed is not None else args.seed
        self._order = TrainSampler(
            train.lengths(),
            args.train_batch_size * args.gradient_accumulation_steps,
            seed,
            by_length=args.train_sampling_strategy == "group_by_length",
        )
        self._batches: TokenBatchSampler | None = None
        if batch_tokens:
            self._batches = TokenBatchSampler(train.lengths(), batch_tokens, seed, processes=args.world_size)
        super().__init__(
            model=model,
            args=args,
            train_dataset=TrainingWindows(train),
            data_collator=Collator(encoding, kind),
            callbacks=[_Steps(self, after_step, due, interrupts)],
        )
        self.losses = Losses()
        self._after_epoch, self._after_evaluation = after_epoch, after_evaluation
        self._mean_weight = train.mean_weight
        self.model_accepts_loss_kwargs = True  # compute_loss below divides by the items of all accumulated batches
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of train: planned by sub-tokens, or so many windows each."""
        if self._batches is None:
            return super().get_train_dataloader()
        loader: DataLoader[Any] = DataLoader(
            cast(TrainingWindows, self.train_dataset),
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean cross-entropy of the labels in an optimizer step, in fp32.

        The windows of a text weigh one together, so they are divided by their mean weight in train and not by the
        weight that happens to be in the batch.
        """
        labels, weights = inputs.pop("labels"), inputs.pop("weights", None)
        outputs = model(**inputs)
        losses = torch.nn.functional.cross_entropy(
            outputs.logits.float().flatten(0, -2),
            labels.flatten(),
            ignore_index=IGNORE_INDEX,
            reduction="none",
            label_smoothing=self.args.label_smoothing_factor,
        )
        if weights is not None:
            losses = losses * (weights / self._mean_weight)
        count = (labels != IGNORE_INDEX).sum() if num_items_in_batch is None else num_items_in_batch
        loss = losses.sum() / count
        if self.args.world_size > 1 and num_items_in_batch is not None:
            loss = loss * self.args.world_size  # the items are those of all processes, whose gradients are averaged
        if model.training:
            self.losses.add(loss)
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score validation through labelkit and let Trainer's callbacks see the figures."""
        figures = self._after_epoch(self.state.global_step, float(self.state.epoch or 0), self.losses.take())
        metrics = {f"eval_{name}": value for name, value in figures.items() if isinstance(value, int | float)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self._after_evaluation(self)
        return metrics

    # What follows are the places where Trainer goes on from a checkpoint of its own, which would be pickles.

    def _get_train_sampler(self, train_dataset: Any = None) -> TrainSampler:
        return self._order

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        resume.load_weights(self, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.load_optimizer(self, Path(checkpoint))

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Nothing: the scaler came with the optimizer."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            resume.load_random(Path(checkpoint))


class _Steps(TrainerCallback):
    def __init__(
        self,
        trainer: WordLevelTrainer,
        after_step: Callable[[WordLevelTrainer], object],
        due: Callable[[int], bool],
        interrupts: InterruptHandler,
    ) -> None:
        self._trainer, self._after_step, self._due, self._interrupts = trainer, after_step, due, interrupts

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold interrupts back."""
        self._interrupts.busy = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report an optimizer step, and say whether validation is scored after it."""
        self._trainer.losses.step()
        self._interrupts.busy = False
        self._after_step(self._trainer)  # it may end training, which is a reason to score
        control.should_evaluate = self._due(state.global_step)

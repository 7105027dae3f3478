"""``transformers.Trainer`` with labelkit's windows, word-level scoring and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from labelkit.encode.align import IGNORED, Encoding
from labelkit.encode.batches import model_inputs, pad_labels
from labelkit.encode.store import WindowStore
from labelkit.records import Kind

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
        arrays.update(model_inputs(rows, self._encoding.frame, tokenizer.pad_token_id or 0, left=left))
        if self._kind == "token":
            arrays["labels"] = pad_labels([item["labels"] for item in items], left=left)
        else:
            arrays["labels"] = np.array([item["labels"][0] for item in items], np.int64)
            arrays["weights"] = np.array([item["weight"] for item in items], np.float32)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class WordLevelTrainer(Trainer):
    """A Trainer that leaves evaluation to ``after_epoch``, which scores words and keeps checkpoints."""

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        args: TrainingArguments,
        train: WindowStore,
        encoding: Encoding,
        kind: Kind,
        after_epoch: AfterEpoch,
        on_step: Callable[[int, float], object],
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=TrainingWindows(train),
            eval_dataset=TrainingWindows(train),  # Trainer wants one; evaluate() below reads validation itself
            data_collator=Collator(encoding, kind),
            callbacks=[_Steps(on_step)],
        )
        self._after_epoch = after_epoch
        self._mean_weight = train.mean_weight
        self.model_accepts_loss_kwargs = True  # compute_loss below divides by the items of all accumulated batches
        self.remove_callback(PrinterCallback)

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
            ignore_index=IGNORED,
            reduction="none",
            label_smoothing=self.args.label_smoothing_factor,
        )
        if weights is not None:
            losses = losses * (weights / self._mean_weight)
        count = (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = losses.sum() / count
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score validation through labelkit and let Trainer's callbacks see the figures."""
        losses = [entry["loss"] for entry in self.state.log_history if "loss" in entry]
        figures = self._after_epoch(
            self.state.global_step, float(self.state.epoch or 0), losses[-1] if losses else None
        )
        metrics = {f"eval_{name}": value for name, value in figures.items() if isinstance(value, int | float)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Steps(TrainerCallback):
    def __init__(self, on_step: Callable[[int, float], object]) -> None:
        self._on_step = on_step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report an optimizer step."""
        self._on_step(state.global_step, float(state.epoch or 0))

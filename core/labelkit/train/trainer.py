"""``transformers.Trainer`` with labelkit's windows, word-level scoring and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
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

from labelkit.encode.align import Encoding
from labelkit.encode.batches import model_inputs, pad_labels
from labelkit.encode.store import WindowStore

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
        return {"input_ids": self._store[index].ids, "labels": self._store.labels(index)}


class Collator:
    """Pads a batch to its longest window."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Return the batch's tensors."""
        tokenizer = self._encoding.tokenizer
        left = tokenizer.padding_side == "left"
        rows = [item["input_ids"] for item in items]
        arrays = model_inputs(rows, self._encoding.frame, tokenizer.pad_token_id or 0, left=left)
        arrays["labels"] = pad_labels([item["labels"] for item in items], left=left)
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
        after_epoch: AfterEpoch,
        on_step: Callable[[int, float], object],
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=TrainingWindows(train),
            eval_dataset=TrainingWindows(train),  # Trainer wants one; evaluate() below reads validation itself
            data_collator=Collator(encoding),
            callbacks=[_Steps(on_step)],
        )
        self._after_epoch = after_epoch
        self.remove_callback(PrinterCallback)

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

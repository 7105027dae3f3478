"""Out-of-memory recovery: a batch is computed in parts, and its optimizer step stays the same."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]
from transformers import Trainer

from labelkit.errors import TrainingError
from labelkit.hardware import is_out_of_memory

Batch = Mapping[str, torch.Tensor]
_HINT = "choose a smaller --model, or shorter windows: --set data.max_length=128"


@contextlib.contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Convert out-of-memory errors in a ``with`` block.

    :raises TrainingError: in place of an out-of-memory error.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"out of memory: {_first_line(error)}", hint=_HINT) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def split_batch(batch: Batch, max_tokens: int | None) -> list[Batch]:
    """Split a batch between its rows into parts of at most ``max_tokens`` subwords, or of one row that has more.

    :param batch: tensors of shape (rows, …).
    """
    rows, tokens = len(batch["input_ids"]), batch["input_ids"].numel()
    if max_tokens is None or tokens <= max_tokens:
        return [batch]
    each = max(1, max_tokens * rows // tokens)
    return [{name: value[start : start + each] for name, value in batch.items()} for start in range(0, rows, each)]


class OutOfMemoryTrainer(Trainer):
    """A Trainer that recovers from running out of memory by computing batches in parts.

    The loss of a batch is the sum over its labels divided by the labels of its optimizer step, so that the gradients of
    parts add up to those of the batch. After an error the optimizer step is computed again from its first batch.

    :ivar max_tokens: subwords, padding included, that are computed at once; None as long as the memory sufficed.
    :ivar on_out_of_memory: called with the subwords that were too many, and with the new maximum.
    """

    losses: Any
    max_tokens: int | None = None
    on_out_of_memory: Callable[[int, int], object] = staticmethod(lambda tokens, max_tokens: None)
    _step_batches: Sequence[Any] = ()
    _losses_before: Any = None

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute the gradients of a batch and return its loss.

        :raises TrainingError: a single row is too large for the memory.
        """
        if not self._step_batches:
            self._losses_before = copy.copy(self.losses)
        self._step_batches = (*self._step_batches, inputs)
        loss = self._try_batches(model, [inputs], num_items_in_batch)
        while loss is None:  # not in the exception handler, which would keep the tensors of the attempt alive
            model.zero_grad()
            self.losses = copy.copy(self._losses_before)
            clear_device_cache(garbage_collection=True)
            loss = self._try_batches(model, self._step_batches, num_items_in_batch)
        if self.accelerator.sync_gradients:  # the last batch of its optimizer step
            self._step_batches = ()
        return loss

    def _try_batches(self, model: torch.nn.Module, batches: Sequence[Any], items: Any) -> torch.Tensor | None:
        """Return the loss of the last of ``batches``; None after running out of memory, with a lower maximum."""
        loss = None
        for batch in batches:
            loss = None
            for part in split_batch(batch, self.max_tokens):
                try:
                    part_loss = super().training_step(model, dict(part), items)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    self._halve_max_tokens(part, error)
                    return None
                loss = part_loss if loss is None else loss + part_loss
        return loss

    def _halve_max_tokens(self, part: Batch, error: BaseException) -> None:
        rows, tokens = len(part["input_ids"]), part["input_ids"].numel()
        if self.args.world_size > 1:  # the other processes wait for the gradients of the failed attempt
            raise TrainingError(
                f"out of memory on one device with {tokens:,} subwords at once",
                hint="with several devices batches are not split automatically: choose smaller ones",
            ) from error
        if rows == 1:
            raise TrainingError(
                f"out of memory for one window of {tokens:,} subwords: {_first_line(error)}", hint=_HINT
            ) from error
        self.max_tokens = tokens // 2
        self.on_out_of_memory(tokens, self.max_tokens)

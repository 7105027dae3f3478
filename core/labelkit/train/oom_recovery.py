"""Memory that does not suffice: a batch is then computed in parts, and its optimizer step stays what it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size  # type: ignore[import-untyped]
from transformers import Trainer

from labelkit.errors import TrainingError

Batch = Mapping[str, torch.Tensor]
_HINT = "choose a smaller --model, or shorter windows: --set data.max_length=128"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether ``error`` says that there is not enough memory, of a GPU or of the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        should_reduce_batch_size(error) or "CUBLAS_STATUS_ALLOC_FAILED" in str(error)
    )


@contextlib.contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Say a shortage of memory in plain words.

    :raises TrainingError: there was one.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"the memory does not suffice: {_first_line(error)}", hint=_HINT) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def subword_count(batch: Batch) -> int:
    """Return how many sub-tokens a batch has, padding included."""
    return batch["input_ids"].numel()


def split_batch(batch: Batch, most: int | None) -> list[Batch]:
    """Cut a batch between its rows into parts of at most ``most`` sub-tokens, or of one row where that has more.

    :param batch: tensors of shape (rows, …).
    """
    rows = len(batch["input_ids"])
    if most is None or subword_count(batch) <= most:
        return [batch]
    each = max(1, most * rows // subword_count(batch))
    return [{name: value[start : start + each] for name, value in batch.items()} for start in range(0, rows, each)]


class OutOfMemoryTrainer(Trainer):
    """A Trainer that computes a batch in parts once the memory did not suffice for so much at once.

    The loss of a batch is the sum over its labels divided by the labels of its optimizer step, so the gradients of
    parts add up to those of the whole. After a shortage the optimizer step is computed anew from its first batch.

    :ivar most: sub-tokens, padding included, that are computed at once; None as long as the memory sufficed.
    :ivar on_out_of_memory: told the sub-tokens that were too many, and how many are tried from now on.
    """

    losses: Any
    most: int | None = None
    on_out_of_memory: Callable[[int, int], object] = staticmethod(lambda size, most: None)
    _of_step: Sequence[Any] = ()
    _losses_before: Any = None

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the loss of a batch, whose gradients are then there.

        :raises TrainingError: a single row is too much.
        """
        if not self._of_step:
            self._losses_before = copy.copy(self.losses)
        self._of_step = (*self._of_step, inputs)
        loss = self._attempt(model, [inputs], num_items_in_batch)
        while loss is None:  # not in the handler of the error: that would keep the tensors of the attempt alive
            model.zero_grad()
            self.losses = copy.copy(self._losses_before)
            clear_device_cache(garbage_collection=True)
            loss = self._attempt(model, self._of_step, num_items_in_batch)
        if self.accelerator.sync_gradients:  # that was the last batch of its optimizer step
            self._of_step = ()
        return loss

    def _attempt(self, model: torch.nn.Module, batches: Sequence[Any], items: Any) -> torch.Tensor | None:
        """Return the loss of the last of ``batches``; None where the memory did not suffice, after halving."""
        loss = None
        for batch in batches:
            loss = None
            for part in split_batch(batch, self.most):
                try:
                    one = super().training_step(model, dict(part), items)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    self._halve(part, error)
                    return None
                loss = one if loss is None else loss + one
        return loss

    def _halve(self, part: Batch, error: BaseException) -> None:
        size, rows = subword_count(part), len(part["input_ids"])
        if self.args.world_size > 1:  # the others wait for the gradients of an attempt that is over
            raise TrainingError(
                f"the memory of one device does not suffice for {size:,} sub-tokens at once",
                hint="with several devices batches are not made smaller by themselves: choose smaller ones",
            ) from error
        if rows == 1:
            raise TrainingError(
                f"the memory does not suffice for one window of {size:,} sub-tokens: {_first_line(error)}", hint=_HINT
            ) from error
        self.most = size // 2
        self.on_out_of_memory(size, self.most)

"""The Trainer of several tasks over one encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from labelkit.models.heads import BoundHead
from labelkit.models.joint import joint_loss, labelled_rows
from labelkit.train.joint_windows import labels_key, shares_key, unknown_key
from labelkit.train.trainer import WordLevelTrainer


class JointTrainer(WordLevelTrainer):
    """A Trainer whose batches hold the labels of several tasks.

    :param heads: task → what computes its losses.
    :param weights: task → the factor of its mean loss.
    """

    def __init__(self, *, heads: Mapping[str, BoundHead], weights: Mapping[str, float], **options: Any) -> None:
        super().__init__(head=next(iter(heads.values())), **options)
        self._heads, self._weights = heads, weights

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | None:
        """Return the labels of each task in the batches of an optimizer step, of shape (tasks,)."""
        if not batch_samples:
            return None
        counts = torch.stack(
            [
                torch.stack(
                    [labelled_rows(batch[labels_key(task)], head.context.schema).sum() for batch in batch_samples]
                )
                for task, head in self._heads.items()
            ]
        ).sum(dim=1)
        if self.args.world_size > 1:
            gathered: torch.Tensor = self.accelerator.gather(counts.to(device)[None])
            counts = gathered.sum(dim=0)
        return counts.to(device)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the joint loss of a batch, with the labels of its optimizer step as denominators, in fp32."""
        labels = {task: inputs.pop(labels_key(task)) for task in self._heads}
        shares = {task: inputs.pop(key) for task in self._heads if (key := shares_key(task)) in inputs}
        unknown = {task: inputs.pop(key) for task in self._heads if (key := unknown_key(task)) in inputs}
        outputs = model(**inputs)
        counts = None
        if isinstance(num_items_in_batch, torch.Tensor):
            counts = dict(zip(self._heads, num_items_in_batch, strict=True))
        loss = joint_loss(outputs, labels, self._heads, self._weights, shares=shares, counts=counts, unknown=unknown)
        if self.args.world_size > 1 and counts is not None:
            loss = loss * self.args.world_size  # the counts are of all processes, whose gradients are averaged
        if model.training:
            self.losses.add(loss)
        return (loss, outputs) if return_outputs else loss

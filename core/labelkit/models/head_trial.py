"""Try a head on made-up outputs of a linear layer: before training, and in contract checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from labelkit.errors import LabelkitError
from labelkit.labels.label_sets import multi_hot
from labelkit.models.heads import BoundHead
from labelkit.records.heads import IGNORE_INDEX

if TYPE_CHECKING:
    import torch

#: subwords before the first label of a window, and after the last one
MARGIN = 1


@dataclass(frozen=True, slots=True)
class HeadTrial:
    """A head with a new module, and windows with labels.

    :param module: the head's module; None where it has none.
    :param raw: what the linear layer gives, float32 of shape (windows, length, width), or (windows, width) for texts.
    :param attention: the attention mask, int64 of shape (windows, length).
    :param labels: as a loss gets them.
    """

    head: BoundHead
    module: torch.nn.Module | None
    raw: torch.Tensor
    attention: torch.Tensor
    labels: torch.Tensor

    @classmethod
    def of(cls, head: BoundHead, rows: Sequence[Sequence[float]], scale: float = 1.0) -> Self:
        """Return a trial with random outputs, in one window for each example.

        :param rows: the label ids of the words of each example, or the one of a text.
        :param scale: the standard deviation of the outputs.
        :raises LabelkitError: the head fails.
        """
        import torch

        width, random = len(head.output_names), torch.Generator().manual_seed(7)
        schema = head.context.schema
        if schema.kind == "text":
            if schema.multilabel:
                labels = torch.from_numpy(multi_hot(rows, len(schema.label_names)))
            else:
                labels = torch.tensor([row[0] for row in rows])  # float32 where these are numbers
            attention = torch.ones(len(rows), 4, dtype=torch.int64)
            raw = torch.randn(len(rows), width, generator=random)
        else:
            longest = max(len(row) for row in rows) + 2 * MARGIN
            labels = torch.full((len(rows), longest), IGNORE_INDEX)
            attention = torch.zeros(len(rows), longest, dtype=torch.int64)
            for window, row in enumerate(rows):
                labels[window, MARGIN : MARGIN + len(row)] = torch.tensor(row, dtype=torch.int64)
                attention[window, : len(row) + 2 * MARGIN] = 1
            raw = torch.randn(len(rows), longest, width, generator=random)
        return cls(head, head.new_module(), raw * scale, attention, labels)

    def window(self, index: int) -> HeadTrial:
        """Return a trial of one window alone, with the same module."""
        one = slice(index, index + 1)
        return replace(self, raw=self.raw[one], attention=self.attention[one], labels=self.labels[one])

    def outputs(self, raw: torch.Tensor | None = None) -> torch.Tensor:
        """Return the outputs of the head.

        :param raw: in place of :attr:`raw`.
        :raises LabelkitError: its module fails, or returns another shape.
        """
        given = self.raw if raw is None else raw
        if self.module is None:
            return given
        try:
            found: torch.Tensor = self.module(given, self.attention)
        except Exception as error:
            raise self.head.failure("forward", error) from error
        if found.shape[:-1] != given.shape[:-1]:
            raise LabelkitError(
                f"forward() of head '{self.head.head.name}' returned shape {tuple(found.shape)} for outputs of shape "
                f"{tuple(given.shape)}",
                hint="keep all dimensions but the last",
            )
        return found

    def loss(self, raw: torch.Tensor | None = None) -> torch.Tensor:
        """Return the sum of the losses, whose gradient training follows.

        :param raw: in place of :attr:`raw`.
        :raises LabelkitError: the head fails, or the loss is not finite.
        """
        return self.loss_of(self.outputs(raw))

    def loss_of(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the sum of the losses of some outputs of the head.

        :raises LabelkitError: the head fails, or the loss is not finite.
        """
        parameters = dict(self.module.named_parameters()) if self.module is not None else {}
        losses = self.head.losses(outputs, self.labels, parameters)
        if not losses.isfinite().all():
            raise LabelkitError(f"loss() of head '{self.head.head.name}' returned what is not finite")
        total: torch.Tensor = losses.sum()
        return total


def try_head(head: BoundHead, rows: Sequence[Sequence[float]]) -> None:
    """Compute outputs, loss, its gradient and scores of a head, as training does.

    :param rows: the label ids of the words of each example, or those of a text.
    :raises LabelkitError: the head fails, or returns what cannot be used.
    """
    if not (rows := [row for row in rows if len(row) or head.context.schema.multilabel]):
        return
    trial = HeadTrial.of(head, rows)
    raw = trial.raw.requires_grad_()
    loss = trial.loss(raw)
    try:
        loss.backward()
    except RuntimeError as error:
        raise head.failure("loss", error) from error
    found = trial.outputs().detach().float().flatten(0, -2).numpy()
    head.scores(found)
    _check_parts(trial)


def _check_parts(trial: HeadTrial) -> None:
    """Raise unless the loss of a batch is the sum of the losses of its windows.

    :raises LabelkitError: it is not: the loss is a mean, which would make words of short batches count more.
    """
    import torch

    if trial.module is not None:
        trial.module.eval()  # without dropout
    with torch.no_grad():
        whole = trial.loss()
        parts = torch.stack([trial.window(index).loss() for index in range(len(trial.raw))]).sum()
    if not torch.allclose(whole, parts, rtol=1e-2, atol=1e-3):
        raise LabelkitError(
            f"loss() of head '{trial.head.head.name}' gives {float(whole):.4g} for a batch, and {float(parts):.4g} for "
            "its windows one by one together",
            hint="return a loss for each label or window, and no mean: core divides by the number of labels",
        )

"""The exponential moving average (EMA) of the trained weights, which often labels better than the last weights do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError

#: how the tensors of an average are called in a training state
_PREFIX = "average."
#: arguments of transformers that leave only a part of the weights in each process
_SHARDING = ("fsdp", "deepspeed")


def decay_after(step: int, decay: float) -> float:
    """Return the decay of an average after a step: it grows to ``decay``, so that early weights are soon forgotten.

    The warm-up is that of TensorFlow's ``ExponentialMovingAverage``. The average spans about a ninth of the steps done,
    until it spans ``1 / (1 - decay)`` steps.

    >>> decay_after(1, 0.999), decay_after(80, 0.999), decay_after(100_000, 0.999)
    (0.18181818181818182, 0.9, 0.999)

    :param step: optimizer steps done, from 1 on.
    """
    return min(decay, (1 + step) / (10 + step))


def check_average(plan: Plan) -> None:
    """Raise if the weights of a plan cannot be averaged.

    :raises LabelkitError: no process holds all of them.
    """
    for name in _SHARDING:
        if plan.train.ema_decay is not None and plan.train.trainer.get(name):
            raise LabelkitError(
                f"train.ema_decay cannot be combined with train.{name}, which distributes the weights over processes",
                hint="leave out one of them",
            )


class WeightAverage:
    """The moving average of the weights of a model that are trained; frozen ones are not copied.

    :param model: on its device. Its parameters stay the same objects.
    :param decay: once warmed up, see :func:`decay_after`; at least 0 and below 1.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        self._weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._averages = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def update(self, step: int) -> None:
        """Take the weights after an optimizer step into the average.

        :param step: optimizer steps done.
        """
        take_in = get_ema_multi_avg_fn(decay_after(step, self._decay))
        take_in(list(self._averages.values()), list(self._weights.values()), step)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model compute with the average in a ``with`` block; afterwards its weights are what they were."""
        before = {name: weight.data for name, weight in self._weights.items()}
        try:
            for name, weight in self._weights.items():
                weight.data = self._averages[name]
            yield
        finally:
            for name, weight in self._weights.items():
                weight.data = before[name]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the average for a training state, by the names of the weights."""
        return {f"{_PREFIX}{name}": average.contiguous() for name, average in self._averages.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Restore what :meth:`tensors` returned.

        :raises KeyError: a weight is missing. RuntimeError: it has another shape.
        """
        for name, average in self._averages.items():
            average.copy_(tensors[f"{_PREFIX}{name}"])

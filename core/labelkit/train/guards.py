"""Guards that stop training early: NaN loss, divergence, and the time limit."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from time import monotonic
from typing import Any, NoReturn, Protocol

from labelkit.config.plan import Plan
from labelkit.errors import TrainingError

#: optimizer steps over which the median loss is taken
WINDOW = 100
#: training diverges when the median loss exceeds this multiple of its minimum, and above its first value
DIVERGENCE_FACTOR = 3.0
#: training diverges from the start when the median loss is above this, and above a multiple of the loss of the first
#: step; random guesses among a hundred labels have a lower loss
DIVERGENCE_FLOOR = 5.0
#: device → steps between two checks, of which each waits for the GPU
CHECK_INTERVAL = {"cpu": 1, "cuda": 10}


class LossSum(Protocol):
    """A sum of losses, see :class:`labelkit.train.trainer.RunningLoss`."""

    def to_json(self) -> list[float]:
        """Return the sum of the losses, and the number of steps."""


class LossGuard:
    """Checks the training loss for NaN and divergence, by its mean over every few steps.

    Training diverges when the median loss of the last :data:`WINDOW` steps is above :data:`DIVERGENCE_FACTOR` times the
    least such median so far and above the first one; it is the median because single batches are outliers. Or when
    nine in ten of these losses are above :data:`DIVERGENCE_FLOOR` and :data:`DIVERGENCE_FACTOR` times the loss of the
    first step: that is a single batch, which may be an easy one where losses are noisy.

    :param every: steps between two checks.
    :param advice: the hint of the errors.
    """

    def __init__(self, every: int, advice: str) -> None:
        self._every, self._advice = every, advice
        self._waited = self._steps = 0
        self._seen = (0.0, 0)
        self._carried = (0.0, 0)
        self._recent: deque[float] = deque(maxlen=max(1, WINDOW // every))
        self._start: float | None = None
        self._first: float | None = None
        self._best = math.inf

    def step(self, step: int, losses: LossSum, *, now: bool = False) -> None:
        """Check the loss after an optimizer step, where a check is due.

        :param now: check in any case.
        :raises TrainingError: the loss is NaN or infinite, or diverges.
        """
        self._waited, self._steps = self._waited + 1, self._steps + 1
        if self._start is None:  # before the first step has changed anything
            total, steps = losses.to_json()
            self._start = total / steps
        if self._waited < self._every and not now:
            return
        self._waited = 0
        total, steps = self._since_last_check(*losses.to_json())
        self._carried = (0.0, 0)
        if steps:
            self._check_divergence(step, total / steps)

    def _since_last_check(self, total: float, steps: float) -> tuple[float, int]:
        """Return the sum of the losses since the last check, and the number of steps."""
        (before, seen), (carried, more) = self._seen, self._carried
        self._seen, self._steps = (total, int(steps)), int(steps)
        return total - before + carried, int(steps) - seen + more

    def epoch(self, step: int, mean: float | None) -> None:
        """Check the mean loss at an evaluation, after which the sum of losses starts again from zero.

        :raises TrainingError: it is NaN or infinite.
        """
        if mean is not None:
            self._check_finite(step, mean)
            self._carried = self._since_last_check(mean * self._steps, self._steps)
        self._seen, self._steps = (0.0, 0), 0

    def validation(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Check the validation loss: the last step may have spoilt the weights though its loss was finite.

        :raises TrainingError: it is NaN or infinite.
        """
        self._check_finite(step, metrics.get("loss", 0.0), "validation")

    def to_json(self) -> dict[str, Any]:
        """Return the state of the guard for JSON."""
        best = None if math.isinf(self._best) else self._best
        summed = {"steps": self._steps, "seen": self._seen, "carried": self._carried}
        return {
            **summed,
            "waited": self._waited,
            "recent": list(self._recent),
            "first": self._first,
            "best": best,
            "start": self._start,
        }

    def load(self, content: Mapping[str, Any]) -> None:
        """Restore what :meth:`to_json` returned."""
        self._steps, self._waited = content["steps"], content["waited"]
        self._seen = (content["seen"][0], content["seen"][1])
        self._carried = (content["carried"][0], content["carried"][1])
        self._recent.extend(content["recent"])
        self._start, self._first = content.get("start"), content["first"]
        self._best = math.inf if content["best"] is None else content["best"]

    def _check_divergence(self, step: int, loss: float) -> None:
        self._check_finite(step, loss)
        self._recent.append(loss)
        if len(self._recent) < (self._recent.maxlen or 0):
            return
        middle = median(self._recent)
        self._first = middle if self._first is None else self._first
        self._best = min(self._best, middle)
        if middle > DIVERGENCE_FACTOR * self._best and middle > self._first:
            self._raise_divergence(step, middle, self._best)
        low = sorted(self._recent)[len(self._recent) // 10]
        if self._start is not None and low > max(DIVERGENCE_FLOOR, DIVERGENCE_FACTOR * self._start):
            self._raise_divergence(step, middle, self._start)

    def _raise_divergence(self, step: int, loss: float, before: float) -> NoReturn:
        raise TrainingError(
            f"the training loss diverges: about {loss:.3g} at step {step:,}, it was {before:.3g}", hint=self._advice
        )

    def _check_finite(self, step: int, loss: float, of: str = "training") -> None:
        if not math.isfinite(loss):
            raise TrainingError(f"the {of} loss is NaN or infinite at step {step:,}", hint=self._advice)


def loss_guard(plan: Plan, device: str) -> LossGuard:
    """Return the guard of a run on ``device``, with advice for its settings."""
    parts = [f"lower --lr (it is {plan.train.learning_rate:g})"]
    if not plan.train.warmup_steps:
        parts.append("warm up: --set train.warmup_steps=0.1")
    if plan.train.precision != "fp32":
        parts.append("train in fp32: --set train.precision=fp32")
    if not plan.train.max_grad_norm:
        parts.append("clip gradients: --set train.max_grad_norm=1")
    return LossGuard(CHECK_INTERVAL.get(device, 1), "; or ".join(parts))


class TimeLimit:
    """The time limit of training, earlier attempts of a resumed run included.

    :param minutes: None for no limit.
    :param spent: seconds of training in earlier attempts.
    :param at_step: stop after this step in place of the time, to reproduce a run that the limit stopped.
    """

    def __init__(self, minutes: float | None, spent: float = 0.0, *, at_step: int | None = None) -> None:
        self._minutes, self._spent, self._at_step = minutes, spent, at_step
        self._started: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self._started = monotonic()

    @property
    def seconds(self) -> float:
        """How long training has taken."""
        return self._spent + (0.0 if self._started is None else monotonic() - self._started)

    def reached(self, step: int) -> bool:
        """Return whether training has to stop after ``step``."""
        if self._at_step is not None:
            return step >= self._at_step
        return self._minutes is not None and self.seconds >= self._minutes * 60

    def message(self, step: int, steps: int) -> str:
        """Return the note that training was stopped after ``step`` of ``steps``."""
        repeats = self._at_step is not None
        why = "where the run that it repeats was stopped" if repeats else f"after {self._minutes:g} minutes"
        return f"training was stopped {why}: step {step:,} of {steps:,} (train.max_minutes)"

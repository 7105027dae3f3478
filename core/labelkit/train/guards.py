"""What stops training early: a loss that is no number or runs away, and a limit of time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from time import monotonic
from typing import Any, NoReturn, Protocol

from labelkit.config.plan import Plan
from labelkit.errors import TrainingError

#: steps whose middle loss is looked at
WINDOW = 100
#: so many times its best, and above its start, the middle loss runs away
TIMES = 3.0
#: above this, and so many times the loss of the first step, it ran away from the start; a hundred labels guessed at
#: random lose less
FLOOR = 5.0
#: device → steps between two looks: each one waits for a GPU to finish
EVERY = {"cpu": 1, "cuda": 10}


class Summed(Protocol):
    """Losses that are summed up somewhere, see :class:`labelkit.train.trainer.Losses`."""

    def to_json(self) -> list[float]:
        """Return the sum of the losses of some steps, and how many steps those are."""


class LossGuard:
    """Watches the training loss, of which it sees the mean of every few steps.

    A loss runs away when the median of what it was in the last :data:`WINDOW` steps is above :data:`TIMES` the least
    such median so far and above the first one; or above :data:`FLOOR` and :data:`TIMES` the loss of the first step. A
    median, because single batches may well be far off.

    :param every: steps between two looks.
    :param advice: what to do about it.
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

    def step(self, step: int, losses: Summed, *, now: bool = False) -> None:
        """Hear that the optimizer step ``step`` is done.

        :param now: look, whether it is time or not.
        :raises TrainingError: the loss is no number, or runs away.
        """
        self._waited, self._steps = self._waited + 1, self._steps + 1
        if self._start is None:  # before the first step has changed anything
            total, steps = losses.to_json()
            self._start = total / steps
        if self._waited < self._every and not now:
            return
        self._waited = 0
        total, steps = self._unseen(*losses.to_json())
        self._carried = (0.0, 0)
        if steps:
            self._look(step, total / steps)

    def _unseen(self, total: float, steps: float) -> tuple[float, int]:
        """Return the sum of the losses since the last look, and of how many steps it is."""
        (before, seen), (carried, more) = self._seen, self._carried
        self._seen, self._steps = (total, int(steps)), int(steps)
        return total - before + carried, int(steps) - seen + more

    def epoch(self, step: int, mean: float | None) -> None:
        """Hear the mean loss of an epoch, from which on it is summed up anew.

        :raises TrainingError: it is no number.
        """
        if mean is not None:
            self._check(step, mean)
            self._carried = self._unseen(mean * self._steps, self._steps)
        self._seen, self._steps = (0.0, 0), 0

    def validation(self, step: int, figures: Mapping[str, Any]) -> None:
        """Hear what validation scored; the last step before it may have spoilt the weights though its loss was fine.

        :raises TrainingError: the loss on validation is no number.
        """
        self._check(step, figures.get("loss", 0.0), "validation")

    def to_json(self) -> dict[str, Any]:
        """Return what it knows, ready for JSON."""
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
        """Become what :meth:`to_json` gave."""
        self._steps, self._waited = content["steps"], content["waited"]
        self._seen = (content["seen"][0], content["seen"][1])
        self._carried = (content["carried"][0], content["carried"][1])
        self._recent.extend(content["recent"])
        self._start, self._first = content.get("start"), content["first"]
        self._best = math.inf if content["best"] is None else content["best"]

    def _look(self, step: int, loss: float) -> None:
        self._check(step, loss)
        self._recent.append(loss)
        if len(self._recent) < (self._recent.maxlen or 0):
            return
        middle = median(self._recent)
        self._first = middle if self._first is None else self._first
        self._best = min(self._best, middle)
        if middle > TIMES * self._best and middle > self._first:
            self._stop(step, middle, self._best)
        if self._start is not None and middle > max(FLOOR, TIMES * self._start):
            self._stop(step, middle, self._start)

    def _stop(self, step: int, loss: float, before: float) -> NoReturn:
        raise TrainingError(
            f"the training loss runs away: about {loss:.3g} at step {step:,}, it was {before:.3g}", hint=self._advice
        )

    def _check(self, step: int, loss: float, of: str = "training") -> None:
        if not math.isfinite(loss):
            raise TrainingError(f"the {of} loss is not a number any more at step {step:,}", hint=self._advice)


def loss_guard(plan: Plan, device: str) -> LossGuard:
    """Return the guard of a run on ``device``."""
    return LossGuard(EVERY.get(device, 1), _advice(plan))


def _advice(plan: Plan) -> str:
    parts = [f"lower --lr (it is {plan['train.learning_rate']:g})"]
    if not plan["train.warmup_steps"]:
        parts.append("warm up: --set train.warmup_steps=0.1")
    if plan["train.precision"] != "fp32":
        parts.append("train in fp32: --set train.precision=fp32")
    if not plan["train.max_grad_norm"]:
        parts.append("clip gradients: --set train.max_grad_norm=1")
    return "; or ".join(parts)


class TimeLimit:
    """When training has lasted long enough; time that earlier attempts took counts.

    :param minutes: None for no limit.
    :param spent: seconds that training took before.
    :param at_step: stop after this step in place of the time: so a run that a limit stopped is repeated.
    """

    def __init__(
        self,
        minutes: float | None,
        spent: float = 0.0,
        *,
        at_step: int | None = None,
    ) -> None:
        self._minutes, self._spent, self._at_step = minutes, spent, at_step
        self._begun: float | None = None

    def begin(self) -> None:
        """Hear that training begins, or goes on."""
        self._begun = monotonic()

    @property
    def seconds(self) -> float:
        """How long training has lasted."""
        return self._spent + (0.0 if self._begun is None else monotonic() - self._begun)

    def over(self, step: int) -> bool:
        """Return whether training stops after ``step``."""
        if self._at_step is not None:
            return step >= self._at_step
        return self._minutes is not None and self.seconds >= self._minutes * 60

    def said(self, step: int, steps: int) -> str:
        """Return in words that training was stopped after ``step`` of ``steps``."""
        repeats = self._at_step is not None
        why = "where the run that it repeats was stopped" if repeats else f"after {self._minutes:g} minutes"
        return f"training was stopped {why}: step {step:,} of {steps:,} (train.max_minutes)"

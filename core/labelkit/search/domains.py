"""The values that a search may give to a setting: a range of numbers, or choices."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_SCALARS = (bool, int, float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    :param log: sampled uniformly on a logarithmic scale.
    :param step: the distance of neighbouring values; None: any value between, or any integer.
    :param integer: only whole numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    def distribution(self) -> BaseDistribution:
        """Return it for Optuna."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.integer:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def decode(self, value: Any) -> Any:
        """Return the value of the setting for a parameter of Optuna."""
        return value

    def encode(self, value: Any) -> Any:
        """Return the parameter of Optuna for a value of the setting; None where the range does not hold it."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            return None
        if self.step is not None and not math.isclose((value - self.low) / self.step % 1, 0, abs_tol=1e-9):
            return None
        return int(value) if self.integer else float(value)

    def values(self) -> list[Any] | None:
        """Return all values, None where there are too many to be a grid."""
        if self.step is None and not self.integer:
            return None
        step = self.step or 1
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        found = [self.low + index * step for index in range(count)]
        return [int(value) for value in found] if self.integer else [round(value, 12) for value in found]

    def __str__(self) -> str:
        extra = (" log" if self.log else "") + (f" step {self.step:g}" if self.step is not None else "")
        return f"{self.low:g} to {self.high:g}{extra}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Any of some values."""

    choices: tuple[Any, ...]

    def distribution(self) -> BaseDistribution:
        """Return it for Optuna, whose categories are scalars: lists and tables are JSON there."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([self._category(value) for value in self.choices])

    def decode(self, value: Any) -> Any:
        """Return the value of the setting for a parameter of Optuna."""
        return next(choice for choice in self.choices if self._same(self._category(choice), value))

    def encode(self, value: Any) -> Any:
        """Return the parameter of Optuna for a value of the setting; None where it is no choice."""
        plain = list(value) if isinstance(value, tuple) else value
        found = (choice for choice in self.choices if self._same(choice, plain))
        return next(map(self._category, found), None)

    def values(self) -> list[Any] | None:
        """Return all values."""
        return list(self.choices)

    @staticmethod
    def _category(value: Any) -> Any:
        return value if isinstance(value, _SCALARS) else json.dumps(value, sort_keys=True, allow_nan=False)

    @staticmethod
    def _same(one: Any, other: Any) -> bool:
        """Return whether two values are equal; of Python's ``1 == True`` they are not."""
        return one == other and isinstance(one, bool) == isinstance(other, bool)

    def __str__(self) -> str:
        return ", ".join(json.dumps(value, ensure_ascii=False, allow_nan=False) for value in self.choices)


Domain = Range | Choices
#: setting → the values that a search may give it
Space = Mapping[str, Domain]


def space_to_json(space: Space) -> dict[str, Any]:
    """Return a space for JSON."""
    return {key: asdict(domain) for key, domain in space.items()}


def space_from_json(content: Mapping[str, Any]) -> dict[str, Domain]:
    """Return the space that :func:`space_to_json` returned."""
    return {
        key: Choices(choices=tuple(one["choices"])) if "choices" in one else Range(**one)
        for key, one in content.items()
    }


def grid(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return all combinations of a space as parameters of Optuna, in an order that ``seed`` shuffles.

    :raises LabelkitError: a range has too many values.
    """
    columns = []
    for key, domain in space.items():
        values = domain.values()
        if values is None:
            raise LabelkitError(
                f"--sampler grid needs a list or a step for {key}, not any value in {domain}",
                hint="write the values as a list, or add step = X",
            )
        columns.append([(key, domain.encode(value)) for value in values])
    if math.prod(map(len, columns)) > _MOST_POINTS:
        raise LabelkitError(
            f"the grid has {math.prod(map(len, columns)):,} points, at most {_MOST_POINTS:,} can be searched",
            hint="name fewer settings or values, or use --sampler tpe",
        )
    points = [dict(point) for point in itertools.product(*columns)]
    random.Random(seed).shuffle(points)  # noqa: S311
    return points


_MOST_POINTS = 100_000

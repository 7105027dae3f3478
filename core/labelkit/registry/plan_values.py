"""The settings of a run as the registry stores them: text, and a number for comparisons."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from labelkit.settings import is_plugin_key


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanValue:
    """A setting of the resolved plan.

    :param text: the value as text, or as JSON if it is not a string; of plugins also a string that reads as JSON.
    :param number: the value if it is a number, for comparisons.
    :param origin: where the value came from: a default, a recipe, a flag, ``auto`` …
    """

    key: str
    text: str
    number: float | None = None
    origin: str = ""

    @classmethod
    def of(cls, key: str, value: object, origin: str = "") -> PlanValue:
        """Return the setting ``key`` with a plain ``value``.

        >>> PlanValue.of("train.epochs", 3, "recipe quickstart")
        PlanValue(key='train.epochs', text='3', number=3.0, origin='recipe quickstart')
        """
        is_plain = isinstance(value, str) and not (is_plugin_key(key) and _is_json(value))
        is_plain = is_plain or (isinstance(value, float) and not math.isfinite(value))  # JSON has no such numbers
        text = str(value) if is_plain else json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return cls(key=key, text=text, number=float(value) if numeric else None, origin=origin)  # type: ignore[arg-type]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

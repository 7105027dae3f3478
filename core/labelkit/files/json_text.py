"""JSON as labelkit writes it, with one rule for values that JSON lacks."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

#: half a surrogate pair: JSON can hold it escaped, UTF-8 cannot
_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(document: object) -> str:
    """Return ``document`` as indented JSON; NaN and infinities become null, paths and times text.

    >>> print(to_json({"loss": float("nan"), "ids": (1, 2)}))
    {
      "loss": null,
      "ids": [
        1,
        2
      ]
    }
    """
    text = json.dumps(_finite(document), ensure_ascii=False, indent=2, default=str, allow_nan=False)
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def to_json_line(document: object) -> str:
    """Return ``document`` as JSON on one line, by the rules of :func:`to_json`.

    >>> to_json_line({"loss": float("inf")})
    '{"loss": null}'
    """
    return json.dumps(_finite(document), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

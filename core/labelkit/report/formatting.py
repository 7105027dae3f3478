"""Values as text for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

#: scores that are counts, also where they are 0 or 1
COUNTS = frozenset({"support", "repaired", "improper", "seen_train", "seen_validation", "accepted"})
NOTHING = "–"


def figure(value: object, name: str = "") -> str:
    """Return a value with four decimal places, or as an integer if it is a count.

    :param name: of the score: some are counts whatever their value.

    >>> figure(0.54972), figure(42.0), figure(1.0), figure(0.0, "repaired"), figure(2e-7), figure(None)
    ('0.5497', '42', '1.0000', '0', '2e-07', '–')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return str(value)
    if isinstance(value, int) or name in COUNTS or (value.is_integer() and 1 < abs(value) < 1e15):
        return f"{value:,.0f}"
    return f"{value:.4f}" if value in (0, 1) or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


def score_name(name: str) -> str:
    """Return the name of a score for people.

    >>> score_name("span_f1"), score_name("seqeval-strict.improper"), score_name("macro_f1")
    ('boundary f1', 'seqeval-strict.invalid tags', 'macro_f1')
    """
    prefix, dot, last = name.rpartition(".")
    known = {"repaired": "repaired tags", "improper": "invalid tags"}.get(last, last)
    return f"{prefix}{dot}boundary {known.removeprefix('span_')}" if known.startswith("span_") else prefix + dot + known


def interval(pair: Sequence[float] | None) -> str:
    """Return an interval; empty if there is none."""
    return f"[{figure(pair[0])}, {figure(pair[1])}]" if pair else ""


def timestamp(moment: datetime | None) -> str:
    """Return a moment in UTC, since a page is read anywhere."""
    return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    """Return a duration in seconds, minutes or hours.

    >>> duration(108.2), duration(1500), duration(9000)
    ('108 s', '25 min', '2 h 30 min')
    """
    if seconds is None:
        return NOTHING
    if seconds < 600:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if seconds < 7200 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes in KiB or MiB."""
    return f"{count / 2**20:,.1f} MiB" if count >= 1 << 20 else f"{count / 1024:,.1f} KiB"


def epoch(value: float) -> str:
    """Return an epoch, which may be fractional."""
    return f"{round(value, 2):g}"


def times(count: int) -> str:
    """Return how often something happened, in words."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def truncate(text: str, length: int) -> str:
    """Return a text of at most ``length`` characters, cut with … at its end."""
    return text if len(text) <= length else f"{text[: length - 1]}…"

"""The one place that reads environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    """What labelkit takes from its surroundings.

    :param home: ``LABELKIT_HOME``, the folder of all state; None to look for ``labelkit-runs`` upwards.
    :param registry: ``LABELKIT_REGISTRY``, the SQLAlchemy URL of another database.
    :param data: ``LABELKIT_DATA``, the folder of corpora.
    :param plugins: ``LABELKIT_PLUGINS``, the only plugins to load; None for all.
    :param offline: ``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` is set.
    """

    home: Path | None = None
    registry: str | None = None
    data: Path | None = None
    plugins: tuple[str, ...] | None = None
    offline: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Read it from ``environ``."""
        plugins = environ.get("LABELKIT_PLUGINS")
        return cls(
            home=_path(environ.get("LABELKIT_HOME")),
            registry=environ.get("LABELKIT_REGISTRY") or None,
            data=_path(environ.get("LABELKIT_DATA")),
            plugins=None if plugins is None else tuple(name.strip() for name in plugins.split(",") if name.strip()),
            offline=any(_is_true(environ.get(name)) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _is_true(text: str | None) -> bool:
    return (text or "").strip().upper() in {"1", "ON", "YES", "TRUE"}

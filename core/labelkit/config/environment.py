"""What labelkit takes from environment variables; where its state lives is read by ``registry/home.py``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    """What labelkit takes from its surroundings.

    :param data: ``LABELKIT_DATA``, the folder of corpora.
    :param plugins: ``LABELKIT_PLUGINS``, the only plugins to load; None for all.
    :param offline: ``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` is set.
    """

    data: Path | None = None
    plugins: tuple[str, ...] | None = None
    offline: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Read it from ``environ``."""
        plugins = environ.get("LABELKIT_PLUGINS")
        return cls(
            data=_path(environ.get("LABELKIT_DATA")),
            plugins=None if plugins is None else tuple(name.strip() for name in plugins.split(",") if name.strip()),
            offline=any(_is_true(environ.get(name)) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _is_true(text: str | None) -> bool:
    return (text or "").strip().upper() in {"1", "ON", "YES", "TRUE"}

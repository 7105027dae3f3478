"""The environment variables that labelkit reads, except those of its home, see ``registry/home.py``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelkit.data.references import parse_columns
from labelkit.errors import StorageError
from labelkit.records import LoadContext
from labelkit.settings import DataSettings

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_LARGEST_TOKEN = 1 << 14
_TRUE = frozenset(("1", "ON", "YES", "TRUE"))


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables, parsed.

    :param data: ``LABELKIT_DATA``, the folder of corpora.
    :param plugins: ``LABELKIT_PLUGINS``, the only plugins to load; None for all.
    :param memory: split → its data, where a program gave data in Python; the reference ``in memory`` names it.
    :param memory_of: task → the same of this task, where each task of a run was given data of its own.
    :param offline: ``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` is set.
    :param serve_token: ``LABELKIT_SERVE_TOKEN``, which requests to ``labelkit serve`` must bear.
    :param label_studio_token: ``LABELKIT_LABEL_STUDIO_TOKEN``, a personal access token of Label Studio.
    :param trial: a contract check trains on made-up data; no variable says so.
    """

    data: Path | None = None
    plugins: tuple[str, ...] | None = None
    offline: bool = False
    serve_token: str | None = field(default=None, repr=False)
    label_studio_token: str | None = field(default=None, repr=False)
    memory: Mapping[str, Any] = field(default_factory=dict)
    memory_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trial: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Parse the variables of labelkit in ``environ``."""
        plugins = environ.get("LABELKIT_PLUGINS")
        return cls(
            data=Path(folder).expanduser() if (folder := environ.get("LABELKIT_DATA")) else None,
            plugins=None if plugins is None else tuple(name.strip() for name in plugins.split(",") if name.strip()),
            offline=any(environ.get(name, "").strip().upper() in _TRUE for name in _OFFLINE),
            serve_token=environ.get("LABELKIT_SERVE_TOKEN") or None,
            label_studio_token=environ.get("LABELKIT_LABEL_STUDIO_TOKEN") or None,
        )

    def with_label_studio_token(self, token: str) -> Environment:
        """Return the environment with another personal access token of Label Studio."""
        return replace(self, label_studio_token=token)

    def of_task(self, task: str) -> Environment:
        """Return the environment in which the data of a task is read."""
        return replace(self, memory=self.memory_of.get(task, self.memory))

    def load_context(
        self, settings: DataSettings, cache: Path, plugin_settings: tuple[Any, ...] | None = None
    ) -> LoadContext:
        """Return the context in which sources, formats and encoders read.

        :param plugin_settings: an object of each class of settings that plugins declare; None: all are defaults.
        :raises LabelkitError: ``data.columns`` is malformed.
        """
        return LoadContext(
            root=self.data,
            path=Path(settings.path).expanduser() if settings.path else None,
            cache=cache,
            offline=self.offline,
            trial=self.trial,
            encoding=settings.encoding,
            columns=parse_columns(settings.columns) if settings.columns else {},
            settings=settings,
            plugin_settings=plugin_settings,
            memory=self.memory,
            label_studio_token=self.label_studio_token,
        )


def read_token_file(path: Path) -> str:
    """Return the token in a file of one line.

    :raises StorageError: it cannot be read, or holds no token.
    """
    try:
        content = path.read_bytes()[:_LARGEST_TOKEN].decode("latin-1").strip()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", hint="--token-file names a file") from error
    if not content or not all("!" <= character <= "~" for character in content):
        raise StorageError(f"{path} holds no token", hint="one line, without spaces")
    return content

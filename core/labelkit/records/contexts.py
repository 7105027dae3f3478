"""Settings that plugins declare, and the contexts in which functions of plugins are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from labelkit.errors import LabelkitError

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of a plugin, which users give as ``NAME.FIELD=VALUE``.

    :param name: the namespace, usually the name of the plugin or of the record that reads the settings.
    :param fields: a frozen dataclass whose fields all have a type and a default; the description
        stands in the annotation: ``size: Annotated[int, labelkit.Doc("words in a part")] = 3``.
    """

    name: str
    fields: type[Any]
    summary: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a function of a plugin knows of its surroundings; plugins read no environment.

    A decoder, metric, preprocessor or writer that has a parameter ``ctx`` is called with it.

    :param offline: no network may be used.
    :param trial: a contract check calls with made-up data; nothing may be sent to a service or kept.
    :param plugin_settings: the settings of all plugins, one object of each declared class; None: all are defaults.
    """

    offline: bool = False
    trial: bool = False
    plugin_settings: tuple[Any, ...] | None = None

    def settings_of(self, class_: type[S]) -> S:
        """Return the values of the settings that a plugin declares as ``class_``.

        :raises LabelkitError: no plugin declares them.
        """
        if self.plugin_settings is None:
            return class_()
        for one in self.plugin_settings:
            if type(one) is class_:
                return one
        raise LabelkitError(
            f"the settings {class_.__qualname__} are not declared",
            hint=f"yield labelkit.Settings(name=…, fields={class_.__name__}) from labelkit_settings()",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext(Context):
    """What an observer knows of its surroundings: all that a :class:`Context` holds, and the run's folder.

    :param folder: the folder of the run, deleted with it; an observer that writes there makes a folder of its own.
    """

    folder: Path

"""Contract checks of settings: described, with valid defaults that a record of a run can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from labelkit.config.plugin_settings import plain_value, setting_object
from labelkit.errors import LabelkitError
from labelkit.plugins.setting_classes import settings_in
from labelkit.records import Settings
from labelkit.testing.framework import CheckSet, plugin_call, require, require_none

CHECKS = CheckSet()


@CHECKS.check("described")
def check_described(settings: Settings) -> None:
    """Each setting has a description."""
    require_none(
        (f"the setting '{key}' has no description" for key, info in settings_in(settings).items() if not info.help),
        "write its type as Annotated[TYPE, labelkit.Doc('what it does')]",
    )


@CHECKS.check("defaults")
def check_defaults(settings: Settings) -> None:
    """Each default is a valid value of its setting's type."""
    require_none(
        (fault for key, info in settings_in(settings).items() for fault in _default_faults(key, info)),
        "correct the default or the type; numbers, text, booleans, None, Literal, Path, tuples and dicts of these can "
        "be validated",
    )
    with plugin_call(f"{settings.fields.__name__}()", "let the defaults pass the class's own checks"):
        settings.fields()


def _default_faults(key: str, info: Any) -> Iterator[str]:
    try:
        plain_value(key, info.default, info)
    except LabelkitError as error:
        yield str(error)


@CHECKS.check("recorded", needs=("defaults",))
def check_recorded(settings: Settings) -> None:
    """Defaults are the same after they were recorded as JSON and read again."""
    infos = settings_in(settings)
    recorded = {key: plain_value(key, info.default, info) for key, info in infos.items()}
    again = setting_object(settings, json.loads(json.dumps(recorded, allow_nan=False)))
    for key, info in infos.items():
        found = getattr(again, key.partition(".")[2])
        require(
            found == info.default and type(found) is type(info.default),
            f"the default of '{key}' is {info.default!r}, and {found!r} once it was recorded and read again",
            "choose a type that JSON can hold: a tuple in place of a list, a str in place of an object of your own",
        )

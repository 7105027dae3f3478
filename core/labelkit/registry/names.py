"""The names that runs, aliases and tags may have."""

from __future__ import annotations

import re

from labelkit.errors import LabelkitError, RegistryError

#: + joins tasks, @ and : separate the parts of a reference, / and \ mark a path
NAME = re.compile(r"[a-z0-9-]+")
TAG = re.compile(r"[a-z0-9._-]+")
#: references of their own, in place of a name
RESERVED = frozenset({"best", "latest"})
#: most characters of a new name
_LONGEST = 100
#: statuses of runs whose checkpoint is complete: nothing is left to do for them
COMPLETE = ("finished", "adopted")


def check_name(name: str, what: str) -> None:
    """Check the name of a run or an alias.

    :param what: the thing to be named, for the message: ``"a run"``, ``"an alias"``.
    :raises LabelkitError: the name is invalid or reserved.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise LabelkitError(
            f"{what} cannot be called '{name}'", hint="use a-z, 0-9 and hyphens; best and latest are reserved"
        )
    if name.startswith("-") or len(name) > _LONGEST:  # commands would take it for an option
        raise LabelkitError(
            f"{what} cannot be called '{name[:_LONGEST]}'",
            hint=f"begin it with a letter or digit, and use at most {_LONGEST} characters",
        )


def check_tag(tag: str) -> None:
    """Check a tag.

    :raises RegistryError: the tag is invalid.
    """
    if not TAG.fullmatch(tag):
        raise RegistryError(f"invalid tag '{tag}'", hint="use a-z, 0-9, hyphens, dots and underscores")


def unknown_run(run: str) -> RegistryError:
    """Return the error that no run has the id ``run``."""
    return RegistryError(f"no run '{run}' in the registry", hint="labelkit runs list shows all runs")

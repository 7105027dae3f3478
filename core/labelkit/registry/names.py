"""What runs, aliases and tags may be called: one rule, wherever a name is given."""

from __future__ import annotations

import re

from labelkit.errors import LabelkitError, RegistryError

#: + joins tasks, @ and : stand between the parts of a reference, / and \ mean a folder
NAME = re.compile(r"[a-z0-9-]+")
TAG = re.compile(r"[a-z0-9._-]+")
#: these mean something else wherever a run is named
RESERVED = frozenset({"best", "latest"})


def check_name(name: str, what: str) -> None:
    """Check what a run or an alias shall be called.

    :param what: for the message: ``"a run"``, ``"an alias"``.
    :raises LabelkitError: it is malformed or reserved.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise LabelkitError(
            f"{what} cannot be called '{name}'",
            hint="use a-z, 0-9 and hyphens; best and latest mean something else",
        )


def check_tag(tag: str) -> None:
    """Check a tag.

    :raises RegistryError: it is malformed.
    """
    if not TAG.fullmatch(tag):
        raise RegistryError(f"'{tag}' is no tag", hint="use a-z, 0-9, hyphens, dots and underscores")

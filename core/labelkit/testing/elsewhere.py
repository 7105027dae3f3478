"""Whether a record does the same in another process, which is given only its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from labelkit.testing import worker
from labelkit.testing.base import Question, require, require_none

ADVICE = "let it depend on nothing but the installed package: no set in its own order, no hash() of text, no state"


@dataclass(frozen=True, slots=True)
class Repeatable:
    """What a record makes that has to be the same in every process.

    :param what: for the docs and for messages, e.g. ``bytes``.
    :param prints: gives what is made → a short print of it, see :func:`print_of`.
    :param needs: questions about the record that must have passed.
    :param unless: why there is nothing to ask, or an empty text.
    """

    what: str
    prints: Callable[[Any], Mapping[str, str]]
    needs: tuple[str, ...]
    unless: Callable[[Any], str] = lambda thing: ""

    def question(self, kind: str, plugin: str) -> Question:
        """Return the question whether a record of ``kind`` that ``plugin`` yields makes the same elsewhere."""

        def unless(thing: Any) -> str:
            return self.unless(thing) or worker.not_installed(plugin)

        return Question(
            name="worker",
            asks=f"another process that is given only its name gives the same {self.what}",
            ask=partial(_ask, self, kind, plugin),
            needs=self.needs,
            unless=unless,
        )


def print_of(made: object) -> str:
    """Return a short print of what was made, by its ``repr``."""
    return hashlib.sha256(repr(made).encode("utf-8", "surrogatepass")).hexdigest()


def _ask(repeatable: Repeatable, kind: str, plugin: str, thing: Any) -> None:
    found = worker.ask("repeat", plugin=plugin, kind=kind, name=thing.name)
    require(
        "error" not in found,
        f"in a process that is given only its name, {kind} '{thing.name}' fails: {found.get('error')}",
        ADVICE,
    )
    there: Mapping[str, str] = found["prints"]
    require_none(
        (
            f"{kind} '{thing.name}' gives other {repeatable.what} in another process ({what})"
            for what, here in repeatable.prints(thing).items()
            if there.get(what) != here
        ),
        ADVICE,
    )

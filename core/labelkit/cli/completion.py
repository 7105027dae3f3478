"""Shell completion of tasks, runs and names of parts, by click; loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

#: the most runs that are offered, the newest first
_RUNS = 50


class Name(click.ParamType[str]):
    """A text of which some values are known.

    :param known: returns them, with a line on each.
    """

    name = "text"

    def __init__(self, known: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self._known = known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is: commands say what is wrong with it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the known values that begin with ``incomplete``; none where they cannot be read."""
        try:
            return [CompletionItem(name, help=line) for name, line in self._known() if name.startswith(incomplete)]
        except Exception:  # a shell that waits for completion shows no errors
            return []


def runs() -> Iterable[tuple[str, str]]:
    """Yield references to runs: ``latest``, aliases, names, and ids of the newest."""
    import os

    from labelkit.registry import Home, Registry

    with Registry.open(Home.find(os.environ, cwd=Path.cwd()), create=False) as registry:
        found = registry.runs.search(limit=_RUNS)
        aliases = registry.aliases.current()
    if found:
        yield "latest", found[0].id
    yield from ((f"{task}@best", "the best by validation") for task in sorted({one.task for one in found}))
    yield from ((one.reference, str(one.run)) for one in aliases)
    yield from ((one.name, one.id) for one in found if one.name)
    yield from ((one.id, f"{one.task} on {one.data}") for one in found)


def parts(kind: str) -> Callable[[], Iterable[tuple[str, str]]]:
    """Return a function that returns the names of records of plugins, e.g. of tasks, with their summaries."""

    def known() -> Iterable[tuple[str, str]]:
        from labelkit.config.environment import Environment
        from labelkit.plugins.catalog import Catalog

        catalog = Catalog.load(only=Environment.read().plugins)
        return [(name, getattr(one, "summary", "")) for name, one in sorted(getattr(catalog, kind).items())]

    return known


#: name of a parameter of commands → its type
TYPES = {
    "run": Name(runs),
    "runs": Name(runs),
    "resume": Name(runs),
    "task": Name(parts("tasks")),
    "metric": Name(parts("metrics")),
    "metrics": Name(parts("metrics")),
    "decoder": Name(parts("decoders")),
    "to": Name(parts("formats")),
    "source": Name(parts("formats")),
}


def with_completion(command: click.Command) -> click.Command:
    """Return a command whose parameters of text offer what is known of their names."""
    for param in command.params:
        if isinstance(param.type, click.types.StringParamType) and param.name in TYPES:
            param.type = TYPES[param.name]
    return command

"""What every command shares: its options, the catalog, and where its output goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labelkit.config.environment import Environment
from labelkit.files.json_text import to_json
from labelkit.registry.home import Home

if TYPE_CHECKING:
    from rich.console import Console

    from labelkit.plugins.catalog import Catalog

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Shell:
    """One command's surroundings.

    :param as_json: print one JSON document on stdout; everything else goes to stderr anyway.
    :param blocked: plugins never to import.
    :param trace: show every hook call.
    """

    as_json: bool
    blocked: tuple[str, ...]
    trace: bool

    @cached_property
    def environment(self) -> Environment:
        """What the environment says."""
        return Environment.read()

    @cached_property
    def home(self) -> Home:
        """Where runs and registry live."""
        return Home.find(os.environ, cwd=Path.cwd())

    @cached_property
    def catalog(self) -> Catalog:
        """Every plugin and record."""
        from labelkit.plugins.catalog import Catalog

        trace = self.say if self.trace else None
        found = Catalog.load(blocked=self.blocked, only=self.environment.plugins, trace=trace, say=self.say)
        for name in found.unknown_plugins(self.blocked):
            self.say(f"note: --no-plugin {name}: no plugin is called so; labelkit plugins lists them")
        for name in found.unknown_plugins(self.environment.plugins or ()):
            self.say(f"note: LABELKIT_PLUGINS={name}: no plugin is called so; labelkit plugins lists them")
        return found

    @cached_property
    def out(self) -> Console:
        """Where results go."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Where everything else goes."""
        return _console(stderr=True)

    def say(self, line: str) -> None:
        """Print a line that is not the result."""
        from labelkit.console.text import literal

        click.echo(literal(line), err=True)

    def json(self, document: object) -> None:
        """Print the one JSON document."""
        click.echo(to_json(document))


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class Pipeable(Console):
        """A console whose reader may go away: rich itself would end the command with 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # text of users is never markup, and a pipe gets lines as long as they are
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 100_000
    return Pipeable(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False, width=width)


def command_options(function: Command) -> Command:
    """Give a command the options that all have, and a :class:`Shell` as its first argument."""

    def call(*, as_json: bool, debug: bool, no_plugin: tuple[str, ...], trace_plugins: bool, **arguments: Any) -> Any:
        return function(Shell(as_json, no_plugin, trace_plugins), **arguments)

    wrapped: Any = update_wrapper(call, function)
    for option in (
        click.option("--trace-plugins", is_flag=True, help="Show each import and hook call of a plugin with its time."),
        click.option("--no-plugin", multiple=True, metavar="NAME", help="Never import this plugin (repeatable)."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]

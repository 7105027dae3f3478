"""The options that all commands have, and the shell that a command runs in: catalog, environment, home, consoles."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labelkit.config.environment import Environment
from labelkit.console.results import results, results_only
from labelkit.errors import LabelkitError
from labelkit.files.json_text import to_json
from labelkit.files.targets import is_stdout
from labelkit.registry.home import Home

if TYPE_CHECKING:
    from rich.console import Console

    from labelkit.plugins.catalog import Catalog
    from labelkit.records import Format

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Shell:
    """The catalog, environment, home and consoles of one command, each made when it is first used.

    :param as_json: print one JSON document on stdout; messages go to stderr.
    :param blocked: names of plugins never to import.
    :param trace: print every hook call.
    """

    as_json: bool
    blocked: tuple[str, ...]
    trace: bool

    @cached_property
    def environment(self) -> Environment:
        """The environment variables that labelkit reads."""
        return Environment.read()

    @cached_property
    def home(self) -> Home:
        """The folder of runs, registry and cache."""
        return Home.find(os.environ, cwd=Path.cwd())

    @cached_property
    def catalog(self) -> Catalog:
        """The loaded plugins and their records."""
        from labelkit.plugins.catalog import Catalog

        trace = self.say if self.trace else None
        found = Catalog.load(blocked=self.blocked, only=self.environment.plugins, trace=trace, say=self.say)
        for origin, names in (("--no-plugin", self.blocked), ("LABELKIT_PLUGINS", self.environment.plugins or ())):
            for name in found.unknown_plugins(names):
                self.say(f"note: {origin}: unknown plugin '{name}'; labelkit plugins lists all plugins")
        return found

    @cached_property
    def out(self) -> Console:
        """The console of results: stdout."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """The console of messages: stderr."""
        return _console(stderr=True)

    def say(self, line: str) -> None:
        """Print a message to stderr."""
        from labelkit.console.text import literal

        click.echo(literal(line), err=True)

    def json(self, document: object) -> None:
        """Print the JSON document of the command to stdout."""
        self.print(to_json(document))

    def reserve_stdout(self, output: Path) -> None:
        """Print what the command shows to stderr where ``output``, its records, goes to stdout.

        :raises UsageError: stdout is for the JSON document.
        """
        if is_stdout(output):
            if self.as_json:
                raise click.UsageError("--json prints its document to stdout: name a file with -o FILE")
            self.out = self.err

    def print(self, text: str) -> None:
        """Print lines of the result to stdout as they are."""
        stream = results()
        stream.write(f"{text}\n")
        stream.flush()


def assumed_lines(assumptions: Iterable[str]) -> list[str]:
    """Return the lines that tell users what was assumed of the data that a command reads."""
    return [f"assumed: {text}" for text in assumptions]


def say_assumptions(shell: Shell, assumptions: Iterable[str]) -> None:
    """Print what was assumed of the data to stderr, a line each."""
    for line in assumed_lines(assumptions):
        shell.say(line)


def with_safe_cells(writer: Format) -> Format:
    """Return the format CSV as ``--safe-cells`` writes it.

    :raises UsageError: it is another format.
    """
    from labelkit.formats import delimited

    if writer.name != "csv":
        raise click.UsageError("--safe-cells is for CSV: add --to csv")
    return replace(writer, write=partial(delimited.write, safe_cells=True))


def operating_point_option(text: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the option ``--operating-point``.

    :param text: its help.
    """

    def check(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
        from labelkit.label.operating_points import parse_targets

        if value is not None:
            try:
                parse_targets(value)
            except LabelkitError as error:
                raise click.UsageError(f"{error.message}: {error.hint}") from None
        return value

    return click.option("--operating-point", metavar="FIGURE=X", callback=check, help=text)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class Pipeable(Console):
        """A console that raises when its pipe is closed; rich itself would end the command with status 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # text of users is never markup, and lines are not wrapped in a pipe
    stream = sys.stderr if stderr else results()
    width = None if stream.isatty() else 100_000
    return Pipeable(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False, width=width)


def command_options(function: Command) -> Command:
    """Decorate a command with the options that all commands have; its first argument is a :class:`Shell`."""

    def call(*, as_json: bool, debug: bool, no_plugin: tuple[str, ...], trace_plugins: bool, **arguments: Any) -> Any:
        with results_only():
            return function(Shell(as_json, no_plugin, trace_plugins), **arguments)

    wrapped: Any = update_wrapper(call, function)
    for option in (
        click.option("--trace-plugins", is_flag=True, help="Trace imports and hook calls of plugins, with times."),
        click.option("--no-plugin", multiple=True, metavar="NAME", help="Never import this plugin (repeatable)."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]

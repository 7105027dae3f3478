"""``labelkit runs``: which commands there are."""

from __future__ import annotations

import importlib

import click

#: command → (module beside this one, function in it, one line for --help); none is imported before it is called
COMMANDS: dict[str, tuple[str, str, str]] = {
    "list": ("listing", "list_runs", "List runs, newest first."),
    "show": ("showing", "show", "Show everything that is recorded of a run."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, _, help_) in COMMANDS.items()])


@click.group(cls=_Commands)
def runs() -> None:
    """Look at recorded runs, compare them, and keep house."""

"""``labelkit runs``: which commands there are."""

from __future__ import annotations

import importlib

import click

#: command → (module beside this one, function in it, one line for --help); none is imported before it is called
COMMANDS: dict[str, tuple[str, str, str]] = {
    "list": ("listing", "list_runs", "List runs, newest first."),
    "show": ("showing", "show", "Show everything that is recorded of a run."),
    "compare": ("compare", "compare", "Show what differs between runs."),
    "best": ("compare", "best", "Rank runs by validation."),
    "alias": ("curating", "alias", "Name a run: TASK@NAME; history and undo."),
    "tag": ("curating", "tag", "Give a run tags, or take them away."),
    "note": ("curating", "note", "Write something about a run."),
    "why": ("curating", "why", "Say which run and checkpoint made a file."),
    "repeat": ("repeating", "repeat", "Train a run again from its record, and compare."),
    "report": ("report", "report", "Write a run as one page of HTML."),
    "verify": ("keeping", "verify", "Hash checkpoints again and compare."),
    "rm": ("keeping", "remove", "Remove runs, and free their checkpoints."),
    "gc": ("keeping", "collect", "Free what nobody needs."),
    "reap": ("keeping", "reap", "Record dead runs as stale."),
    "query": ("asking", "query", "Ask the registry in SQL, read-only."),
    "export": ("asking", "export", "Write runs as CSV, JSON or Parquet."),
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

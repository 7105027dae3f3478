"""``labelkit runs``: the commands over the registry, each imported when it is called."""

from __future__ import annotations

import importlib
import os

import click

#: command → (module beside this one, function in it, one line for --help); none is imported before it is called
COMMANDS: dict[str, tuple[str, str, str]] = {
    "list": ("list_runs", "list_runs", "List runs, newest first."),
    "show": ("show", "show", "Show everything recorded about a run."),
    "compare": ("compare", "compare", "Compare the settings, data and scores of runs."),
    "best": ("compare", "best", "Rank runs by their validation score."),
    "alias": ("annotate", "alias", "Assign an alias (TASK@NAME) to a run; show its history, undo."),
    "tag": ("annotate", "tag", "Add tags to a run, or remove them."),
    "note": ("annotate", "note", "Add a note to a run."),
    "why": ("annotate", "why", "Show which run and checkpoint produced a file."),
    "repeat": ("repeat", "repeat", "Reproduce a run from its record and compare the results."),
    "report": ("report", "report", "Write an HTML report of a run."),
    "copy": ("copy", "copy", "Copy the checkpoint of a run to a folder."),
    "upload": ("upload", "upload", "Upload checkpoints to the shared store."),
    "verify": ("housekeeping", "verify", "Verify the checksums of checkpoints."),
    "rm": ("housekeeping", "remove", "Delete runs and their checkpoints."),
    "gc": ("housekeeping", "collect", "Delete unreferenced checkpoints and stale cache entries."),
    "reap": ("housekeeping", "reap", "Mark runs whose process has died as stale."),
    "query": ("query", "query", "Query the registry in SQL, read-only."),
    "export": ("query", "export", "Export runs as CSV, JSON or Parquet."),
}


class _RunsCommands(click.Group):
    """The group of run commands, which imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        if "_LABELKIT_COMPLETE" in os.environ:
            from labelkit.cli.completion import with_completion

            return with_completion(found)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, _, help_) in COMMANDS.items()])


@click.group(cls=_RunsCommands)
def runs() -> None:
    """List, compare, annotate and delete recorded runs."""

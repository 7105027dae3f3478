"""``labelkit runs alias``, ``tag``, ``note`` and ``why``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options

if TYPE_CHECKING:
    from labelkit.registry import Registry

#: action of ``runs alias`` → the number and the names of its arguments
ARGUMENTS = {
    "set": (2, "RUN NAME"),
    "list": (1, "TASK"),
    "undo": (1, "TASK@NAME"),
    "remove": (1, "TASK@NAME"),
    "history": (1, "TASK@NAME"),
}


@click.command("alias")
@click.argument("words", nargs=-1, metavar="[RUN NAME]")
@click.option("--list", "action", flag_value="list", help="List all aliases, or those of a TASK.")
@click.option("--history", "action", flag_value="history", help="Show every run that TASK@NAME has referred to.")
@click.option("--undo", "action", flag_value="undo", help="Revert TASK@NAME to the run it referred to before.")
@click.option("--remove", "action", flag_value="remove", help="Remove TASK@NAME; --undo restores it.")
@command_options
def alias(shell: Shell, words: tuple[str, ...], action: str | None) -> None:
    """Assign an alias to a run: TASK@NAME is then accepted wherever a RUN is, and means its best checkpoint.

    \b
    labelkit runs alias latest prod
    labelkit label ner@prod --text "…"
    labelkit runs alias --undo ner@prod
    labelkit runs alias --list
    """
    action = action or "set"
    count, names = ARGUMENTS[action]
    if len(words) != count and not (action == "list" and not words):
        option = "" if action == "set" else f"--{action} "
        raise click.UsageError(f"missing or surplus arguments: labelkit runs alias {option}{names}")
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        if action == "set":
            assign_alias(shell, registry, *words)
        elif action in ("list", "history"):
            show_aliases(shell, registry, action, *words)
        else:
            change = registry.aliases.undo if action == "undo" else registry.aliases.remove
            changed = change(words[0])
            run = changed.run if action == "undo" else None
            if shell.as_json:
                shell.json({"alias": changed.reference, "run": run})
            else:
                from labelkit.cli.runs import housekeeping_display as display

                display.line(shell.out, f"{changed.reference} means {run or 'no run'}")


def assign_alias(shell: Shell, registry: Registry, run: str, name: str) -> None:
    """Make the alias ``name`` refer to ``run``, and print the run that it referred to before."""
    made = registry.aliases.assign(registry.runs.find(run).id, name)
    before = [one for one in registry.aliases.history(made.reference)[:-1] if one.undone is None]
    was = before[-1].run if before else None
    if shell.as_json:
        shell.json({**asdict(made), "before": was})
        return
    from labelkit.cli.runs import housekeeping_display as display

    again = f" (before: {was}; --undo {made.reference} reverts it)" if was else ""
    display.line(shell.out, f"{made.reference} means {made.run}{again}")


def show_aliases(shell: Shell, registry: Registry, action: str, name: str | None = None) -> None:
    """Show the current aliases, of the task ``name`` or of all, or the history of the alias ``name``."""
    found = registry.aliases.current(name) if action == "list" else registry.aliases.history(name or "")
    if shell.as_json:
        shell.json([asdict(one) for one in found])
        return
    if not found:
        shell.say("no aliases; labelkit runs alias RUN NAME makes one")
        return
    from labelkit.cli.runs import housekeeping_display as display

    (display.aliases if action == "list" else display.alias_history)(shell.out, found)


@click.command("tag")
@click.argument("run")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Remove these tags.")
@command_options
def tag(shell: Shell, run: str, tags: tuple[str, ...], remove: bool) -> None:
    """Add tags to RUN, or remove them; a tag has a-z, 0-9, hyphens, dots and underscores."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.find(run).id
        (registry.annotations.remove_tags if remove else registry.annotations.add_tags)(found, *tags)
        now = registry.runs.get(found).tags
    if shell.as_json:
        shell.json({"run": found, "tags": now})
        return
    from labelkit.cli.runs import housekeeping_display as display

    display.line(shell.out, f"{found}: {', '.join(now) or 'no tags'}")


@click.command("note")
@click.argument("run")
@click.argument("text")
@command_options
def note(shell: Shell, run: str, text: str) -> None:
    """Add the note TEXT to RUN; a note is recorded with its time."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.find(run).id
        registry.annotations.add_note(found, text)
        notes = registry.runs.get(found).notes
    if shell.as_json:
        shell.json({"run": found, "notes": [asdict(one) for one in notes]})
        return
    from labelkit.cli.runs import housekeeping_display as display

    display.line(shell.out, f"{found}: {display.several(len(notes), 'note')}")


@click.command("why")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@command_options
def why(shell: Shell, path: Path) -> None:
    """Show the run and checkpoint that made FILE: a labelled file, a checkpoint folder, or a file of one.

    Files are recognised by their content hash, also when they are copied or renamed. hub:ORG/NAME[@REVISION] shows the
    run that was pushed there; the URL of a file in the shared store shows the checkpoint that it belongs to.
    """
    from labelkit.cli.runs import housekeeping_display as display
    from labelkit.registry import Registry

    if (pushed := str(path)).startswith("hub:"):
        repository, _, revision = pushed.removeprefix("hub:").partition("@")
        with Registry.open(shell.home, create=False) as registry:
            found = registry.lineage.origin_of_publication(repository, revision or None)
    elif shell.home.remote and path.is_relative_to(Path(shell.home.remote)):
        with Registry.open(shell.home, create=False) as registry:
            found = registry.lineage.origin_of_stored(path)
    else:
        files = path.rglob("*") if path.is_dir() else [path]
        total = sum(file.stat().st_size for file in files if file.is_file())
        with Registry.open(shell.home, create=False) as registry, display.hashing(shell.err, total) as progress:
            found = registry.lineage.origin(path, progress=progress)
    if shell.as_json:
        shell.json({**asdict(found), "changed": found.changed})
    else:
        display.origin(shell.out, found)

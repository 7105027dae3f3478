"""``labelkit runs alias``, ``tag``, ``note`` and ``why``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options

if TYPE_CHECKING:
    from labelkit.registry import Registry

_WORDS = {"set": (2, "RUN NAME"), "list": (1, "TASK"), "undo": (1, "TASK@NAME")}
_WORDS |= {"remove": _WORDS["undo"], "history": _WORDS["undo"]}


@click.command("alias")
@click.argument("words", nargs=-1, metavar="[RUN NAME]")
@click.option("--list", "action", flag_value="list", help="List aliases: all, or those of a TASK.")
@click.option("--history", "action", flag_value="history", help="Show all that TASK@NAME ever meant.")
@click.option("--undo", "action", flag_value="undo", help="TASK@NAME means again what it meant before.")
@click.option("--remove", "action", flag_value="remove", help="Take TASK@NAME away; --undo brings it back.")
@command_options
def alias(shell: Shell, words: tuple[str, ...], action: str | None) -> None:
    """Have an alias mean a run: TASK@NAME then works wherever a RUN is asked for, and stands for its best checkpoint.

    \b
    labelkit runs alias latest prod
    labelkit label ner@prod --text "…"
    labelkit runs alias --undo ner@prod
    labelkit runs alias --list
    """
    action = action or "set"
    count, wanted = _WORDS[action]
    if len(words) != count and not (action == "list" and not words):
        option = "" if action == "set" else f"--{action} "
        raise click.UsageError(f"give {wanted}: labelkit runs alias {option}{wanted}")
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        _ACTIONS[action](shell, registry, *words)


def _set(shell: Shell, registry: Registry, run: str, name: str) -> None:
    made = registry.aliases.assign(registry.runs.find(run).id, name)
    before = [one for one in registry.aliases.history(made.reference)[:-1] if one.undone is None]
    was = before[-1].run if before else None
    if shell.as_json:
        shell.json({**asdict(made), "before": was})
        return
    from labelkit.cli.runs import keeping_drawing as drawing

    again = f" (before: {was}; --undo {made.reference} goes back)" if was else ""
    drawing.line(shell.out, f"{made.reference} means {made.run}{again}")


def _list(shell: Shell, registry: Registry, task: str | None = None) -> None:
    found = registry.aliases.current(task)
    if shell.as_json:
        shell.json([asdict(one) for one in found])
    elif not found:
        shell.say("no aliases; labelkit runs alias RUN NAME makes one")
    else:
        from labelkit.cli.runs import keeping_drawing as drawing

        drawing.aliases(shell.out, found)


def _history(shell: Shell, registry: Registry, reference: str) -> None:
    found = registry.aliases.history(reference)
    if shell.as_json:
        shell.json([asdict(one) for one in found])
        return
    from labelkit.cli.runs import keeping_drawing as drawing

    drawing.alias_history(shell.out, found)


def _undo(shell: Shell, registry: Registry, reference: str) -> None:
    found = registry.aliases.undo(reference)
    _changed(shell, found.reference, found.run)


def _remove(shell: Shell, registry: Registry, reference: str) -> None:
    _changed(shell, registry.aliases.remove(reference).reference, None)


def _changed(shell: Shell, reference: str, run: str | None) -> None:
    if shell.as_json:
        shell.json({"alias": reference, "run": run})
        return
    from labelkit.cli.runs import keeping_drawing as drawing

    drawing.line(shell.out, f"{reference} means {run or 'no run'}")


_ACTIONS: dict[str, Any] = {"set": _set, "list": _list, "history": _history, "undo": _undo, "remove": _remove}


@click.command("tag")
@click.argument("run")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Take these tags away.")
@command_options
def tag(shell: Shell, run: str, tags: tuple[str, ...], remove: bool) -> None:
    """Give RUN tags, of a-z, 0-9, hyphens, dots and underscores."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.find(run).id
        (registry.annotations.remove_tags if remove else registry.annotations.add_tags)(found, *tags)
        now = registry.runs.get(found).tags
    if shell.as_json:
        shell.json({"run": found, "tags": now})
        return
    from labelkit.cli.runs import keeping_drawing as drawing

    drawing.line(shell.out, f"{found}: {', '.join(now) or 'no tags'}")


@click.command("note")
@click.argument("run")
@click.argument("text")
@command_options
def note(shell: Shell, run: str, text: str) -> None:
    """Write TEXT about RUN; notes are kept one beside the other, with the time."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.find(run).id
        registry.annotations.add_note(found, text)
        notes = registry.runs.get(found).notes
    if shell.as_json:
        shell.json({"run": found, "notes": [asdict(one) for one in notes]})
        return
    from labelkit.cli.runs import keeping_drawing as drawing

    drawing.line(shell.out, f"{found}: {drawing.several(len(notes), 'note')}")


@click.command("why")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@command_options
def why(shell: Shell, path: Path) -> None:
    """Say which run and checkpoint made FILE: a labelled file, a checkpoint folder, or a file of one.

    Content decides: a copy or a renamed file is known as well.
    """
    from labelkit.cli.runs import keeping_drawing as drawing
    from labelkit.registry import Registry

    files = path.rglob("*") if path.is_dir() else [path]
    total = sum(file.stat().st_size for file in files if file.is_file())
    with Registry.open(shell.home, create=False) as registry, drawing.hashing(shell.err, total) as progress:
        found = registry.lineage.origin(path, progress=progress)
    if shell.as_json:
        shell.json({**asdict(found), "changed": found.changed})
    else:
        drawing.origin(shell.out, found)

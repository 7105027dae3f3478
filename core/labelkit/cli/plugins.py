"""``labelkit plugins``: list plugins, run the contract checks of one, and scaffold a new one."""

from __future__ import annotations

import inspect
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, UnknownNameError, nearest, require_extra

if TYPE_CHECKING:
    from labelkit.plugins.catalog import Catalog

#: the kinds of :mod:`labelkit.plugins.scaffold`, repeated so that ``--help`` does not load it
PLUGIN_KINDS = ("token", "text", "metric", "source", "format", "decoder", "head", "preprocessor", "encoder", "observer")


@click.group(invoke_without_command=True)
@command_options
def plugins(shell: Shell) -> None:
    """List, validate and scaffold plugins: name, version, origin, hooks, status, settings, why one is not loaded."""
    subcommand = click.get_current_context().invoked_subcommand
    if subcommand is not None:
        if shell.as_json or shell.blocked or shell.trace:
            raise click.UsageError(f"put options after the subcommand: labelkit plugins {subcommand} NAME --json")
        return
    settings = {info.name: settings_of(info.name, shell.catalog) for info in shell.catalog.plugins}
    if shell.as_json:
        shell.json([{**asdict(info), "settings": settings[info.name]} for info in shell.catalog.plugins])
        return
    from labelkit.console.tables import table

    rows = [
        (
            info.name,
            info.version,
            info.origin,
            ", ".join(hook.removeprefix("labelkit_") for hook in info.hooks),
            info.status,
            "; ".join(filter(None, (info.reason, *info.notes))),
        )
        for info in shell.catalog.plugins
    ]
    table(shell.out, ("name", "version", "origin", "hooks", "status", "reason"), rows)
    declared = [  # shown, not written: a default may be infinite
        (plugin, one["name"], one["type"], json.dumps(one["default"], allow_nan=True), one["summary"])
        for plugin, found in settings.items()
        for one in found
    ]
    if declared:
        shell.print("")
        table(shell.out, ("plugin", "setting", "type", "default", "summary"), declared)


def settings_of(plugin: str, catalog: Catalog) -> list[dict[str, Any]]:
    """Return name, type, default and summary of each setting that a loaded plugin declares; nothing for others.

    A default is a plain value for JSON; one that its own type refuses is shown as Python writes it.
    """
    records = [record for kind, record in catalog.supplied_by(plugin) if kind == "settings"]
    if not records:
        return []
    from labelkit.config.plugin_settings import plain_value
    from labelkit.plugins.setting_classes import settings_in

    rows = []
    for key, info in ((key, info) for record in records for key, info in settings_in(record).items()):
        try:
            default = plain_value(key, info.default, info)
        except LabelkitError:
            default = repr(info.default)
        kind = inspect.formatannotation(info.type)
        rows.append({"name": key, "type": kind, "default": default, "summary": info.help})
    return rows


@plugins.command("check")
@click.argument("name", metavar="NAME")
@click.option(
    "--expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="Expect this check to fail; an error if it passes (repeatable).",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Check with this setting of a plugin, or data.KEY=VALUE (repeatable).",
)
@command_options
def check(shell: Shell, name: str, expected: tuple[str, ...], sets: tuple[str, ...]) -> None:
    """Run the contract checks of the plugin NAME; exit with 1 if one fails.

    \b
    labelkit plugins check ner
    labelkit plugins check mine --set data.path=tests/corpus
    labelkit plugins check mine --expected "decoder-greedy-valid=labelkit repairs what it gives"
    """
    from labelkit.config.validation import parse_set
    from labelkit.testing.checks import checks, judge, validate_expected

    reasons = parse_expected(expected)
    names = {info.name for info in shell.catalog.plugins}
    if name not in names:
        raise UnknownNameError(f"unknown plugin '{name}'", hint=nearest(name, names))
    selected = list(checks(name, shell.catalog, dict(map(parse_set, sets))))
    if any(each.name.endswith("-learns") for each in selected):
        require_extra("train", "labelkit plugins check")
    validate_expected(name, selected, reasons)
    outcomes = []
    with shell.err.status("") as status:
        for each in selected:
            status.update(each.name)
            outcomes.append(judge(each, reasons.get(each.name)))
    failed = sum(outcome.failed for outcome in outcomes)
    if shell.as_json:
        shell.json({"plugin": name, "ok": not failed, "checks": [asdict(outcome) for outcome in outcomes]})
    else:
        from labelkit.console.tables import table

        rows = [(outcome.check, outcome.status, outcome.why, outcome.change) for outcome in outcomes]
        table(shell.out, ("check", "status", "why", "what to change"), rows)
    if failed:
        raise LabelkitError(
            f"plugin '{name}' fails {failed} of {len(outcomes)} checks",
            hint="change it, or expect a failure with a reason: --expected CHECK=REASON",
        )


def parse_expected(options: tuple[str, ...]) -> dict[str, str]:
    """Return check → reason of the options ``--expected CHECK=REASON``.

    :raises click.BadParameter: an option is not of this form.
    """
    reasons = {}
    for text in options:
        check_name, equals, reason = (part.strip() for part in text.partition("="))
        if not (check_name and equals and reason):
            raise click.BadParameter(f"invalid '{text}': write CHECK=REASON", param_hint="--expected")
        reasons[check_name] = reason
    return reasons


@plugins.command("new")
@click.argument("name", metavar="NAME")
@click.option("--kind", type=click.Choice(PLUGIN_KINDS), required=True, help="Scaffold a plugin that adds this.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Create the folder of the package in DIR; default: here.",
)
@command_options
def new(shell: Shell, name: str, kind: str, folder: Path) -> None:
    """Scaffold a package with a plugin NAME that installs, passes its own test and runs at once.

    \b
    labelkit plugins new sentence-ends --kind token
    """
    from labelkit.plugins import scaffold

    package = scaffold.create(name, kind, folder, shell.catalog)
    files = [str(path) for path in sorted(package.rglob("*")) if path.is_file()]
    first_use = Template(scaffold.KINDS[kind].first_use).substitute(name=name)
    commands = [f"pip install -e {shlex.quote(f'{package}[test]')}", f"pytest {shlex.quote(str(package))}", first_use]
    if shell.as_json:
        shell.json({"folder": str(package), "files": files, "next": commands})
        return
    for line in (*files, "", "next:", *(f"  {command}" for command in commands)):
        shell.print(line)

"""``labelkit plugins``: which there are, whether one keeps the contract, and how a new one begins."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, UnknownNameError, nearest

if TYPE_CHECKING:
    from labelkit.testing import Outcome

#: kind of plugin → the command that uses it at once
FIRST_USE = {
    "token": "labelkit run {name}",
    "text": "labelkit run {name}",
    "metric": "labelkit run ner --metric {name}",
    "source": "labelkit run ner --data {name}",
    "format": "labelkit data convert sample sentences.{name} --to {name} --layer ner --drop id",
}


@click.group(invoke_without_command=True)
@command_options
def plugins(shell: Shell) -> None:
    """List the plugins: name, version, origin, hooks, status, and why one is not loaded."""
    subcommand = click.get_current_context().invoked_subcommand
    if subcommand is not None:
        if shell.as_json or shell.blocked or shell.trace:
            raise click.UsageError(f"put options after the subcommand: labelkit plugins {subcommand} NAME --json")
        return
    if shell.as_json:
        shell.json([asdict(info) for info in shell.catalog.plugins])
        return
    from labelkit.console import render

    render.plugins(shell.out, shell.catalog.plugins)


# -- check ------------------------------------------------------------------------------------------------------------


@plugins.command("check")
@click.argument("name", metavar="NAME")
@click.option(
    "--expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="This check fails and may; it must fail then (repeatable).",
)
@command_options
def check(shell: Shell, name: str, expected: tuple[str, ...]) -> None:
    """Check that the plugin NAME keeps the contract; exit with 1 where it does not.

    \b
    labelkit plugins check ner
    labelkit plugins check mine --expected "decoder-greedy-valid=labelkit repairs what it gives"
    """
    reasons = _reasons(expected)
    _check_known(name, shell)
    outcomes = _outcomes(shell, name, reasons)
    failed = sum(outcome.failed for outcome in outcomes)
    if shell.as_json:
        shell.json({"plugin": name, "ok": not failed, "checks": [asdict(outcome) for outcome in outcomes]})
    else:
        from labelkit.console import render

        rows = [(one.check, one.status, one.why, one.change) for one in outcomes]
        render.table(shell.out, ("check", "status", "why", "what to change"), rows)
    if failed:
        raise LabelkitError(
            f"plugin '{name}' fails {failed} of {len(outcomes)} checks",
            hint="change it, or say why a check may fail: --expected CHECK=REASON",
        )


def _check_known(name: str, shell: Shell) -> None:
    names = {info.name for info in shell.catalog.plugins}
    if name not in names:
        raise UnknownNameError(f"no installed plugin is called '{name}'", hint=nearest(name, names))


def _outcomes(shell: Shell, name: str, expected: Mapping[str, str]) -> list[Outcome]:
    from labelkit.testing.checks import checked_expectations, checks, judge

    asked = list(checks(name, shell.catalog))
    reasons = checked_expectations(name, asked, expected)
    outcomes = []
    with shell.err.status("") as status:
        for each in asked:
            status.update(each.name)
            outcomes.append(judge(each, reasons.get(each.name)))
    return outcomes


def _reasons(expected: tuple[str, ...]) -> dict[str, str]:
    """Return check → reason.

    :raises click.BadParameter: one is not written as ``CHECK=REASON``.
    """
    reasons = {}
    for text in expected:
        check_name, equals, reason = (part.strip() for part in text.partition("="))
        if not (check_name and equals and reason):
            raise click.BadParameter(f"'{text}' is not CHECK=REASON", param_hint="--expected")
        reasons[check_name] = reason
    return reasons


# -- new --------------------------------------------------------------------------------------------------------------


@plugins.command("new")
@click.argument("name", metavar="NAME")
@click.option("--kind", type=click.Choice(list(FIRST_USE)), required=True, help="What it adds.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where its own folder is made; by default here.",
)
@command_options
def new(shell: Shell, name: str, kind: str, folder: Path) -> None:
    """Write a package with a plugin NAME that installs, passes its own test and runs at once.

    \b
    labelkit plugins new sentence-ends --kind token
    """
    from labelkit.plugins.scaffold import create

    made = create(name, kind, folder, shell.catalog)
    files = [str(path) for path in sorted(made.rglob("*")) if path.is_file()]
    place = shlex.quote(str(made))
    package = shlex.quote(f"{made}[test]")
    commands = [f"pip install -e {package}", f"pytest {place}", FIRST_USE[kind].format(name=name)]
    if shell.as_json:
        shell.json({"folder": str(made), "files": files, "next": commands})
        return
    for line in (*files, "", "next:", *(f"  {command}" for command in commands)):
        click.echo(line)

"""``labelkit data check``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.checks.findings import CHECKS
from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.checks.run import CheckProgress


@click.command("check", short_help="Find annotation errors, duplicates and encoding faults in REF.")
@click.argument("reference", metavar="REF")
@click.option("--layer", metavar="NAME", help="Check this layer of labels only; default all layers.")
@click.option("--model", metavar="REF", help="Count the subword tokens of this encoder; default bundled.")
@click.option(
    "--skip", multiple=True, type=click.Choice(list(CHECKS)), metavar="CHECK", help="Skip a check (repeatable)."
)
@click.option(
    "--examples", type=click.IntRange(min=0), default=5, show_default=True, help="Show N examples of each finding."
)
@click.option("--strict", is_flag=True, help="Exit with 1 if anything is found.")
@reading_options
@command_options
def check(
    shell: Shell,
    reference: str,
    layer: str | None,
    model: str | None,
    skip: tuple[str, ...],
    examples: int,
    strict: bool,
    **reading: Any,
) -> None:
    """Find annotation errors, duplicates, encoding faults and the like in REF before training on it.

    \b
    labelkit data check train=train.conll,test=test.conll --columns tokens=0,ner=3
    labelkit data check reviews.csv --columns text=review,label=stars --json
    labelkit data check data/ --strict --skip windows --skip balance
    """
    from labelkit.checks.encoder_choice import choose_encoding
    from labelkit.checks.loading import load
    from labelkit.checks.run import CheckOptions
    from labelkit.checks.run import check as run_checks
    from labelkit.cli.check_display import count_findings, print_report, report_document

    ctx = reading_context(shell, **reading)
    with tempfile.TemporaryDirectory(prefix="labelkit-check-") as folder, show_progress(shell) as progress:
        encoding, skipped = choose_encoding(shell.catalog, model, ctx, skip)
        data = load(
            reference,
            layer,
            shell.catalog,
            ctx,
            folder=Path(folder),
            limit=examples,
            progress=lambda split: progress(f"reading {split}", None, None),
        )
        options = CheckOptions(settings=ctx.settings, encoding=encoding, skip=skip, limit=examples)
        report = run_checks(data, options, progress)
        if shell.as_json:
            shell.json(report_document(data, report, encoding, skipped))
        else:
            print_report(shell.out, data, report, skipped)
    if strict and report.findings:
        raise LabelkitError(
            f"{count_findings(report.findings)}, and --strict allows none",
            hint="correct the data, or skip a check with --skip CHECK",
        )


@contextmanager
def show_progress(shell: Shell) -> Iterator[CheckProgress]:
    """Yield a function that shows the running check as a bar; it does nothing if stderr is not a terminal."""
    if not shell.err.is_terminal:
        yield lambda what, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from labelkit.console.text import literal

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=shell.err, transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def show(what: str, done: int | None, total: int | None) -> None:
            bars.update(task, description=literal(what, lines=False), completed=done or 0, total=total)

        yield show

"""``labelkit runs query`` and ``labelkit runs export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import StorageError
from labelkit.files.targets import check_target, is_stdout, is_stream

if TYPE_CHECKING:
    from labelkit.registry.sql_query import ResultTable

#: rows printed on a terminal
MAX_ROWS = 200


@click.command("query")
@click.argument("sql", metavar="'SELECT …'")
@click.option("--csv", "as_csv", is_flag=True, help="Print all rows as CSV.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.001),
    default=60.0,
    show_default=True,
    help="Stop the query after so many seconds.",
)
@command_options
def query(shell: Shell, sql: str, as_csv: bool, seconds: float) -> None:
    """Query the registry in SQL, read-only.

    \b
    labelkit runs query "SELECT task, count(*) FROM v_runs GROUP BY task"
    labelkit runs query "SELECT run, value FROM v_scores WHERE split = 'test' AND name = 'f1' AND label_type = ''"

    The views v_runs, v_params, v_scores, v_metrics, v_splits, v_versions, v_checkpoints, v_files, v_attempts, v_tags,
    v_notes, v_aliases, v_evaluations, v_evaluation_scores, v_publications and v_outputs keep their names and columns.
    """
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.query(sql, seconds=seconds)
    if shell.as_json or as_csv:
        _print(found, "json" if shell.as_json else "csv")
        return
    from labelkit.cli.runs import display

    # a pipe gets all rows
    most = MAX_ROWS if shell.out.is_terminal else len(found.rows)
    display.result(shell.out, found, most)
    if len(found.rows) > most:
        shell.say(f"{most} of {len(found.rows):,} rows shown: --csv or --json prints all")


@click.command("export")
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE; default stdout.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "json", "parquet"]),
    help="Write this format; default by the ending of FILE, csv on stdout.",
)
@click.option("--where", metavar="CONDITION", help="Export the runs that match this filter, as in labelkit runs list.")
@click.option("--wide/--long", default=True, help="Write a row for each run (default), or for each score.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option(
    "--safe-cells/--exact-cells",
    default=True,
    help="In CSV, put ' before text that spreadsheets take for a formula (default), or write it exactly.",
)
@command_options
def export(
    shell: Shell, output: Path | None, format_: str | None, where: str | None, wide: bool, force: bool, safe_cells: bool
) -> None:
    """Export runs as a table: one row per run with its settings and scores, or one row per score.

    \b
    labelkit runs export -o runs.csv
    labelkit runs export --where "task = ner and status = finished" -o runs.parquet
    """
    from labelkit.registry import Registry
    from labelkit.registry.export import FORMATS, write

    if is_stdout(output):
        output = None
    chosen = "json" if shell.as_json and format_ is None else format_ or format_of(output)
    if chosen == "parquet" and (output is None or is_stream(output)):
        raise click.UsageError("missing -o FILE: parquet cannot be written to a stream")
    if shell.as_json and output is None and chosen != "json":
        raise click.UsageError("--json cannot be combined with --format")
    if output is not None:
        check_target(output, force=force)
    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.export(where=where, long=not wide)
    if output is None:
        _print(found, chosen, safe_cells=safe_cells)
        return
    from labelkit.console.output import open_output

    with open_output(output, chosen, force=force) as written:
        write(found, written.stream, next(one for one in FORMATS if one == chosen), safe_cells=safe_cells)
    if shell.as_json:
        shell.json({"output": str(output), "format": chosen, "rows": len(found.rows), "columns": len(found.columns)})
    else:
        shell.say(f"{output}: {len(found.rows):,} rows, {len(found.columns)} columns")


def format_of(output: Path | None) -> str:
    """Return the export format of a file by its extension, ``csv`` for stdout.

    :raises StorageError: the extension is unknown.
    """
    from labelkit.registry.export import FORMATS

    if output is None or (is_stream(output) and not output.suffix):
        return "csv"
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        known = ", ".join(f".{one}" for one in FORMATS)
        raise StorageError(f"{output}: unknown file extension", hint=f"end it in {known}, or add --format")
    return suffix


def _print(found: ResultTable, format_: str, *, safe_cells: bool = False) -> None:
    from labelkit.console.output import open_output
    from labelkit.registry.export import write

    with open_output(None, format_) as output:
        write(found, output.stream, "json" if format_ == "json" else "csv", safe_cells=safe_cells)

"""``labelkit runs upload``."""

from __future__ import annotations

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError


@click.command("upload")
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@click.option("--force", is_flag=True, help="Also files that the store has, which may be damaged.")
@command_options
def upload(shell: Shell, runs: tuple[str, ...], force: bool) -> None:
    """Upload the best checkpoint of each RUN, or of all finished runs of this home, to LABELKIT_STORE.

    Runs do so themselves when they finish. Files that the store has are not sent again.
    """
    from labelkit.registry import Registry

    if shell.home.remote is None:
        raise LabelkitError(
            "there is no shared store", hint="set LABELKIT_STORE, for example to s3://bucket/prefix or file:///folder"
        )
    with Registry.open(shell.home, create=False) as registry:
        chosen = [registry.runs.find(run).id for run in runs] or registry.storage.complete_runs()
        sent = {run: registry.storage.upload(run, again=force) or 0 for run in chosen}
    if shell.as_json:
        shell.json({"store": shell.home.remote, "runs": [{"run": run, "bytes": size} for run, size in sent.items()]})
        return
    from labelkit.cli.runs import housekeeping_display as display

    for run, size in sent.items():
        display.line(shell.out, f"{run}: {display.size(size)} uploaded")

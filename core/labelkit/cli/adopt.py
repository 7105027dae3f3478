"""``labelkit adopt``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import click

from labelkit.cli.common import Shell, command_options, say_assumptions
from labelkit.settings import FileScheme, SplitterName

if TYPE_CHECKING:
    from labelkit.label.adoption import AdoptedRun

SCHEMES = ["IOB1", "IOB2", "BIOES", "BILOU", "BMES", "BMEWO", "IO"]
assert set(SCHEMES) < {scheme for one in get_args(FileScheme) for scheme in (get_args(one) or (one,))}


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--name", metavar="S", help="Name the run.")
@click.option("--task", metavar="NAME", help="Task of the model; default by the kind of its labels.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="Tagging scheme of its labels; default by their names.")
@click.option("--labels", metavar="A,B,…", help="Name its labels, in the order of its outputs.")
@click.option(
    "--splitter", type=click.Choice(get_args(SplitterName)), help="Split raw text into words with it; default words."
)
@click.option("--decoder", metavar="NAME", help="Decode scores with it; default the likeliest label of each word.")
@command_options
def adopt(shell: Shell, reference: str, name: str | None, labels: str | None, **said: Any) -> None:
    """Record a model that labelkit did not train as a run: a copy of its files that all commands take.

    REF is ./folder or hub:org/name[@REVISION], with a token- or sequence-classification model.

    \b
    labelkit adopt ./my-distilbert --name old-model
    labelkit adopt hub:org/name@v1 --task ner --scheme IOB1
    labelkit adopt ./unnamed --labels O,B-PER,I-PER,B-LOC,I-LOC
    """
    from labelkit.label.adoption import adopt as adopt_model
    from labelkit.models.adoption import AdoptionOptions

    names = None if labels is None else tuple(label.strip() for label in labels.split(","))
    options = AdoptionOptions(labels=names, **said)
    print_adopted(shell, adopt_model(reference, shell.home, shell.catalog, name=name, options=options, warn=shell.say))


def print_adopted(shell: Shell, adopted: AdoptedRun) -> None:
    """Print the run of an adopted model, and what was assumed of it."""
    info = adopted.info
    say_assumptions(shell, info.assumptions)
    if shell.as_json:
        shell.json(
            {
                "run": adopted.run,
                "name": adopted.name,
                "status": "adopted",
                "model": adopted.model,
                "task": info.task,
                "kind": info.kind,
                "schema": asdict(info.schema),
                "splitter": info.splitter,
                "decoder": info.decoder,
                "max_length": info.max_length,
                "assumptions": list(info.assumptions),
                "checkpoint": str(adopted.checkpoint),
            }
        )
        return
    from labelkit.console.text import literal

    shell.print(literal(f"run {adopted.run}: {adopted.model} adopted for task {info.task}"))
    shell.print(literal(f"checkpoint {adopted.checkpoint}"))

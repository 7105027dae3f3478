"""``labelkit data check``."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.checks.findings import CHECKS, Finding
from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError, ModelError

if TYPE_CHECKING:
    from rich.console import Console

    from labelkit.checks.loading import CheckedDataset
    from labelkit.checks.run import CheckProgress, CheckReport
    from labelkit.encode.alignment import Encoding
    from labelkit.records import LoadContext

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_OF_ENCODER = ("subtokens", "windows")
#: what messages without a total begin with, and how they go on
_PLURAL = re.compile(r"^(label|line|span|tag|text|word)s\b")
_VERBS = (
    *((" do not ", " does not "), (" are ", " is "), (" were ", " was "), (" hold ", " holds ")),
    (" where they stand", " where it stands"),
)


@click.command("check", short_help="Look for faults of REF before training on it.")
@click.argument("reference", metavar="REF")
@click.option("--layer", metavar="NAME", help="The only layer of labels to check; by default all that there are.")
@click.option("--model", metavar="REF", help="The encoder whose sub-tokens are counted; default bundled.")
@click.option(
    "--skip", multiple=True, type=click.Choice(list(CHECKS)), metavar="CHECK", help="Leave a check out (repeatable)."
)
@click.option(
    "--examples", type=click.IntRange(min=0), default=5, show_default=True, help="How many to show of each finding."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when anything is found.")
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
    columns: str | None,
    encoding: str,
    sets: tuple[str, ...],
) -> None:
    """Look for faults of REF before it costs an hour of training: where they are, how many, and what to do.

    \b
    labelkit data check train=train.conll,test=test.conll --columns tokens=0,ner=3
    labelkit data check reviews.csv --columns text=review,label=stars --json
    labelkit data check data/ --strict --skip windows --skip balance
    """
    from labelkit.checks.loading import load
    from labelkit.checks.run import CheckOptions
    from labelkit.checks.run import check as run

    ctx = reading_context(shell, columns, encoding, sets)
    with tempfile.TemporaryDirectory(prefix="labelkit-check-") as folder, _progress(shell) as tell:
        encoder, skipped = _encoder(shell, model, ctx, skip)
        data = load(
            reference,
            layer,
            shell.catalog,
            ctx,
            folder=Path(folder),
            limit=examples,
            progress=lambda split: tell(f"reading {split}", None, None),
        )
        asked = CheckOptions(
            settings=ctx.settings,
            encoding=encoder,
            skip=skip,
            limit=examples,
        )
        found = run(data, asked, tell)
        if shell.as_json:
            shell.json(_document(data, found, encoder, skipped))
        else:
            _draw(shell.out, data, found, skipped)
    if strict and found.findings:
        raise LabelkitError(
            f"{_total(found.findings)}, and --strict allows none",
            hint="correct the data, or leave a check out with --skip CHECK",
        )


def _encoder(
    shell: Shell, model: str | None, ctx: LoadContext, skip: tuple[str, ...]
) -> tuple[Encoding | None, dict[str, str]]:
    """Return how the encoder cuts examples, and the checks that are left out with the reason.

    :raises LabelkitError: the model that was asked for cannot be used.
    """
    skipped = dict.fromkeys(skip, "left out by --skip")
    if set(_OF_ENCODER) <= set(skip):
        return None, skipped
    try:
        return _encoding(shell, model or "bundled", ctx), skipped
    except ModelError as error:
        if model is not None:
            raise
        return None, {**dict.fromkeys(_OF_ENCODER, f"{error.message}; choose an encoder with --model"), **skipped}


def _encoding(shell: Shell, model: str, ctx: LoadContext) -> Encoding:
    from labelkit.encode.alignment import Encoding
    from labelkit.models.loading import load_config, silence_transformers
    from labelkit.models.references import resolve
    from labelkit.models.tokenizer import load_tokenizer, max_length_of

    folder = resolve(model, shell.catalog.encoders, ctx).folder
    with silence_transformers():
        tokenizer = load_tokenizer(folder)
        limit = max_length_of(tokenizer, load_config(folder))
    wanted = ctx.settings.max_length
    if wanted != "auto" and wanted > limit:
        raise LabelkitError(f"data.max_length {wanted} is more than the {limit} sub-tokens that the encoder reads")
    return Encoding.of(tokenizer, limit if wanted == "auto" else wanted, ctx.settings.overlap)


@contextmanager
def _progress(shell: Shell) -> Iterator[CheckProgress]:
    """Show in a terminal what is being done."""
    if not shell.err.is_terminal:
        yield lambda what, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from labelkit.console.text import literal

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=shell.err, transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def tell(what: str, done: int | None, total: int | None) -> None:
            bars.update(task, description=literal(what, lines=False), completed=done or 0, total=total)

        yield tell


def _document(
    data: CheckedDataset, found: CheckReport, encoder: Encoding | None, skipped: dict[str, str]
) -> dict[str, Any]:
    counts = Counter(finding.severity for finding in found.findings)
    return {
        "reference": data.reference,
        "kind": data.kind,
        "splits": {
            split: {"examples": len(examples), "from": data.refs[split]} for split, examples in data.splits.items()
        },
        "layers": {layer: {"scheme": scheme} for layer, scheme in found.schemes.items()},
        "max_length": encoder.max_length if encoder else None,
        "skipped": skipped,
        "notes": list(data.notes),
        "counts": {severity: counts[severity] for severity in ("error", "warning", "note")},
        "findings": [{**asdict(finding), "share": finding.share} for finding in found.findings],
    }


def _draw(console: Console, data: CheckedDataset, found: CheckReport, skipped: dict[str, str]) -> None:
    """Print the findings, the gravest first; text of users literally."""
    from rich.padding import Padding
    from rich.text import Text

    from labelkit.console.tables import cell

    sizes = ", ".join(f"{split} {len(examples):,}" for split, examples in data.splits.items())
    console.print(cell(f"{data.reference}: {sizes} examples"), soft_wrap=True)
    layers = ", ".join(f"{layer} ({scheme or 'plain labels'})" for layer, scheme in found.schemes.items())
    console.print(cell(f"layers: {layers}"), soft_wrap=True)
    order = list(_COLOURS)
    for finding in sorted(found.findings, key=lambda finding: order.index(finding.severity)):
        head = Text.assemble((f"{finding.severity:<8}", _COLOURS[finding.severity]), (finding.check, "bold"), "  ")
        head.append(_headline(finding))
        console.print()
        console.print(head, soft_wrap=True)
        for case in finding.examples:
            line = Text.assemble((f"{cell(case.place).plain}  " if case.place else "", "dim"), cell(case.text).plain)
            console.print(Padding(line, (0, 0, 0, 8), expand=False))
        console.print(Padding(Text(f"→ {cell(finding.advice).plain}", style="italic"), (0, 0, 0, 8), expand=False))
    console.print()
    for note in (*data.notes, *(f"{check} was not checked: {reason}" for check, reason in skipped.items())):
        console.print(cell(f"note: {note}"), soft_wrap=True)
    console.print(cell(_total(found.findings) if found.findings else "nothing was found"), soft_wrap=True)


def _headline(finding: Finding) -> str:
    from labelkit.console.text import literal

    where = f"{finding.split}, {finding.layer}" if finding.layer else finding.split
    share = finding.share
    shown = "" if share is None else "under 0.1%" if share < 0.0005 else f"{share:.1%}"
    of = f" of {finding.total:,} ({shown})" if shown else ""
    message = _singular(finding.message) if finding.count == 1 and not of else finding.message
    return literal(f"{where}: {finding.count:,}{of} {message}", lines=False)


def _singular(message: str) -> str:
    """Return what is said of several as it is said of one.

    >>> _singular("tags do not fit IOB2 where they stand")
    'tag does not fit IOB2 where it stands'
    >>> _singular("cannot be read and were left out")
    'cannot be read and was left out'
    """
    message = _PLURAL.sub(r"\1", message)
    for several, one in _VERBS:
        message = message.replace(several, one, 1)
    return message


def _total(findings: Sequence[Finding]) -> str:
    counts = Counter[str](finding.severity for finding in findings)
    parts = [f"{counts[name]} {name}{'' if counts[name] == 1 else 's'}" for name in _COLOURS if counts[name]]
    return f"{len(findings)} finding{'' if len(findings) == 1 else 's'}: {', '.join(parts)}"

"""``labelkit label``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labelkit.label.inputs import Inputs
    from labelkit.label.job import LabellingJob
    from labelkit.label.labeller import Labeller
    from labelkit.label.output import LabellingSummary
    from labelkit.label.stream import InputRecord
    from labelkit.records import Format

#: bytes of input that are worth the start of a quicker engine: some ten thousand words
LARGE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the command was given."""

    run: str
    inputs: tuple[str, ...]
    texts: tuple[str, ...]
    to: str | None
    output: Path | None
    source: str | None
    unit: Any
    min_score: float | None
    precision: str
    engine: str
    decoder: str | None
    resume: bool
    strict: bool
    force: bool
    columns: str | None
    encoding: str
    sets: tuple[str, ...]

    def check(self, *, as_json: bool) -> None:
        """Refuse what does not go together."""
        if bool(self.inputs) == bool(self.texts):
            raise click.UsageError("give either files, folders or - for standard input, or --text, to label")
        if self.resume and self.output is None:
            raise click.UsageError("--resume goes on with a file: name it with -o FILE")
        if as_json and self.output is None and self.inputs:
            raise click.UsageError("--json prints the closing summary: name a file for the records with -o FILE")


@click.command()
@click.argument("run")
@click.argument("inputs", nargs=-1, metavar="INPUT…")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text to label (repeatable).")
@click.option("--to", metavar="FORMAT", help="What to write; default by FILE's ending, else colours or JSON Lines.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write; default stdout.")
@click.option("--from", "source", metavar="FORMAT", help="The format to read; default by the ending of each file.")
@click.option(
    "--unit", type=click.Choice(["line", "document"]), default="line", show_default=True, help="A record of plain text."
)
@click.option("--min-score", type=click.FloatRange(0, 1), metavar="X", help="Leave out what is scored lower.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="auto: bf16 where the hardware computes it natively; fp32 for --text.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8"]),
    default="auto",
    show_default=True,
    help="auto: torch, and OpenVINO or ONNX Runtime for large inputs where installed.",
)
@click.option("--decoder", metavar="NAME", help="How scores become labels; default as the run chose.")
@click.option("--resume", is_flag=True, help="Go on with FILE where an interrupted command ended.")
@click.option("--strict", is_flag=True, help="Stop at the first record that cannot be read.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@reading_options
@command_options
def label(shell: Shell, **given: Any) -> None:
    """Label files, folders, standard input or a text with the labeller of RUN.

    RUN is an id or its beginning, a name, an alias, latest, TASK@best, or ./folder.

    \b
    labelkit label latest --text "Ada Lovelace was born in London."
    labelkit label ner@best notes.txt mails/ -o labelled.jsonl
    zcat reviews.csv.gz | labelkit label latest - --from csv --columns text=review --to csv
    """
    asked = _Asked(**given)
    asked.check(as_json=shell.as_json)
    if asked.texts and asked.output is None and asked.to is None:
        _show_texts(shell, asked)
    else:
        _label(shell, asked)


def _show_texts(shell: Shell, asked: _Asked) -> None:
    """Show some texts with their spans in colour, or as JSON."""
    from labelkit.formats.labelled_json import to_json
    from labelkit.label.records import drop_low_scores

    labeller = _labeller(shell, asked)
    schema = labeller.info.schema
    records = labeller.label_all(asked.texts)
    if asked.min_score is not None:
        records = [drop_low_scores(record, asked.min_score, schema.scheme) for record in records]
    if shell.as_json:
        documents = [to_json(record) for record in records]
        shell.json(documents[0] if len(documents) == 1 else documents)
        return
    from labelkit.console.spans import colours, print_labelled

    for record in records:
        print_labelled(shell.out, record, colours(schema.types or schema.labels), texts=len(records) > 1)


def _label(shell: Shell, asked: _Asked) -> None:
    from labelkit.cli.labelling import LabelProgress, ReadMeter
    from labelkit.files.reading import OPEN_LISTENER
    from labelkit.label.job import LabellingJob, refuse_existing, to_file, to_standard_output

    if asked.output:
        refuse_existing(asked.output, force=asked.force)
    inputs = _inputs(shell, asked)
    _writer(shell, asked, None)  # a name that nobody knows is told before anything is loaded
    labeller = _labeller(shell, asked)
    writer, meter = _writer(shell, asked, labeller), ReadMeter()
    bar = asked.output is not None or not sys.stdout.isatty()
    with LabelProgress(shell.err, meter, inputs.size if inputs else None, bar=bar) as progress:
        OPEN_LISTENER.set(meter)
        items = _items(shell, asked, inputs, labeller)
        job = LabellingJob(
            labeller=labeller,
            items=items,
            writer=writer,
            min_score=asked.min_score,
            strict=asked.strict,
            many=inputs is not None and (inputs.size or 0) >= LARGE,
            watch=progress,
        )
        try:
            if asked.output:
                header = _header(asked, labeller)
                totals = to_file(job, asked.output, header, resume=asked.resume, force=asked.force)
            else:
                totals = to_standard_output(job)
        except KeyboardInterrupt:
            _interrupted(shell, asked)
        finally:
            OPEN_LISTENER.set(None)
    _close(shell, asked, job, totals)


def _inputs(shell: Shell, asked: _Asked) -> Inputs | None:
    if asked.texts:
        return None
    from labelkit.label.inputs import find_inputs
    from labelkit.label.journal import journal_path

    away = [asked.output, journal_path(asked.output)] if asked.output else []
    found = find_inputs(asked.inputs, shell.catalog.formats, format_name=asked.source, unit=asked.unit, leave_out=away)
    if found.skipped:
        names = ", ".join(str(path) for path in found.skipped[:3])
        more = f" and {len(found.skipped) - 3:,} more" if len(found.skipped) > 3 else ""
        shell.say(f"note: no format reads {names}{more}")
    return found


def _items(shell: Shell, asked: _Asked, inputs: Inputs | None, labeller: Labeller) -> Iterator[InputRecord]:
    from labelkit.label.inputs import read_inputs
    from labelkit.records import Example

    if inputs is None:
        return (Example(id=str(number), text=text) for number, text in enumerate(asked.texts, start=1))
    ctx = reading_context(shell, asked.columns, asked.encoding, asked.sets)
    return read_inputs(inputs, labeller.info.kind, labeller.info.layer, ctx, strict=asked.strict)


def _labeller(shell: Shell, asked: _Asked) -> Labeller:
    from labelkit.label.labeller import Labeller

    # one text alone gains nothing by bf16
    precision = "fp32" if asked.texts and asked.precision == "auto" else asked.precision
    return Labeller.open(asked.run, shell.home, shell.catalog, precision, asked.decoder, asked.engine)


def _writer(shell: Shell, asked: _Asked, labeller: Labeller | None) -> Format:
    """Return the format to write; without a labeller only its name and place are checked."""
    from dataclasses import replace

    from labelkit.formats.recognition import writer_for
    from labelkit.label import terminal

    people = sys.stdout.isatty() and asked.output is None
    kind = labeller.info.kind if labeller else None
    name = asked.to or (None if asked.output else "terminal" if people else "jsonl")
    chosen = writer_for(asked.output, shell.catalog.formats, name, kind=kind)
    if labeller is None or chosen.name != "terminal":
        return chosen
    schema = labeller.info.schema
    return replace(chosen, write=terminal.writer(schema.types or schema.labels))


def _header(asked: _Asked, labeller: Labeller) -> dict[str, Any]:
    """Return what must be the same for an interrupted command to be gone on with."""
    from labelkit.models.checkpoint_files import sha256_of, weights_of

    reading = {"columns": asked.columns, "encoding": asked.encoding, "set": asked.sets, "from": asked.source}
    return {
        "run": labeller.info.run,
        "checkpoint": sha256_of(*weights_of(labeller.folder)),
        "decoder": labeller.decoder.name,
        "engine": labeller.engines,
        "inputs": [*asked.inputs, *asked.texts],
        "reading": {**reading, "unit": asked.unit},
        "min_score": asked.min_score,
    }


def _interrupted(shell: Shell, asked: _Asked) -> NoReturn:
    from labelkit.cli.main import EXIT_INTERRUPTED
    from labelkit.label.journal import journal_path

    kept = asked.output is not None and journal_path(asked.output).exists()
    shell.say("interrupted" + ("; the same command with --resume goes on from here" if kept else ""))
    click.get_current_context().exit(EXIT_INTERRUPTED)


def _close(shell: Shell, asked: _Asked, job: LabellingJob, totals: LabellingSummary) -> None:
    """Record the output, say what was done, and end with 1 where a file could not be read to its end."""
    if asked.output:
        _record(shell, job, asked.output, totals.records)
    if shell.as_json:
        shell.json(_summary(asked, job, totals))
    for line in _lines(asked, job, totals):
        shell.say(line)
    if totals.unfinished:
        from labelkit.errors import LabelkitError

        raise LabelkitError(
            f"{_count(totals.unfinished, 'file')} could not be read to the end",
            hint="everything else is labelled; see above",
        )


def _summary(asked: _Asked, job: LabellingJob, totals: LabellingSummary) -> dict[str, Any]:
    engine = job.labeller.engine
    return {
        "run": job.labeller.info.run,
        "checkpoint": str(job.labeller.folder),
        "output": str(asked.output) if asked.output else None,
        "format": job.writer.name,
        "records": totals.records,
        "words": totals.words,
        "spans": totals.spans,
        "windows": totals.windows,
        "fallback": totals.fallback,
        "below_min_score": totals.below_min_score,
        "repaired": totals.repaired,
        "failed": totals.failed,
        "unfinished_files": totals.unfinished,
        "resumed_after": job.resumed_after(totals),
        "new_records": job.labelled.records,
        "new_words": job.labelled.words,
        "seconds": round(job.seconds, 3),
        "words_per_second": round(job.words_per_second, 1),
        "engine": engine.name,
        "precision": engine.precision,
        "device": engine.model.device.type,
        "backoffs": engine.memory.backoffs,
    }


def _lines(asked: _Asked, job: LabellingJob, totals: LabellingSummary) -> Iterator[str]:
    engine = job.labeller.engine
    token = job.labeller.info.kind == "token"
    done = [_count(totals.records, "record"), _count(totals.words, "word")] + [_count(totals.spans, "span")] * token
    before = job.resumed_after(totals)
    here = f"{_count(job.labelled.records, 'record')}, {_count(job.labelled.words, 'word')}"
    went_on = f"; went on after {_count(before, 'record')}: {here}" if before else ""
    yield (
        f"{asked.output or 'labelled'}: {', '.join(done)}"
        f"{went_on} in {job.seconds:.1f} s "
        f"({job.words_per_second:,.0f} words/s), {engine.name} on {engine.model.device.type}"
    )
    if totals.failed:
        yield f"note: {_count(totals.failed, 'record')} could not be read or labelled"
    if totals.fallback:
        what = _count(totals.fallback, "word" if token else "text")
        yield f"note: {what} without meaning to the encoder, labelled with the fallback label"
    if totals.below_min_score:
        yield f"note: {_count(totals.below_min_score, 'label')} left out, scored below {asked.min_score:g}"
    if totals.repaired:
        scheme = job.labeller.info.schema.scheme
        yield f"note: {_count(totals.repaired, 'tag')} rewritten to fit {scheme}, the spans are the same"
    for note in job.labeller.notes:
        yield f"note: {note}"
    if engine.memory.backoffs:
        yield f"note: batches were made smaller {_count(engine.memory.backoffs, 'time')}, the memory ran out"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _record(shell: Shell, job: LabellingJob, path: Path, records: int) -> None:
    """Have the registry know where the file came from, if it knows the run."""
    from labelkit.errors import LabelkitError, RegistryError
    from labelkit.models.checkpoint_files import sha256_of
    from labelkit.registry import Registry

    info = job.labeller.info
    try:
        with Registry.open(shell.home, create=False) as registry:
            try:
                registry.runs.find(info.run)
            except RegistryError:
                return  # a checkpoint from elsewhere
            size, digest = path.stat().st_size, sha256_of(path)
            registry.recorder.log_output(
                info.run, path, step=info.step, kind="labelled", size=size, sha256=digest, records=records
            )
    except LabelkitError as error:
        shell.say(f"note: the registry does not know of {path}: {error.message}")

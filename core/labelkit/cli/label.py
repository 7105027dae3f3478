"""``labelkit label``."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from labelkit.cli.adopt import SCHEMES
from labelkit.cli.common import Shell, command_options, operating_point_option, say_assumptions, with_safe_cells
from labelkit.cli.data import reading_context, reading_options
from labelkit.console.results import results
from labelkit.files.targets import check_target, is_stdout, is_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labelkit.label.batches import CheckpointSpec
    from labelkit.label.cluster.stream import RayCluster
    from labelkit.label.inputs import Inputs
    from labelkit.label.job import LabellingJob
    from labelkit.label.labeller import Labeller
    from labelkit.label.stream import InputRecord
    from labelkit.records import Format, LoadContext, TextPair

#: size of a large input in bytes, some ten thousand words: a faster engine is worth its loading time
LARGE = 1 << 18
_ADDRESS = re.compile(r"[\w.-]+:\d+|\[[\da-fA-F:]+\]:\d+")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Arguments and options of the command."""

    run: str
    inputs: tuple[str, ...]
    texts: tuple[str, ...]
    pairs: tuple[str, ...]
    to: str | None
    output: Path | None
    source: str | None
    unit: Any
    min_score: float | None
    operating_point: str | None
    precision: str
    engine: str
    decoder: str | None
    splitter: str | None
    scheme: str | None
    verify: bool
    task: str | None
    resume: bool
    strict: bool
    force: bool
    columns: str | None
    encoding: str
    sets: tuple[str, ...]
    safe_cells: bool
    ray: str | None
    workers: int | None
    timeout: float | None

    @property
    def file(self) -> Path | None:
        """The file to write; None where the output is a stream."""
        return None if self.output is None or is_stream(self.output) else self.output

    @property
    def labelling(self) -> dict[str, Any]:
        """How the labeller is opened."""
        # a single text gains nothing by bf16
        precision = "fp32" if self.texts and self.precision == "auto" else self.precision
        return {
            "precision": precision,
            "decoder": self.decoder,
            "engine": self.engine,
            "splitter": self.splitter,
            "scheme": self.scheme,
            "task": self.task,
            "all_tasks": True,
            "operating_point": self.operating_point,
        }

    @property
    def given_texts(self) -> list[str | TextPair]:
        """The texts, or pairs of texts, that options give."""
        from labelkit.records import TextPair

        if not self.pairs:
            return list(self.texts)
        return [TextPair(text, pair) for text, pair in zip(self.texts, self.pairs, strict=True)]

    def check(self, *, as_json: bool) -> None:
        """Raise for options that cannot be combined."""
        if bool(self.inputs) == bool(self.texts):
            raise click.UsageError("give either files, folders or - for standard input, or --text, to label")
        if self.pairs and len(self.pairs) != len(self.texts):
            raise click.UsageError("give a --pair for each --text: the two texts of a pair")
        if self.resume and self.file is None:
            raise click.UsageError("--resume continues a file: name it with -o FILE")
        if as_json and self.output is None and self.inputs:
            raise click.UsageError("--json prints the closing summary: name a file for the records with -o FILE")
        self._check_ray()

    def _check_ray(self) -> None:
        if self.ray is None:
            if self.workers is not None or self.timeout is not None:
                raise click.UsageError("--workers and --timeout are for --ray")
            return
        if not (self.ray in ("local", "auto") or _ADDRESS.fullmatch(self.ray)):
            raise click.UsageError(f"--ray takes local, auto or HOST:PORT, and not '{self.ray}'; write it after INPUT…")
        if not self.inputs:
            raise click.UsageError("--ray labels files, folders or standard input, and not --text")

    def journal_header(self, labeller: Labeller) -> dict[str, Any]:
        """Return the arguments that must be equal to resume an interrupted command."""
        from labelkit.models.checkpoint_files import sha256_of, weights_of

        reading = {"columns": self.columns, "encoding": self.encoding, "set": self.sets, "from": self.source}
        return {
            "run": labeller.info.run,
            "checkpoint": sha256_of(*weights_of(labeller.folder)),
            "decoder": labeller.decoder.name,
            "task": self.task,
            "splitter": labeller.info.splitter,
            "engine": labeller.engines,
            "inputs": [*self.inputs, *self.texts],
            **({"pairs": list(self.pairs)} if self.pairs else {}),
            **({"scheme": self.scheme} if self.scheme else {}),
            "reading": {**reading, "unit": self.unit},
            "min_score": self.min_score,
            **self.journal_point(labeller),
        }

    def journal_point(self, labeller: Labeller) -> dict[str, Any]:
        """Return the thresholds of the operating point, where there is one."""
        from labelkit.label.operating_points import points_to_json

        return {"operating_point": points_to_json(labeller.operating_points)} if self.operating_point else {}


@click.command()
@click.argument("run")
@click.argument("inputs", nargs=-1, metavar="INPUT…")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Label this text (repeatable).")
@click.option("--pair", "pairs", multiple=True, metavar="TEXT", help="The second text of the pair that --text begins.")
@click.option("--to", metavar="FORMAT", help="Write this format; default by FILE's ending, else colours or JSON Lines.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE; default stdout.")
@click.option("--from", "source", metavar="FORMAT", help="Read this format; default by the ending of each file.")
@click.option(
    "--unit",
    type=click.Choice(["line", "document"]),
    default="line",
    show_default=True,
    help="Make each line, or each file, of plain text a record.",
)
@click.option("--min-score", type=click.FloatRange(0, 1), metavar="X", help="Leave out spans with a lower score.")
@operating_point_option("Leave out labels scored below the threshold of their type that reaches this on validation.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="Compute in this precision; auto: bf16 where the hardware is fast in it, fp32 for --text.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8"]),
    default="auto",
    show_default=True,
    help="Compute with this engine; auto: the checkpoint's ONNX model, else torch; the fastest for large inputs.",
)
@click.option("--decoder", metavar="NAME", help="Decode scores with this decoder; default the run's own.")
@click.option("--splitter", metavar="NAME", help="Split raw text into words with this splitter; default the run's own.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="Tagging scheme of the labels of a model not of labelkit.")
@click.option("--verify", is_flag=True, help="Compute the checksums of the checkpoint again, changed or not.")
@click.option("--task", metavar="TASK", help="Label with one task of a run of several; default all of them.")
@click.option("--resume", is_flag=True, help="Continue FILE of an interrupted command.")
@click.option("--strict", is_flag=True, help="Stop at the first record that cannot be read.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("--safe-cells", is_flag=True, help="In CSV, put ' before text that spreadsheets take for a formula.")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Label on a Ray cluster: HOST:PORT, auto, or local (the default) to start one on this machine.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="With --ray: label in N processes.")
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="With --ray: fail when nothing was labelled for so long; default 1800.",
)
@reading_options
@command_options
def label(shell: Shell, **given: Any) -> None:
    """Label files, folders, standard input or a text with the labeller of RUN.

    RUN is an id or its beginning, a name, an alias, latest, TASK@best, ./folder, or hub:org/name.

    \b
    labelkit label latest --text "Ada Lovelace was born in London."
    labelkit label entailment --text "It rains." --pair "It is wet."
    labelkit label ner@best notes.txt mails/ -o labelled.jsonl
    labelkit label ner@best notes.txt --operating-point precision=0.95
    zcat reviews.csv.gz | labelkit label latest - --from csv --columns text=review --to csv
    """
    options = LabelOptions(**given)
    if is_stdout(options.output):
        options = replace(options, output=None)
    options.check(as_json=shell.as_json)
    if options.ray is not None:
        from labelkit.errors import require_extra

        require_extra("ray", "--ray")
    if options.texts and options.output is None and options.to is None:
        print_texts(shell, options)
    else:
        run_job(shell, options)


def print_texts(shell: Shell, options: LabelOptions) -> None:
    """Label the texts and print them in colour, or as JSON."""
    from labelkit.formats.labelled_json import to_json
    from labelkit.label.operating_points import point_line

    labeller = _open(shell, options)
    if labeller.operating_points:
        shell.say(point_line(labeller.operating_points))
    for note in labeller.notes:
        shell.say(f"note: {note}")
    records = labeller.label_all(options.given_texts)
    if options.min_score is not None:
        records = [labeller.above(options.min_score, record) for record in records]
    if shell.as_json:
        documents = [to_json(record) for record in records]
        shell.json(documents[0] if len(documents) == 1 else documents)
        return
    from labelkit.console.spans import print_layers

    for record in records:
        print_layers(
            shell.out,
            record,
            {task: info.schema for task, info in labeller.info.of_tasks.items()},
            several=len(records) > 1,
        )


def run_job(shell: Shell, options: LabelOptions) -> None:
    """Label to a file or to standard output, with a progress bar and a closing summary."""
    ctx = reading_context(shell, options.columns, options.encoding, options.sets)
    inputs = None if options.texts else _find_inputs(shell, options, ctx)
    if options.output:
        read = [one.path for one in inputs.files] if inputs else []
        check_target(options.output, force=options.force, inputs=read)
    _writer(shell, options, None)  # an invalid format or setting fails before the model is loaded
    with _cluster(options) as cluster:
        label_inputs(shell, options, inputs, ctx, cluster)


def label_inputs(
    shell: Shell, options: LabelOptions, inputs: Inputs | None, ctx: LoadContext, cluster: RayCluster | None
) -> None:
    """Load the labeller, label and close.

    :param inputs: None for the texts that options give.
    """
    from labelkit.cli.labelling import LabelProgress, ReadMeter
    from labelkit.files.reading import OPEN_LISTENER
    from labelkit.label.job import LabellingJob

    labeller = _open(shell, options)
    ctx = replace(_reading_context(shell, options, labeller), policy=ctx.policy)
    meter, bar = ReadMeter(), options.output is not None or not results().isatty()
    with LabelProgress(shell.err, meter, inputs.size if inputs else None, bar=bar) as progress:
        OPEN_LISTENER.set(meter)
        job = LabellingJob(
            labeller=labeller,
            inputs=_read(options, inputs, labeller, ctx),
            policy=ctx.policy,
            writer=_writer(shell, options, labeller),
            min_score=options.min_score,
            strict=options.strict,
            large=inputs is not None and (inputs.size or 0) >= LARGE,
            prompt=options.file is None and "-" in options.inputs,
            on_chunk=progress,
            cluster=cluster,
            spec=_spec(shell, options, labeller),
        )
        try:
            if options.file:
                header = options.journal_header(labeller)
                job.write_file(options.file, header, resume=options.resume, force=options.force)
            else:
                job.write_stream(options.output)
        except KeyboardInterrupt:
            _exit_interrupted(shell, options.file)
        finally:
            OPEN_LISTENER.set(None)
    _close(shell, options, job)


def _cluster(options: LabelOptions) -> AbstractContextManager[RayCluster | None]:
    """Return the cluster to label on, which starts while the checkpoint is loaded; None for this process."""
    if options.ray is None:
        return nullcontext()
    from labelkit.label.cluster.stream import RayCluster

    limit: dict[str, Any] = {} if options.timeout is None else {"timeout": options.timeout}
    return RayCluster(options.ray, workers=options.workers, **limit)


def _spec(shell: Shell, options: LabelOptions, labeller: Labeller) -> CheckpointSpec | None:
    """Return the checkpoint and the options for workers; None without any."""
    if options.ray is None:
        return None
    from labelkit.label.batches import CheckpointSpec

    # the operating point is applied to what workers return: they need not find the curve, which may be in the registry
    said = {**options.labelling, "operating_point": None}
    return CheckpointSpec.of(labeller.folder, shell.home, shell.catalog, **said)


def _find_inputs(shell: Shell, options: LabelOptions, ctx: LoadContext) -> Inputs:
    from labelkit.label.inputs import find_inputs
    from labelkit.label.journal import journal_path

    excluded = [options.file, journal_path(options.file)] if options.file else []
    found = find_inputs(
        options.inputs,
        shell.catalog.formats,
        format_name=options.source,
        unit=options.unit,
        leave_out=excluded,
        ctx=ctx,
    )
    for folder in found.unlistable:
        shell.say(f"note: {folder} cannot be listed, its files are left out")
    if found.skipped:
        names = ", ".join(str(path) for path in found.skipped[:3])
        more = f" and {len(found.skipped) - 3:,} more" if len(found.skipped) > 3 else ""
        shell.say(f"note: no format reads {names}{more}")
    return found


def _read(options: LabelOptions, inputs: Inputs | None, labeller: Labeller, ctx: LoadContext) -> Iterator[InputRecord]:
    from labelkit.label.inputs import read_inputs
    from labelkit.label.text_inputs import numbered_examples

    if inputs is None:
        return numbered_examples(options.given_texts, labeller.info.kind)
    if not labeller.info.takes_pairs:
        ctx = replace(ctx, policy=replace(ctx.policy, find_pairs=False))
    return read_inputs(inputs, labeller.info.kind, labeller.info.layer, ctx, strict=options.strict)


def _reading_context(shell: Shell, options: LabelOptions, labeller: Labeller) -> LoadContext:
    from labelkit.label.plugin_settings import trained_values

    trained = trained_values(labeller.info, shell.catalog)
    return reading_context(shell, options.columns, options.encoding, options.sets, trained=trained)


def _open(shell: Shell, options: LabelOptions) -> Labeller:
    from labelkit.label.labeller import Labeller

    labeller = Labeller.open(options.run, shell.home, shell.catalog, **options.labelling, verify=options.verify)
    say_assumptions(shell, labeller.assumptions)
    return labeller


def _writer(shell: Shell, options: LabelOptions, labeller: Labeller | None) -> Format:
    """Return the format to write; without a labeller only its name and suffix are checked."""
    from labelkit.formats.recognition import writer_for
    from labelkit.label.terminal import terminal_writer
    from labelkit.labels.numbers import check_format, refuse_numbers
    from labelkit.plugins.functions import with_context

    name = options.to
    if name is None and options.output is None:
        name = "terminal" if results().isatty() else "jsonl"
    elif name is None and options.output and options.file is None and not options.output.suffix:
        name = "jsonl"
    kind = labeller.info.kind if labeller else None
    path = options.output if name is None else options.file  # a stream has no name to tell the format by
    chosen = writer_for(path, shell.catalog.formats, name, kind=kind)
    if options.safe_cells:
        return with_safe_cells(chosen)
    if labeller is None:
        return chosen
    check_format(chosen, labeller.info.schema, pairs=labeller.info.pairs)
    if options.min_score is not None:
        refuse_numbers(labeller.info.schema, "--min-score")
    if chosen.name != "terminal":
        return with_context(chosen, _reading_context(shell, options, labeller))
    schema = labeller.info.schema
    return replace(chosen, write=terminal_writer(schema.types or schema.labels))


def _exit_interrupted(shell: Shell, output: Path | None) -> NoReturn:
    from labelkit.cli.main import EXIT_INTERRUPTED
    from labelkit.label.journal import journal_path

    resumable = output is not None and journal_path(output).exists()
    shell.say("interrupted" + ("; resume with the same command and --resume" if resumable else ""))
    click.get_current_context().exit(EXIT_INTERRUPTED)


def _close(shell: Shell, options: LabelOptions, job: LabellingJob) -> None:
    """Record the output and print the summary; fail if a file could not be read to the end."""
    from labelkit.cli.labelling import plural, summary_lines

    if options.file and (error := job.record_output(options.file, shell.home)):
        shell.say(f"note: {options.file} is not recorded: {error.message}")
    if shell.as_json:
        shell.json(job.summary(options.output))
    for line in summary_lines(job, options.output):
        shell.say(line)
    if job.total.unfinished_files:
        from labelkit.errors import LabelkitError

        raise LabelkitError(
            f"{plural(job.total.unfinished_files, 'file')} could not be read to the end",
            hint="everything else is labelled; see above",
        )

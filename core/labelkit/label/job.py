"""A labelling job: label inputs to standard output, or by a journal to a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labelkit.console.output import open_output
from labelkit.data.plugin_errors import write_format
from labelkit.errors import DataError, LabelkitError, RegistryError
from labelkit.files.output import new_output
from labelkit.files.targets import check_target
from labelkit.formats.own_fields import with_same_fields, without_pairs
from labelkit.label.journal import Journal, journal_path
from labelkit.label.left_out import fields_left_out, tasks_left_out
from labelkit.label.operating_points import points_to_json
from labelkit.label.stream import InputRecord, LabelResult, label_stream
from labelkit.label.summary import LabellingSummary
from labelkit.records import Format, Labelled, ReadingPolicy

if TYPE_CHECKING:
    from labelkit.label.batches import CheckpointSpec
    from labelkit.label.cluster.stream import RayCluster
    from labelkit.label.labeller import Labeller
    from labelkit.registry import Home

#: own fields that are looked for in the output
_MOST_FIELDS = 100


class EngineFacts(NamedTuple):
    """What computed: the name of the engine, and how often it ran out of memory."""

    name: str
    precision: str
    device: str
    backoffs: int
    notes: list[str]


@dataclass(kw_only=True, slots=True)
class LabellingJob:
    """What to label, how, and the counts of its results.

    :param inputs: consumed lazily.
    :param policy: the one under which they are read, which counts what is left out and notes what is assumed.
    :param min_score: leave out spans, and labels of texts, with a lower score.
    :param strict: raise for the first record that cannot be read or labelled.
    :param large: the input is known to be large.
    :param prompt: the input may be slow, and its results go to a stream.
    :param on_chunk: called with the results of each chunk.
    :param cluster: label there, and not in this process.
    :param spec: the checkpoint, for the workers of the cluster.
    :param new: counts of the results of this process, which took :attr:`seconds`.
    :param left_out: own fields of records that the format of the output does not hold.
    :param total: counts of all results in the output, those of an earlier process included.
    """

    labeller: Labeller
    inputs: Iterator[InputRecord]
    writer: Format
    policy: ReadingPolicy = field(default_factory=ReadingPolicy)
    min_score: float | None = None
    strict: bool = False
    large: bool = False
    prompt: bool = False
    on_chunk: Callable[[list[LabelResult]], None] = lambda chunk: None
    cluster: RayCluster | None = None
    spec: CheckpointSpec | None = None
    new: LabellingSummary = field(default_factory=LabellingSummary)
    total: LabellingSummary = field(default_factory=LabellingSummary)
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()

    @property
    def resumed_after(self) -> int:
        """The number of results of an earlier process."""
        return self.total.results - self.new.results

    @property
    def engine(self) -> EngineFacts:
        """The engine of this process, or of the workers."""
        engine = self.labeller.engine
        if self.cluster is not None and (facts := self.cluster.facts):
            return EngineFacts(*(facts[name] for name in ("engine", "precision", "device", "backoffs", "notes")))
        return EngineFacts(engine.name, engine.precision, engine.device, engine.memory.backoffs, self.labeller.notes)

    @property
    def words_per_second(self) -> float:
        """The speed of this process."""
        return self.new.words / self.seconds if self.seconds else 0.0

    def results(self, done: int = 0) -> Iterator[list[LabelResult]]:
        """Label the inputs and yield the results chunk by chunk.

        :param done: number of chunks that an earlier process labelled.
        """
        least = self.min_score
        started = time.monotonic()
        for chunk in self._streamed(done):
            if least is not None:
                chunk = [self.labeller.above(least, r) if isinstance(r, Labelled) else r for r in chunk]
            for result in chunk:
                self.new.add(result)
            self.seconds = time.monotonic() - started
            self.on_chunk(chunk)
            yield chunk

    def _streamed(self, done: int) -> Iterator[list[LabelResult]]:
        if self.cluster is None or self.spec is None:
            return label_stream(
                self.labeller, self.inputs, strict=self.strict, done=done, large=self.large, prompt=self.prompt
            )
        return self.cluster.label(
            self.labeller, self.inputs, self.spec, strict=self.strict, done=done, large=self.large
        )

    def write_stream(self, path: Path | None = None) -> None:
        """Label to a stream, flushed after each chunk.

        :param path: a device or a pipe; None for standard output.
        :raises DataError: if not a single record can be read.
        :raises StorageError: if the stream cannot be written.
        """
        with open_output(path, self.writer.name) as output:

            def records() -> Iterator[Labelled]:
                for chunk in self.results():
                    yield from self._check_fields(self.total.records_of(chunk))
                    output.stream.flush()

            write_format(self.writer, records(), output)
        self._check_any_record()

    def write_file(self, path: Path, header: Mapping[str, Any], *, resume: bool = False, force: bool = False) -> None:
        """Label to a file that appears atomically at the end; until then a journal keeps the results.

        :param header: arguments that must be equal to resume.
        :param resume: continue from the journal of an interrupted command.
        :raises DataError: if the file exists, the input has changed, not a single record can be read, or the format
            cannot hold one.
        :raises StorageError: if the disk cannot be written; the journal stays.
        """
        check_target(path, force=force)
        with Journal.open(journal_path(path), header, resume=resume, force=force) as journal:
            empty = False
            try:
                journal.verify(self.inputs)
                for chunk in self.results(journal.chunks):
                    journal.append(chunk)
                self.total.count(journal.results())
                records = self._check_fields(with_same_fields(self.writer, journal.records))
                first = list(islice(records, 1))
                empty = not first
                self._check_any_record()
                with new_output(path, force=force) as output:
                    try:
                        write_format(self.writer, chain(first, records), output)
                    except DataError as error:
                        labelled = sum(isinstance(result, Labelled) for result in journal.results())
                        kept = f"{labelled:,} labelled records are kept"
                        raise DataError(
                            error.message, hint=f"{kept}: --resume with another --to writes them"
                        ) from error
                journal.remove()
            finally:
                if empty or not journal.items:
                    journal.remove()

    def _check_fields(self, records: Iterator[Labelled]) -> Iterator[Labelled]:
        """Yield records, and find which of their own fields the output does not hold, by the first with each."""
        checked: set[str] = set()
        for record in without_pairs(self.writer, records):
            if record.layers and not checked & record.layers.keys():
                checked |= record.layers.keys()
                self.left_out = (*self.left_out, *tasks_left_out(self.writer, record))
            if len(checked) < _MOST_FIELDS and (new := record.extra.keys() - checked):
                checked |= new
                left = fields_left_out(self.writer, record)
                self.left_out = (*self.left_out, *(name for name in left if name not in self.left_out))
            yield record

    def _check_any_record(self) -> None:
        """Raise the first failure if not a single record was labelled."""
        if self.total.failures and not self.total.records:
            first, more = self.total.failures[0], self.total.failed + self.total.unfinished_files - 1
            raise DataError(f"{first.message}{f' (and {more:,} more like it)' if more else ''}", hint=first.hint)

    def summary(self, output: Path | None) -> dict[str, Any]:
        """Return the closing summary as a JSON document.

        :param output: the written file; None for standard output.
        """
        engine, counts = self.engine, asdict(self.total)
        del counts["failures"]
        return {
            "run": self.labeller.info.run,
            "checkpoint": str(self.labeller.folder),
            "output": str(output) if output else None,
            "format": self.writer.name,
            "notes": [f"{what}: {times:,}" for what, times in self.policy.counts.items()],
            "assumptions": list(self.policy.assumptions),
            **counts,
            "operating_point": points_to_json(self.labeller.operating_points),
            "resumed_after": self.resumed_after,
            "new_records": self.new.records,
            "new_words": self.new.words,
            "seconds": round(self.seconds, 3),
            "words_per_second": round(self.words_per_second, 1),
            "engine": engine.name,
            "precision": engine.precision,
            "device": engine.device,
            "backoffs": engine.backoffs,
        }

    def record_output(self, path: Path, home: Home) -> LabelkitError | None:
        """Record the written file with its run, if the registry has the run; return the error if that fails."""
        from labelkit.models.checkpoint_files import sha256_of
        from labelkit.registry import Registry

        info = self.labeller.info
        try:
            with Registry.open(home, create=False) as registry:
                try:
                    registry.runs.find(info.run)
                except RegistryError:
                    return None  # a checkpoint of another registry
                registry.recorder.log_output(
                    info.run,
                    path,
                    step=info.step,
                    kind="labelled",
                    size=path.stat().st_size,
                    sha256=sha256_of(path),
                    records=self.total.records,
                )
        except LabelkitError as error:
            return error
        return None

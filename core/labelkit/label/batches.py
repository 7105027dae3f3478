"""Label Arrow tables with a checkpoint, in whatever process they are given to: Ray, Spark, or ``datasets.map``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal, cast

from labelkit.config.environment import Environment
from labelkit.errors import ModelError, StorageError, require_extra
from labelkit.files.atomic import new_folder
from labelkit.label.arrow_rows import ColumnRows, ResultColumns
from labelkit.label.stream import FIRST, InputRecord, LabelResult, PendingChunk, chunks
from labelkit.models.adoption import AdoptionOptions
from labelkit.models.checksums import ChecksumMemory
from labelkit.plugins.catalog import Catalog
from labelkit.records import Labelled
from labelkit.registry import Home
from labelkit.registry.checkpoint_folders import Reference, resolve_checkpoint
from labelkit.registry.remote_store import FETCHED

if TYPE_CHECKING:
    import pyarrow as pa

    from labelkit.label.labeller import Labeller
    from labelkit.settings import FileScheme, SplitterName

#: chunks this large from the first one on: the first ones of a stream are small so that results come soon
_AT_ONCE = FIRST.bit_length()


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointSpec:
    """A checkpoint and the options to label with it, for another process.

    :param folder: absolute.
    :param files: name → SHA-256 of each file.
    :param home: the folder of the home, whose cache is used.
    :param options: those of :meth:`labelkit.label.labeller.Labeller.open`.
    :param only: the only plugins to load; None for all.
    :param blocked: plugins never to load.
    """

    folder: str
    files: Mapping[str, str]
    home: str
    options: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    blocked: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path, home: Home, catalog: Catalog, **options: Any) -> CheckpointSpec:
        """Return the specification of a checkpoint whose files were verified."""
        checksums = ChecksumMemory(home.cache)
        folder = folder.absolute()
        files = {
            file.relative_to(folder).as_posix(): checksums.sha256(file)
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        }
        checksums.save()
        only = Environment.read().plugins
        blocked = tuple(one.name for one in catalog.plugins if one.status == "blocked")
        root = str(home.root.absolute())
        return cls(
            folder=str(folder),
            files=files,
            home=root,
            options=options,
            only=only,
            blocked=blocked if only is None else (),
        )

    def fetched(self, read: Callable[[str], bytes]) -> CheckpointSpec:
        """Return the specification of the checkpoint on this machine, fetched into the cache if it is not here.

        :param read: name → the content of a file.
        :raises StorageError: the cache cannot be written.
        """
        if Path(self.folder).is_dir():
            return self
        digest = hashlib.sha256(json.dumps(sorted(self.files.items()), allow_nan=False).encode()).hexdigest()
        folder = Home(root=Path(self.home)).cache / FETCHED / digest
        try:
            if not folder.is_dir():
                with new_folder(folder) as beside:
                    for name in self.files:
                        (beside / name).parent.mkdir(parents=True, exist_ok=True)
                        (beside / name).write_bytes(read(name))
        except StorageError:
            if not folder.is_dir():  # else another process has fetched it meanwhile
                raise
        return replace(self, folder=str(folder))

    def open(self) -> Labeller:
        """Verify the files of the checkpoint, and load its labeller.

        :raises ModelError: the folder is not on this machine, or a file is not the one that was named.
        :raises LabelkitError: the labeller cannot be loaded.
        """
        from labelkit.label.labeller import Labeller

        home = Home(root=Path(self.home))
        folder = Path(self.folder)
        self._verify(folder, ChecksumMemory(home.cache))
        catalog = Catalog.load(only=self.only, blocked=self.blocked, say=lambda line: None)
        return Labeller.open(folder, home, catalog, **self.options)

    def _verify(self, folder: Path, checksums: ChecksumMemory) -> None:
        if not folder.is_dir():
            raise ModelError(
                f"the checkpoint {folder} is not on this machine",
                hint="workers need it under the same path: a shared folder, or a copy",
            )
        for name, sha256 in self.files.items():
            file = folder / name
            if not file.is_file() or checksums.sha256(file) != sha256:
                what = "differs from that of the machine that asked" if file.is_file() else "is missing"
                raise ModelError(f"{file} {what}", hint="copy the checkpoint again: labelkit runs verify")
        checksums.save()


class BatchLabeller:
    """Label Arrow tables in any process: it can be pickled, and loads the checkpoint on its first table.

    A call takes a table or record batch with a column of texts or words, and returns it with the labels as further
    columns: for a labeller of words ``predicted_words``, ``predicted_labels`` and ``predicted_spans``, for one of texts
    ``predicted_label`` and ``predicted_score``, for one of several labels ``predicted_labels``. ``predicted_coverage``
    counts what the encoder read. A row that cannot be labelled has the reason in ``predicted_error``, and no labels.

    >>> labeller = BatchLabeller("ner@best")  # doctest: +SKIP
    >>> dataset.with_format("arrow").map(labeller, batched=True)  # doctest: +SKIP
    >>> frame.mapInArrow(labeller.label_batches, schema)  # doctest: +SKIP

    Where the checkpoint is loaded, its folder must have the same path and the same files; their SHA-256 are verified.

    :param reference: as for :func:`labelkit.load`.
    :param column: of texts, or of words; None: ``tokens``, ``text`` and the like.
    :param pair: the column of second texts, for a labeller of pairs; None: ``pair`` or ``text_pair``.
    :param prefix: of the names of the new columns. With several tasks, the name of the task follows it.
    :param min_score: leave out spans, or labels of texts, with a lower score.
    :param home: the folder of runs and registry; default as for the command.
    :param decoder: how scores become labels; None: the decoder of the run.
    :param engine: as for :func:`labelkit.load`.
    :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``, as for :func:`labelkit.load`.
    :param splitter: how raw text is split into words; None: the splitter of the run.
    :param scheme: the tagging scheme of the labels of a model that labelkit did not train; None: by their names.
    :param task: of a run of several tasks the one to label with; None: all of them.
    :param operating_point: leave out labels below the threshold of their type, as for :func:`labelkit.load`.
    :ivar fetch: name → the content of a file of the checkpoint, in a process on a machine without it; None: fail there.
    :raises LabelkitError: there is no such run, or its checkpoint is damaged.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        column: str | None = None,
        pair: str | None = None,
        prefix: str = "predicted_",
        min_score: float | None = None,
        home: str | Path | None = None,
        decoder: str | None = None,
        engine: str = "auto",
        device: Literal["auto", "cpu", "cuda"] = "auto",
        precision: Literal["auto", "fp32", "bf16"] = "fp32",
        splitter: str | None = None,
        scheme: str | None = None,
        task: str | None = None,
        operating_point: str | None = None,
    ) -> None:
        require_extra("parquet", "labelkit.BatchLabeller")
        environment = Environment.read()
        catalog = Catalog.load(only=environment.plugins)
        place = Home.find(os.environ, explicit=home)
        said = AdoptionOptions(splitter=cast("SplitterName", splitter), scheme=cast("FileScheme", scheme))
        resolved = resolve_checkpoint(reference, place, catalog.tasks, offline=environment.offline, options=said)
        options = {
            "decoder": decoder, "engine": engine, "device": device, "precision": precision, "splitter": splitter,
            "scheme": scheme, "task": task, "all_tasks": task is None, "operating_point": operating_point,
        }  # fmt: skip
        spec = CheckpointSpec.of(resolved.folder, place, catalog, **options)
        tasks = resolved.info.of_tasks if task is None else {task: resolved.info.of_task(task)}
        self._state: tuple[Any, ...] = (spec, ColumnRows(column, pair, ResultColumns.of(tasks, prefix)), min_score)
        self._reset()

    @classmethod
    def of_rows(cls, spec: CheckpointSpec, rows: Any) -> BatchLabeller:
        """Return the labeller of tables of another kind of rows."""
        labeller = cls.__new__(cls)
        labeller._state = (spec, rows, None)
        labeller._reset()
        return labeller

    def __getstate__(self) -> tuple[Any, ...]:
        return self._state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._state = state
        self._reset()

    def _reset(self) -> None:
        self._labeller: Labeller | None = None
        self.fetch: Callable[[str], bytes] | None = None
        self._opening, self._computing, self._stop = Lock(), Lock(), Event()

    @property
    def labeller(self) -> Labeller:
        """The labeller, loaded at first use; thread-safe.

        :raises LabelkitError: the checkpoint is not on this machine, differs, or cannot be loaded.
        """
        with self._opening:
            if self._labeller is None:
                spec: CheckpointSpec = self._state[0]
                self._labeller = (spec.fetched(self.fetch) if self.fetch else spec).open()
            return self._labeller

    def schema(self, given: pa.Schema) -> pa.Schema:
        """Return the schema of the labelled table for one of that schema, without loading the checkpoint."""
        rows = self._state[1]
        found: pa.Schema = rows.schema(given)
        return found

    def __call__(self, batch: Any, *, large: bool = True) -> Any:
        """Return a ``pyarrow.Table`` or ``RecordBatch`` with the labels of its rows as further columns; thread-safe.

        While one thread computes, others prepare and assemble their tables.

        :param large: the input is known to be large: the fastest engine is worth its loading time.
        :raises LabelkitError: there is no such column, or the checkpoint cannot be loaded or computes nonsense.
        """
        import pyarrow as pa

        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        rows = self._state[1]
        kind = self.labeller.info.kind
        results = [result for chunk in self._label(rows.read(table, kind), large=large) for result in chunk]
        labelled = rows.write(table, results)
        if table is batch:
            return labelled
        (found,) = labelled.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], labelled.schema)]
        return found

    def label_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield each record batch with its labels; the function for ``mapInArrow`` of a Spark data frame."""
        for batch in batches:
            yield self(batch)

    def _label(self, items: Iterable[InputRecord], *, large: bool) -> Iterator[list[LabelResult]]:
        labeller, least = self.labeller, self._state[2]
        for chunk in chunks(items, _AT_ONCE, len(labeller.labels)):
            pending = PendingChunk.prepare(labeller, chunk, strict=False, large=large)
            with self._computing:
                pending.score(labeller, self._stop)
            results = pending.results(labeller)
            if least is not None:
                results = [labeller.above(least, one) if isinstance(one, Labelled) else one for one in results]
            yield results

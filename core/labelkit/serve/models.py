"""The labellers that a server has open, by the references under which they are served.

A reference that may come to refer to another run (an alias, ``ner@best``, ``latest``) is resolved again and again. The
new labeller is opened beside the old one, then takes its place, and the old one finishes what it has.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from labelkit.errors import LabelkitError, nearest
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Labelled
from labelkit.registry import Home
from labelkit.registry.checkpoint_folders import find_checkpoint
from labelkit.serve.batcher import Batcher, DrainingError
from labelkit.serve.errors import RequestError, overloaded
from labelkit.serve.limits import ServeLimits

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: seconds between two looks at what the references refer to
POLL_SECONDS = 2.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """How labellers are opened, see :meth:`labelkit.label.labeller.Labeller.open`."""

    precision: str = "fp32"
    engine: str = "auto"
    decoder: str | None = None
    operating_point: str | None = None
    verify: bool = False


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens labellers of one home."""

    home: Home
    catalog: Catalog
    options: OpenOptions
    limits: ServeLimits

    def open(self, reference: str) -> Batcher:
        """Return a labeller that has labelled a text already, so that the first request is as fast as others.

        :raises LabelkitError: as for :meth:`labelkit.label.labeller.Labeller.open`.
        """
        from labelkit.label.labeller import Labeller

        options = self.options
        labeller = Labeller.open(
            reference,
            self.home,
            self.catalog,
            options.precision,
            options.decoder,
            options.engine,
            verify=options.verify,
            operating_point=options.operating_point,
            all_tasks=options.decoder is None,  # which is for the first task
        )
        pair = "Ada lives ." if labeller.info.pairs else None
        batch = labeller.prepare([Example(id="1", text="Ada Lovelace lives in London .", pair=pair)])
        labeller.finish(batch, labeller.compute(batch, large=True))
        return Batcher(labeller, self.limits.queued, large=True)


class ServedModel:
    """A labeller by the name under which it is served.

    :param reference: the run; resolved again by :meth:`refresh`.
    :ivar missing: the folder of the checkpoint is gone; the labeller in memory is served all the same.
    :ivar swaps: how often another run took the place of the one before.
    """

    def __init__(self, name: str, reference: str, batcher: Batcher, opener: Opener, say: Say) -> None:
        self.name, self.reference = name, reference
        self.missing = False
        self.swaps = 0
        self._batcher, self._opener, self._say = batcher, opener, say
        self._pinned = "/" in reference or "\\" in reference
        self._problem = ""
        self._changing = threading.Lock()  # an alias is not looked up between the new run and its reassignment

    @property
    def batcher(self) -> Batcher:
        """What labels the next request."""
        return self._batcher

    @property
    def labeller(self) -> Labeller:
        """The labeller of the next request."""
        return self._batcher.labeller

    @property
    def info(self) -> CheckpointInfo:
        """The content of its checkpoint's ``labelkit.json``."""
        return self.labeller.info

    @property
    def run(self) -> str:
        """The id of its run."""
        return self.info.run

    async def label(self, examples: Sequence[Example], seconds: float) -> tuple[list[Labelled], CheckpointInfo]:
        """Return the records of some examples in order, and the checkpoint that labelled them.

        :raises RequestError: too much waits already, time is over, or an example cannot be labelled.
        """
        for _ in range(3):  # a labeller whose place was taken between these two lines
            batcher = self._batcher
            try:
                return await batcher.label(examples, seconds), batcher.labeller.info
            except DrainingError:
                continue
        raise overloaded("the server is ending", 503, 1)

    def of_task(self, task: str) -> ServedTask:
        """Return the model as a labeller of one of its tasks.

        :raises RequestError: it does not serve this task.
        """
        served = ServedTask(self, task)
        served.info  # noqa: B018 - raises if there is no such task
        return served

    def replace(self, reference: str) -> None:
        """Serve another run from now on; what the one before has begun it finishes.

        :raises LabelkitError: there is no such run, or its checkpoint cannot be opened; the one before stays.
        """
        opened = self._opener.open(reference)
        if opened.labeller.info.kind != self.info.kind:
            opened.drain()
            raise LabelkitError(
                f"{self.name} was a labeller of kind {self.info.kind}, and run '{opened.labeller.info.run}' is of "
                f"kind {opened.labeller.info.kind}",
                hint="start another server for it",
            )
        if opened.labeller.info.pairs != self.info.pairs:
            opened.drain()
            raise LabelkitError(
                f"only one of {self.name} and run '{opened.labeller.info.run}' is a labeller of pairs of texts",
                hint="start another server for it",
            )
        before, self._batcher = self._batcher, opened
        before.drain()
        self.swaps += 1
        self.missing = False
        self._say(f"{self.name}: run {self.run} is served in place of {before.labeller.info.run}")

    def promote(self, run: str) -> None:
        """Serve this run from now on; where the reference is an alias, it is reassigned to the run.

        :raises LabelkitError: as for :meth:`replace`, or the registry cannot be written.
        """
        from labelkit.registry import Registry

        with self._changing:
            self.replace(run)
            with Registry.open(self._opener.home, create=False) as registry:
                known = registry.aliases.current(self.info.task)
                aliases = [one for one in known if self.reference in (one.reference, one.name)]
                if aliases:
                    registry.aliases.assign(run, aliases[0].name)
            self._pinned = not aliases

    def refresh(self) -> None:
        """Look whether the reference refers to another run by now, and serve that one; problems are said once."""
        problem = ""
        try:
            with self._changing:
                folder = self._current_folder()
                if folder is not None and folder.resolve() != self.labeller.folder.resolve():
                    self.replace(self.reference)
        except LabelkitError as error:
            problem = f"{self.name}: run {self.run} stays, because {error.message}"
        missing = not self.labeller.folder.is_dir()
        if missing and not problem:
            problem = f"{self.name}: checkpoint {self.labeller.folder} is gone; it is served from memory until the end"
        if problem and problem != self._problem:
            self._say(f"note: {problem}")
        self.missing, self._problem = missing, problem

    def _current_folder(self) -> Path | None:
        return None if self._pinned else find_checkpoint(self.reference, self._opener.home)[0]


class ServedTask:
    """A served model of several tasks as a labeller of one of them, for protocols whose answers have one layer."""

    def __init__(self, model: ServedModel, task: str) -> None:
        self._model, self.task = model, task
        self.name, self.run, self.labeller = model.name, model.run, model.labeller

    @property
    def info(self) -> CheckpointInfo:
        """The content of its checkpoint's ``labelkit.json`` for the task.

        :raises RequestError: the model does not serve this task.
        """
        return self._info_of(self._model.info)

    async def label(self, examples: Sequence[Example], seconds: float) -> tuple[list[Labelled], CheckpointInfo]:
        """Return the records with the labels of the task; see :meth:`ServedModel.label`."""
        records, info = await self._model.label(examples, seconds)
        own = self._info_of(info)  # another run may have taken the place of the one before
        return [record.layers.get(self.task, record) for record in records], own

    def _info_of(self, info: CheckpointInfo) -> CheckpointInfo:
        served = info.of_tasks if info.others else {info.task: info}
        if self.task not in served:
            raise RequestError(404, f"task: unknown task; {self.name} serves {', '.join(served)}", kind="NotFound")
        return replace(served[self.task], others=())


class ServedModels:
    """All labellers of a server by name."""

    def __init__(self, models: Mapping[str, ServedModel], say: Say) -> None:
        self._models = dict(models)
        self._say = say
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="serve-watch", daemon=True)

    @classmethod
    def open(cls, references: Sequence[str], opener: Opener, say: Say) -> Self:
        """Open the labellers of ``references``, each ``RUN`` or ``NAME=RUN``.

        :raises LabelkitError: a run is unknown or cannot be opened, or two have one name.
        """
        models: dict[str, ServedModel] = {}
        for name, reference in map(_parse, references):
            batcher = opener.open(reference)
            chosen = name or (batcher.labeller.info.run if "/" in reference or "\\" in reference else reference)
            if chosen in models:
                raise LabelkitError(f"two runs are called '{chosen}'", hint="name one of them: NAME=RUN")
            models[chosen] = ServedModel(chosen, reference, batcher, opener, say)
            for statement in batcher.labeller.assumptions:
                say(f"assumed of {chosen}: {statement}")
            for point in batcher.labeller.operating_points.values():
                for note in point.notes:
                    say(f"note: {chosen}: {note}")
        return cls(models, say)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def find(self, name: str | None) -> ServedModel:
        """Return the model called ``name``; None is the only one.

        :raises RequestError: there is none, or None may be several.
        """
        if name is None:
            if len(self._models) == 1:
                return next(iter(self._models.values()))
            raise RequestError(422, f"model: is missing, and there are several: {', '.join(self._models)}")
        if name not in self._models:
            raise RequestError(404, f"model: unknown model; {nearest(name[:100], self._models)}", kind="NotFound")
        return self._models[name]

    def watch(self) -> None:
        """Begin to look at what the references refer to, in a thread."""
        self._watcher.start()

    async def drain(self) -> None:
        """Take no more requests, and return once the open ones are answered."""
        self._ended.set()
        for model in self:
            model.batcher.drain()
        await asyncio.gather(*(asyncio.wrap_future(model.batcher.drained) for model in self))

    def _watch(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            for model in self:
                try:
                    model.refresh()
                except Exception as error:
                    self._say(f"note: {model.name}: {type(error).__name__} while looking for another run")


def _parse(reference: str) -> tuple[str | None, str]:
    """Return name and reference of an argument ``RUN`` or ``NAME=RUN``.

    :raises LabelkitError: the name is invalid.
    """
    from labelkit.registry.names import check_name

    name, equals, run = reference.partition("=")
    if not equals or "/" in name:
        return None, reference
    check_name(name, "a model")
    return name, run

"""What a plugin promises as a whole: it loads, quickly and quietly, and is the same in every process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from labelkit import events
from labelkit.errors import LabelkitError, nearest
from labelkit.plugins.catalog import Catalog, PluginInfo
from labelkit.testing import worker
from labelkit.testing.base import Question, calling, require, require_none

#: seconds that loading a plugin may add to every command, and how often it may try
LIMIT, TRIES = 1.0, 3


class Subject:
    """A plugin by its name, in a catalog and in a process of its own."""

    def __init__(self, plugin: str, catalog: Catalog) -> None:
        self.name = plugin
        self.catalog = catalog

    @cached_property
    def info(self) -> PluginInfo | None:
        """What the catalog says of it."""
        found = [info for info in self.catalog.plugins if info.name == self.name]
        return next((info for info in found if info.status == "loaded"), found[0] if found else None)

    @cached_property
    def not_installed(self) -> str:
        """Why other processes cannot find it by its name, or an empty text."""
        return worker.not_installed(self.name)

    @cached_property
    def elsewhere(self) -> worker.Answer:
        """What a process says of it that is given its name."""
        return worker.ask("look", plugin=self.name)


def is_loaded(plugin: str, catalog: Catalog) -> bool:
    """Return whether a plugin is loaded."""
    return any(info.name == plugin and info.status == "loaded" for info in catalog.plugins)


def _loads(subject: Subject) -> None:
    info = subject.info
    if info is None:
        names = [known.name for known in subject.catalog.plugins]
        require(
            False,
            f"no installed plugin is called '{subject.name}' ({nearest(subject.name, names)})",
            "install the package, and declare it under [project.entry-points.labelkit] in its pyproject.toml as "
            f'{subject.name} = "its_module"',
        )
        return
    require(
        info.status != "blocked",
        f"plugin '{subject.name}' is not loaded: {info.reason}",
        "let it load: name it in LABELKIT_PLUGINS"
        if "LABELKIT_PLUGINS" in info.reason
        else f"let it load: leave out --no-plugin {subject.name}",
    )
    require(
        info.status == "loaded",
        f"plugin '{subject.name}' is {info.status}: {info.reason}",
        "correct that; labelkit plugins shows it too",
    )
    require(
        info.hooks,
        f"plugin '{subject.name}' implements no hook",
        "let its entry point name the module that holds the functions marked @labelkit.hookimpl",
    )


def _clashes(subject: Subject) -> None:
    require_none(_contested(subject), "call it otherwise: a name that two plugins yield can be used by nobody")


def _contested(subject: Subject) -> Iterator[str]:
    for kind, record in subject.catalog.supplied_by(subject.name):
        try:
            subject.catalog.find(kind, record.name)
        except LabelkitError as error:
            yield error.message


def _worker(subject: Subject) -> None:
    found = subject.elsewhere
    advice = "let it depend on nothing but the installed package: no __main__, no state, no variables of one process"
    require(
        found["status"] == "loaded",
        f"in a process that is given only its name, plugin '{subject.name}' is {found['status']}: {found['reason']}",
        advice,
    )
    here = {(kind, record.name) for kind, record in subject.catalog.supplied_by(subject.name)}
    there = {(kind, name) for kind, name in found["records"]}
    require_none(
        (
            f"{kind} '{name}' of plugin '{subject.name}' is there in {only}"
            for only, names in (("this process only", here - there), ("other processes only", there - here))
            for kind, name in sorted(names)
        ),
        advice,
    )


def _light(subject: Subject) -> None:
    heavy = subject.elsewhere["heavy"]
    require(
        not heavy,
        f"importing plugin '{subject.name}' loads {', '.join(heavy)}, which every command would wait for",
        f"import {', '.join(heavy)} inside the function that needs it",
    )


def _quickly(subject: Subject) -> None:
    least = subject.elsewhere["seconds"]
    for _ in range(TRIES - 1):
        if least > LIMIT:  # the machine may have been busy
            least = min(least, worker.ask("look", plugin=subject.name)["seconds"])
    require(
        least <= LIMIT,
        f"importing plugin '{subject.name}' takes {least:.1f} s, {LIMIT:g} s is the limit: every command waits for it",
        "do such work inside the functions that need it; python -X importtime shows what takes long",
    )


def _quietly(subject: Subject) -> None:
    require_none(
        (f"plugin '{subject.name}', when it is imported: {note}" for note in subject.elsewhere["notes"]),
        "leave that to functions that are called, or leave it out",
    )


def _observes(subject: Subject) -> None:
    observe = subject.catalog.observers()[subject.name]
    for event in some_events():
        what = f"labelkit_event({type(event).__name__}) of plugin '{subject.name}'"
        with calling(what, "handle every event, also of kinds that come later: an observer that fails is dropped"):
            observe(event)


def some_events() -> Iterator[events.Event]:
    """Yield one event of each kind, and one of a kind that does not exist yet."""
    figures = {"loss": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.5}
    plan = {"data": {"value": "sample", "from": "default"}, "train.seed": {"value": 42, "from": "default"}}
    where: dict[str, Any] = {"run": "contract-20240101-000000-abcd", "step": 1, "epoch": 1.0}
    run = {"run": where["run"]}
    path = Path("runs") / where["run"] / "checkpoints" / "step-1"
    yield events.RunStarted(**run, task="contract", plan=plan)
    yield events.Stage(**run, name="encoding", detail="train: 4 examples")
    yield events.TrainingStarted(**run, steps=1, epochs=1.0)
    yield events.StepDone(**where)
    yield events.Scored(**where, split="validation", task="contract", metrics=figures, train_loss=0.5, best=True)
    yield events.CheckpointSaved(**where, path=path, best=True, files={"model.safetensors": (1, "0" * 64)})
    yield events.CheckpointRemoved(**run, path=path)
    yield events.Noted(**run, text="something happened")
    yield events.RunEnded(**run, status="finished", seconds=1.0)
    yield events.RunEnded(**run, status="failed", seconds=1.0, error="something failed", hint="do something")
    yield events.Event(**run)


# -- where the questions apply ----------------------------------------------------------------------------------------


def _not_installed(subject: Subject) -> str:
    return subject.not_installed


def _watches_nothing(subject: Subject) -> str:
    watches = subject.info is not None and "labelkit_event" in subject.info.hooks
    return "" if watches else "it watches no events"


QUESTIONS = (
    Question(name="loads", asks="it is installed, was not refused, and implements a hook", ask=_loads),
    Question(
        name="clashes",
        asks="no other plugin yields a record of the same kind and name",
        ask=_clashes,
        needs=("loads",),
    ),
    Question(
        name="worker",
        asks="another process that is given only its name finds the same records",
        ask=_worker,
        needs=("loads",),
        unless=_not_installed,
    ),
    Question(
        name="imports-light",
        asks=f"importing it loads no {', '.join(worker.HEAVY[:-1])} or {worker.HEAVY[-1]}",
        ask=_light,
        needs=("worker",),
        unless=_not_installed,
    ),
    Question(
        name="imports-quickly",
        asks=f"importing it takes no more than {LIMIT:g} s",
        ask=_quickly,
        needs=("worker", "imports-light"),
        unless=_not_installed,
    ),
    Question(
        name="imports-quietly",
        asks="importing it prints nothing, and leaves logging, working directory, environment variables and signals "
        "alone",
        ask=_quietly,
        needs=("worker",),
        unless=_not_installed,
    ),
    Question(
        name="observes",
        asks="its observer takes every event, also of kinds that do not exist yet",
        ask=_observes,
        needs=("loads",),
        unless=_watches_nothing,
    ),
)

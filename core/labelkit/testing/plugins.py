"""Contract checks of a plugin as a whole: it loads, quickly and quietly, and is the same in every process."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

from labelkit import events
from labelkit.errors import LabelkitError, nearest
from labelkit.plugins.catalog import EVENT_HOOK
from labelkit.records import RunContext
from labelkit.testing import subprocess_checks
from labelkit.testing.contexts import Setup
from labelkit.testing.framework import CheckSet, offline_call, require, require_none

#: seconds that loading a plugin may add to every command
MAX_LOADING = 1.0
#: how often a slow plugin is loaded again, as the machine may have been busy
ATTEMPTS = 3


class PluginSubject:
    """A plugin by its name, in a catalog and in another process."""

    def __init__(self, plugin: str, setup: Setup) -> None:
        self.name = plugin
        self.setup = setup
        self.catalog = catalog = setup.catalog
        found = [info for info in catalog.plugins if info.name == plugin]
        #: its line in the catalog; None where there is none
        self.info = next((info for info in found if info.status == "loaded"), found[0] if found else None)
        self.is_loaded = self.info is not None and self.info.status == "loaded"

    @cached_property
    def not_installed(self) -> str:
        """Why other processes cannot find it by its name, or an empty text."""
        return subprocess_checks.not_installed(self.name)

    @cached_property
    def elsewhere(self) -> subprocess_checks.Answer:
        """The answer of a process that loads it by its name."""
        return subprocess_checks.run_in_subprocess("load", plugin=self.name)


def not_installed(subject: PluginSubject) -> str:
    """Return why checks in another process do not apply, or an empty text."""
    return subject.not_installed


def no_observer(subject: PluginSubject) -> str:
    """Return why checks of observers do not apply, or an empty text."""
    if subject.info is None or EVENT_HOOK not in subject.info.hooks:
        return "it observes no events"
    if not subject.catalog.observer_takes_context(subject.name):
        return "its labelkit_event takes no ctx, so it could not tell made-up events from those of a run (ctx.trial)"
    return ""


CHECKS = CheckSet()


@CHECKS.check("loads")
def check_loads(subject: PluginSubject) -> None:
    """It is installed, was not refused, and implements a hook."""
    info, name = subject.info, subject.name
    names = [known.name for known in subject.catalog.plugins]
    require(
        info,
        f"no installed plugin is called '{name}' ({nearest(name, names)})",
        "install the package, and declare it under [project.entry-points.labelkit] in its pyproject.toml as "
        f'{name} = "its_module"',
    )
    assert info is not None
    allow = "name it in LABELKIT_PLUGINS" if "LABELKIT_PLUGINS" in info.reason else f"leave out --no-plugin {name}"
    require(info.status != "blocked", f"plugin '{name}' is not loaded: {info.reason}", f"let it load: {allow}")
    require(
        subject.is_loaded,
        f"plugin '{name}' is {info.status}: {info.reason}",
        "correct that; labelkit plugins shows it too",
    )
    require(
        info.hooks,
        f"plugin '{name}' implements no hook",
        "let its entry point name the module that holds the functions marked @labelkit.hookimpl",
    )


@CHECKS.check("clashes", needs=("loads",))
def check_clashes(subject: PluginSubject) -> None:
    """No other plugin yields a record of the same kind and name."""

    def contested() -> Iterator[str]:
        for kind, record in subject.catalog.supplied_by(subject.name):
            try:
                subject.catalog.find(kind, record.name)
            except LabelkitError as error:
                yield error.message

    require_none(contested(), "rename it: a name that several plugins yield is unusable")


@CHECKS.check("subprocess", needs=("loads",), skip_reason=not_installed)
def check_subprocess(subject: PluginSubject) -> None:
    """Another process that is given only its name finds the same records."""
    found, name = subject.elsewhere, subject.name
    advice = "let it depend on nothing but the installed package: no __main__, no state, no variables of one process"
    require(
        found["status"] == "loaded",
        f"in a process that is given only its name, plugin '{name}' is {found['status']}: {found['reason']}",
        advice,
    )
    here = {(kind, record.name) for kind, record in subject.catalog.supplied_by(name)}
    there = {(kind, record) for kind, record in found["records"]}
    only = [("this process", here - there), ("other processes", there - here)]
    require_none(
        (
            f"{kind} '{record}' of plugin '{name}' is there in {where} only"
            for where, records in only
            for kind, record in sorted(records)
        ),
        advice,
    )


@CHECKS.check("imports-light", needs=("subprocess",), skip_reason=not_installed)
def check_imports_light(subject: PluginSubject) -> None:
    """Importing it loads no torch, transformers, datasets or evaluate."""
    heavy = ", ".join(subject.elsewhere["heavy"])
    require(
        not heavy,
        f"importing plugin '{subject.name}' loads {heavy}, which every command would wait for",
        f"import {heavy} inside the function that needs it",
    )


@CHECKS.check("imports-quickly", needs=("subprocess", "imports-light"), skip_reason=not_installed)
def check_imports_quickly(subject: PluginSubject) -> None:
    """Importing it takes no more than 1 s."""
    seconds = subject.elsewhere["seconds"]
    for _ in range(ATTEMPTS - 1):
        if seconds > MAX_LOADING:
            again = subprocess_checks.run_in_subprocess("load", plugin=subject.name)
            seconds = min(seconds, again["seconds"])
    require(
        seconds <= MAX_LOADING,
        f"importing plugin '{subject.name}' takes {seconds:.1f} s, {MAX_LOADING:g} s is the limit: every command waits "
        "for it",
        "do such work inside the functions that need it; python -X importtime shows what takes long",
    )


@CHECKS.check("imports-quietly", needs=("subprocess",), skip_reason=not_installed)
def check_imports_quietly(subject: PluginSubject) -> None:
    """Importing it prints nothing and changes no logging, working directory, environment variable or signal handler."""
    require_none(
        (f"plugin '{subject.name}', when it is imported: {note}" for note in subject.elsewhere["notes"]),
        "leave that to functions that are called, or leave it out",
    )


@CHECKS.check("observes", needs=("loads",), skip_reason=no_observer)
def check_observes(subject: PluginSubject) -> None:
    """Its observer takes every event, also of kinds that do not exist yet, and sends and keeps nothing of a trial."""
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder, contextlib.chdir(folder):
        trial = subject.setup.context()
        ctx = RunContext(folder=Path(folder) / "run", **{one.name: getattr(trial, one.name) for one in fields(trial)})
        observe = subject.catalog.observers(ctx)[subject.name]
        for event in sample_events():
            what = f"labelkit_event({type(event).__name__}, ctx) of plugin '{subject.name}'"
            with offline_call(
                what, "handle every event, also of kinds that come later: an observer that fails is dropped"
            ):
                observe(event)
        kept = sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
    require(
        not kept,
        f"labelkit_event of plugin '{subject.name}' writes {', '.join(kept):.100} although ctx.trial is set",
        "send and keep nothing of made-up events: if ctx.trial: return",
    )


def sample_events() -> Iterator[events.Event]:
    """Yield one event of each kind, and one of a kind that does not exist yet."""
    figures = {"loss": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.5}
    plan = {"data": {"value": "sample", "from": "default"}, "train.seed": {"value": 42, "from": "default"}}
    run: dict[str, Any] = {"run": "contract-20240101-000000-abcd"}
    step = {**run, "step": 1, "epoch": 1.0}
    path = Path("runs") / run["run"] / "checkpoints" / "step-1"
    yield events.RunStarted(**run, task="contract", plan=plan)
    yield events.Stage(**run, name="encoding", detail="train: 4 examples")
    yield events.StageAdvanced(**run, name="encoding", detail="train: 4 examples", done=2, total=4)
    yield events.TrainingStarted(**run, steps=1, epochs=1.0, metric="f1")
    yield events.StepDone(**step)
    yield events.Scored(**step, split="validation", task="contract", metrics=figures, train_loss=0.5, best=True)
    yield events.CheckpointSaved(**step, path=path, best=True, files={"model.safetensors": (1, "0" * 64)})
    yield events.CheckpointRemoved(**run, path=path)
    yield events.Noted(**run, text="something happened")
    yield events.RunEnded(**run, status="finished", seconds=1.0)
    yield events.RunEnded(**run, status="failed", seconds=1.0, error="something failed", hint="do something")
    yield events.Event(**run)

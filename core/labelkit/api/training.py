"""``labelkit.run`` and ``resume``: training from programs and notebooks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labelkit.api.data import TasksData, with_data
from labelkit.config.environment import Environment
from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Request
from labelkit.config.requests import columns_text, request_of
from labelkit.formats.column_choice import ONLY_COLUMNS
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from labelkit.train.listeners import Listener
    from labelkit.train.run import RunResult


def run(
    task: str | Sequence[str],
    *,
    data: TasksData | None = None,
    columns: str | Mapping[str, str | int] | None = None,
    model: str | Path | None = None,
    from_run: str | None = None,
    recipe: str | Path | None = None,
    encoding: str | None = None,
    metric: str | None = None,
    select: str | None = None,
    decoder: str | None = None,
    epochs: float | None = None,
    lr: float | None = None,
    seed: int | None = None,
    seeds: int = 1,
    max_steps: int | None = None,
    max_minutes: float | None = None,
    allow_new_labels: bool | None = None,
    name: str | None = None,
    replace: bool = False,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    listeners: Sequence[Listener] = (),
    callbacks: Sequence[TrainerCallback] = (),
    progress: bool | None = None,
) -> RunResult:
    """Train a labeller for ``task`` as ``labelkit run`` does, and return its scores and checkpoint.

    What is None has the default of the command.

    :param task: the name of a task, e.g. ``"ner"``; ``labelkit tasks`` lists them. Several are trained together, as
        ``["ner", "pos"]`` or ``"ner+pos"``.
    :param data: a reference as for ``--data``, a ``Path``, a ``datasets.DatasetDict`` or ``Dataset``, a DataFrame, or
        a mapping of split → ``Dataset``, DataFrame or iterable of :class:`labelkit.Example`. Data in memory is hashed
        and recorded like files; who resumes or evaluates the run gives the same data again. For several tasks also a
        mapping of task → any of these.
    :param columns: which column holds what, ``{"tokens": "words", "ner": "tags"}``; columns of files also by number.
    :param model: the encoder to fine-tune: ``"bundled"``, a folder, a run, or ``org/name[@REVISION]`` of the Hub.
    :param from_run: a run to continue from, in place of ``model``; what is in its test split is not trained on.
    :param recipe: the name of a recipe, or a TOML file.
    :param encoding: of text files.
    :param metric: the metric that chooses the checkpoint.
    :param select: of several tasks the one whose metric chooses the checkpoint; None for the mean of all.
    :param decoder: how scores become labels.
    :param epochs: passes over the training split.
    :param lr: the peak learning rate.
    :param seed: of everything random.
    :param seeds: the number of runs to train, each with a seed of its own; the result is that of the best by
        validation, with their ``group``.
    :param max_steps: stop after this many optimizer steps.
    :param max_minutes: stop training after this many minutes.
    :param allow_new_labels: allow labels that are absent from the training split.
    :param name: the name of the run: a-z, 0-9 and hyphens.
    :param replace: take ``name`` from the run that has it, which keeps its id; a Makefile can then run again.
    :param settings: setting → value, e.g. ``{"train.weight_decay": 0.1}``, as for ``--set``.
    :param home: the folder of runs and registry; default as for the command.
    :param listeners: called with each of :mod:`labelkit.events`; one that raises is reported and gets no more events.
    :param callbacks: further callbacks of ``transformers.Trainer``. They are not recorded: a run that they change
        cannot be reproduced from its record.
    :param progress: show a progress bar; None: in notebooks only.
    :raises LabelkitError: the error that stopped it; :class:`~labelkit.errors.PlanError` for several in its plan.

    >>> result = labelkit.run("ner", epochs=1)  # doctest: +SKIP
    >>> result.metrics["test"]["ner"]["f1"]  # doctest: +SKIP
    """
    task = task if isinstance(task, str) else JOINED_BY.join(task)
    reference, environment = with_data(Environment.read(), data, task.split(JOINED_BY))
    request = request_of(
        task, recipe=str(recipe) if recipe else None, name=name, sets=(), replaces=replace, data=reference,
        encoding=encoding, columns=None if columns is None else columns_text(columns),
        model=str(model) if model else None, from_run=from_run, metric=metric, select=select, decoder=decoder,
        epochs=epochs, lr=lr, seed=seed, max_steps=max_steps, max_minutes=max_minutes,
        allow_new_labels=allow_new_labels,
    )  # fmt: skip
    extra = {key: (value, "settings") for key, value in (settings or {}).items()}
    request = replaced(request, overrides={**request.overrides, **extra})
    heard = Heard(tuple(listeners), tuple(callbacks), progress)
    return _train(request, seeds, environment, home, heard)


class Heard(NamedTuple):
    """Who gets the events of a run."""

    listeners: tuple[Listener, ...]
    callbacks: tuple[TrainerCallback, ...]
    progress: bool | None


def _train(request: Request, seeds: int, environment: Environment, home: str | Path | None, heard: Heard) -> RunResult:
    from labelkit.api.progress import progress_listeners
    from labelkit.train.preparation import prepare
    from labelkit.train.run import train
    from labelkit.train.seeds import train_group

    catalog = Catalog.load(only=environment.plugins)
    place = Home.find(os.environ, explicit=home)
    prepared = prepare(request, catalog, environment, place, on_stage=lambda stage, detail: None)
    prepared = replaced(prepared, callbacks=heard.callbacks)
    choices = [text for text in prepared.assumptions if not text.startswith(ONLY_COLUMNS)]
    for line in (*prepared.notes, *(f"assumed: {text}" for text in choices)):
        warnings.warn(line, stacklevel=3)
    with progress_listeners(heard.progress) as shown:
        listeners = (*shown, *heard.listeners)
        if seeds > 1:
            return train_group(prepared, seeds, catalog, place, listeners=listeners, warn=warn)
        return train(prepared, catalog, place, listeners=listeners, warn=warn)


def resume(
    reference: str,
    *,
    data: TasksData | None = None,
    home: str | Path | None = None,
    listeners: Sequence[Listener] = (),
    callbacks: Sequence[TrainerCallback] = (),
    progress: bool | None = None,
) -> RunResult:
    """Resume an unfinished run as ``labelkit run --resume`` does, and return its scores and checkpoint.

    :param reference: an id, the unique beginning of one, a name, or ``latest``.
    :param data: the data of a run whose data was given in memory, as :func:`run` takes it; it must be the same.
    :param home: the folder of runs and registry; default as for the command.
    :param listeners: called with each of :mod:`labelkit.events`.
    :param callbacks: those that were given to :func:`run`.
    :param progress: show a progress bar; None: in notebooks only.
    :raises LabelkitError: there is nothing to resume, its data has changed, or the error that stopped it.
    """
    from labelkit.api.progress import progress_listeners
    from labelkit.train.preparation import prepare_resumed
    from labelkit.train.run import train

    environment, place = Environment.read(), Home.find(os.environ, explicit=home)
    if data is not None:
        tasks = recorded_task(reference, place).split(JOINED_BY)
        environment = with_data(environment, data, tasks, only_memory=True)[1]
    catalog = Catalog.load(only=environment.plugins)
    prepared = prepare_resumed(reference, catalog, environment, place, on_stage=lambda stage, detail: None)
    prepared = replaced(prepared, callbacks=tuple(callbacks))
    with progress_listeners(progress) as shown:
        return train(prepared, catalog, place, listeners=(*shown, *listeners), warn=warn)


def recorded_task(reference: str, home: Home) -> str:
    """Return the task of a recorded run, or its tasks joined by ``+``.

    :raises RegistryError: there is no such run.
    """
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        return registry.runs.find(reference).task


def warn(line: str) -> None:
    """Warn with a line that the command prints on stderr."""
    warnings.warn(line, stacklevel=3)

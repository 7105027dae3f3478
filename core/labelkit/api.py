"""``labelkit.run``, ``resume``, ``load`` and ``read``: the commands as functions, for notebooks and programs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.config.environment import Environment
from labelkit.config.plan import Request
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, LoadContext
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller
    from labelkit.train.listeners import Listener
    from labelkit.train.run import RunResult

#: argument of :func:`run` → the setting that it overrides
FLAGS: dict[str, str] = {
    "data": "data",
    "columns": "data.columns",
    "encoding": "data.encoding",
    "model": "model",
    "metric": "metric",
    "decoder": "decoder",
    "epochs": "train.num_train_epochs",
    "lr": "train.learning_rate",
    "seed": "train.seed",
    "max_steps": "train.max_steps",
    "max_minutes": "train.max_minutes",
    "allow_new_labels": "data.allow_new_labels",
}


def request_of(task: str, *, recipe: str | None, name: str | None, sets: Sequence[str], **flags: Any) -> Request:
    """Return the request of a run; flags that are None have their defaults."""
    overrides = {
        FLAGS[flag]: (value, f"--{flag.replace('_', '-')}") for flag, value in flags.items() if value is not None
    }
    return Request(task=task, recipe=recipe, overrides=overrides, sets=tuple(sets), name=name)


def run(
    task: str,
    *,
    recipe: str | None = None,
    data: str | None = None,
    model: str | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    listeners: Sequence[Listener] = (),
    seeds: int = 1,
    **flags: Any,
) -> RunResult:
    """Train a labeller for ``task`` as ``labelkit run`` does, and return its scores and checkpoint.

    :param settings: setting → value, e.g. ``{"train.weight_decay": 0.1}``.
    :param home: the folder of runs and registry; default as for the command.
    :param listeners: called with each of :mod:`labelkit.events`.
    :param seeds: the number of runs to train, each with a seed of its own; the result is that of the best by
        validation, with their ``group``.
    :param flags: ``columns``, ``encoding``, ``metric``, ``decoder``, ``epochs``, ``lr``, ``seed``, ``max_steps``,
        ``max_minutes``, ``allow_new_labels``: as the command's flags.
    :raises LabelkitError: the error that stopped it; :class:`~labelkit.errors.PlanError` for several in its plan.

    >>> result = labelkit.run("ner", epochs=1)  # doctest: +SKIP
    >>> result.metrics["test"]["ner"]["f1"]  # doctest: +SKIP
    """
    from labelkit.train.preparation import prepare
    from labelkit.train.run import train

    if unknown := flags.keys() - FLAGS.keys():
        raise TypeError(f"run() takes no argument '{min(unknown)}'")
    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    place = Home.find(os.environ, explicit=home)
    request = request_of(task, recipe=recipe, name=name, sets=(), data=data, model=model, **flags)
    extra = {key: (value, "settings") for key, value in (settings or {}).items()}
    request = Request(task=task, recipe=recipe, name=name, overrides={**request.overrides, **extra})
    prepared = prepare(request, catalog, environment, place, on_stage=lambda stage, detail: None)
    for note in (*prepared.corpus.notes, *(f"assumed: {text}" for text in prepared.corpus.assumptions)):
        _warn(note)
    if seeds > 1:
        from labelkit.train.seeds import train_group

        return train_group(prepared, seeds, catalog, place, listeners=listeners, warn=_warn)
    return train(prepared, catalog, place, listeners=listeners, warn=_warn)


def resume(reference: str, *, home: str | Path | None = None, listeners: Sequence[Listener] = ()) -> RunResult:
    """Resume an unfinished run as ``labelkit run --resume`` does, and return its scores and checkpoint.

    :param reference: an id, the unique beginning of one, a name, or ``latest``.
    :raises LabelkitError: there is nothing to resume, its data has changed, or the error that stopped it.
    """
    from labelkit.train.preparation import prepare_resumed
    from labelkit.train.run import train

    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    place = Home.find(os.environ, explicit=home)
    prepared = prepare_resumed(reference, catalog, environment, place, on_stage=lambda stage, detail: None)
    return train(prepared, catalog, place, listeners=listeners, warn=_warn)


def _warn(line: str) -> None:
    """Warn with a line that the command prints on stderr."""
    warnings.warn(line, stacklevel=2)


def load(
    reference: str, *, home: str | Path | None = None, decoder: str | None = None, engine: str = "auto"
) -> Labeller:
    """Return the labeller of a run: ``labelkit.load("latest").label("Some text.")``.

    :param reference: an id, the unique beginning of one, a name, an alias, ``latest``, ``TASK@best``, or a checkpoint
        folder written with a separator.
    :param decoder: how scores become labels; None: the decoder of the run.
    :param engine: ``"torch"``, ``"onnx"``, ``"onnx-int8"``, ``"openvino"``, ``"openvino-int8"`` (see ``labelkit
        onnx``), or ``"auto"``: torch, and OpenVINO or ONNX Runtime for many records where one is installed.
    :raises LabelkitError: there is no such run, decoder or engine, or its checkpoint is gone or damaged.
    """
    from labelkit.label.labeller import Labeller

    environment = Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    return Labeller.open(reference, Home.find(os.environ, explicit=home), catalog, decoder=decoder, engine=engine)


def read(path: str | Path, *, format: str | None = None, ctx: LoadContext | None = None) -> Iterator[Example]:  # noqa: A002 - the name of the setting
    """Return the examples of a labelled file, read one by one in the format that every command would recognise.

    A source reads its files with ``yield from labelkit.read(ctx.folder("pets") / f"{split}.conll", ctx=ctx)``.

    :param path: a file, or a folder that is read as one; the first of several shards stands for all of them.
    :param format: the name of its format; None: that of ``data.format``, or else of the file's ending.
    :param ctx: encoding, columns, layer, kind, settings and policy to read with; None for the defaults.
    :raises LabelkitError: the format is unknown, or does not hold examples of ``ctx.kind``.
    :raises DataError: the file is missing or invalid, with file and line; when the example is accessed.

    >>> examples = list(labelkit.read("train.conll"))  # doctest: +SKIP
    """
    from labelkit.data.resolution import read_shards
    from labelkit.data.split_files import shards_of
    from labelkit.formats.recognition import reader_for

    path, ctx = Path(path), ctx or LoadContext()
    formats = ctx.formats or Catalog.load(only=Environment.read().plugins).formats
    option = "labelkit.read(…, format='NAME') or --set data.format=NAME"
    chosen = reader_for(path, formats, format or ctx.settings.format, kind=ctx.kind, option=option, ctx=ctx)
    return read_shards(shards_of(path), chosen, ctx)

"""What a task promises: that its names, recipes and examples can be used as they stand, and that they learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.recipes import read_recipe, recipes_of
from labelkit.errors import LabelkitError, nearest
from labelkit.labels.schemes import violation_error, violations
from labelkit.records import Example, Schema, Scheme
from labelkit.testing import trials
from labelkit.testing.base import Question, example_fault, layer_fault, require, require_none
from labelkit.testing.kinds import KIND
from labelkit.testing.lossless import lossless
from labelkit.testing.trials import Trial

#: recipes that ``labelkit run`` reaches for when none is named: without data, and with it
DEFAULT_RECIPES = ("quickstart", "best")

# -- names ------------------------------------------------------------------------------------------------------------


def _names(trial: Trial) -> None:
    task = trial.task
    require(
        task.metrics, f"task '{task.name}' names no metric", "write metrics=(…,): the first one chooses the checkpoint"
    )
    require_none(_name_faults(trial), "correct the name, or depend on the package that supplies it")


def _name_faults(trial: Trial) -> Iterator[str]:
    task = trial.task
    yield from (_fault(trial, "metric", name) for name in task.metrics)
    yield from (_fault(trial, "preprocessor", name) for name in task.preprocess)
    yield _fault(trial, "decoder", task.decoder)
    yield from _source_faults(trial, task.source)


def _source_faults(trial: Trial, name: str) -> Iterator[str]:
    """Yield why the task cannot learn from the source of that name."""
    task, source = trial.task, trial.catalog.sources.get(name)
    yield _fault(trial, "source", name)
    if source is not None and task.layer not in source.layers:
        yield f"task '{task.name}' reads layer '{task.layer}', source '{name}' has: {', '.join(source.layers)}"
    if source is not None and "train" not in source.splits:
        yield f"source '{name}' has no split 'train' for task '{task.name}' to learn from"


def _fault(trial: Trial, what: str, name: str) -> str:
    """Return why the task cannot use the record of that name, or an empty text."""
    try:
        found: Any = trial.catalog.find(what, name)
    except LabelkitError as error:
        return f"task '{trial.name}' names a {what} that cannot be used: {error}"
    if found.kind != trial.kind:
        return f"{what} '{name}' is for kind '{found.kind}', task '{trial.name}' is of kind '{trial.kind}'"
    return ""


# -- recipes ----------------------------------------------------------------------------------------------------------


def _recipes(trial: Trial) -> None:
    task = trial.task
    known = recipes_of(task)
    require_none(
        (
            f"task '{task.name}' has no recipe '{name}', which `labelkit run {task.name}` uses when none is named"
            for name in DEFAULT_RECIPES
            if name not in known
        ),
        f"add it to the folder {task.recipes}, or leave recipes= out for those of labelkit",
    )
    require_none((fault for path in known.values() for fault in _recipe_faults(trial, path)), "correct the file")


def _recipe_faults(trial: Trial, path: Any) -> Iterator[str]:
    try:
        settings = read_recipe(path).settings
    except LabelkitError as error:
        yield str(error)
        return
    for what in ("metric", "decoder"):
        if what in settings:
            yield _in_recipe(path, _fault(trial, what, settings[what]))
    for name in settings.get("preprocess", ()):
        yield _in_recipe(path, _fault(trial, "preprocessor", name))
    for fault in (*_reference_faults(trial, settings.get("data")), *_parts_faults(trial, settings)):
        yield _in_recipe(path, fault)


def _reference_faults(trial: Trial, data: str | None) -> Iterator[str]:
    """Yield why a recipe's data cannot be used; of what is a path or on the Hub nothing is known."""
    root = Environment.read().data
    known = data in trial.catalog.sources
    if data and (known or not (set(data) & set("/\\:=") or (root and (root / data).exists()))):
        yield from _source_faults(trial, data)


def _parts_faults(trial: Trial, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield which model and which format of a recipe nobody supplies."""
    model, encoders = str(settings.get("model", "bundled")), trial.catalog.encoders
    if model not in encoders and not set(model) & set("/\\:~."):
        yield f"unknown model '{model}' ({nearest(model, encoders)})"
    if name := settings.get("data.format"):
        try:
            trial.catalog.find("format", name)
        except LabelkitError as error:
            yield str(error)


def _in_recipe(path: Any, fault: str) -> str:
    return fault and f"recipe {path}: {fault}"


# -- examples ---------------------------------------------------------------------------------------------------------


def _examples(trial: Trial) -> None:
    task = trial.task
    require(
        task.examples,
        f"task '{task.name}' has no examples",
        "give it a handful, examples=(labelkit.Example(…), …): checks, docs and smoke runs use them without a network",
    )
    require_none(
        (example_fault(example, task.kind) or layer_fault(example, task.layer, task.kind) for example in task.examples),
        "correct examples=",
    )


def _scheme(trial: Trial) -> None:
    task, scheme = trial.task, trial.task.scheme
    assert scheme is not None  # else the question does not apply
    require(task.kind == "token", f"task '{task.name}' is of kind '{task.kind}' and has no spans", "leave scheme= out")
    require_none(
        (fault for example in task.examples for fault in _misfits(example, task.layer, scheme)),
        "correct the labels of the example, or scheme=",
    )


def _misfits(example: Example, layer: str, scheme: Scheme) -> Iterator[str]:
    tags = example.labels[layer]
    if not isinstance(tags, str):
        yield from (
            f"example {example.id}, word {index + 1}: {violation_error(tags, index, scheme).message}"
            for index in violations(tags, scheme)
        )


def _without_scheme(trial: Trial) -> str:
    return "" if trial.task.scheme else "its labels are plain"


def _schema(trial: Trial) -> None:
    task, schema = trial.task, _schema_of(trial)
    assert schema is not None  # else the question does not apply
    require(
        (schema.scheme is None) == (task.scheme is None),
        f"schema '{schema.name}' holds {'plain labels' if schema.scheme is None else 'spans'}, task '{task.name}' "
        f"learns {'plain labels' if task.scheme is None else 'spans'}",
        "make scheme= of the task and of the schema agree",
    )
    known = set(schema.types or schema.labels)
    require_none(
        (
            f"label '{label}' of example {example.id} is not in schema '{schema.name}', which source '{task.source}' "
            f"names for layer '{task.layer}'"
            for example in task.examples
            for label in _labels(example, task.layer)
            if (label if schema.scheme is None else label.partition("-")[2]) not in known
        ),
        "correct the example, or add it to the schema",
    )


def _labels(example: Example, layer: str) -> Iterator[str]:
    labels = example.labels[layer]
    yield from (label for label in ((labels,) if isinstance(labels, str) else labels) if label != "O")


def _schema_of(trial: Trial) -> Schema | None:
    """Return the schema that the task's source names for its layer."""
    source = trial.catalog.sources.get(trial.task.source)
    name = source.layers.get(trial.task.layer) if source else None
    return trial.catalog.schemas.get(name) if name else None


def _without_schema(trial: Trial) -> str:
    return "" if _schema_of(trial) else "its source names no schema for its layer"


STATIC = ("names", "examples", "scheme", "schema")
QUESTIONS = (
    KIND,
    Question(
        name="names",
        asks="every metric, decoder, preprocessor and source that it names exists and is of its kind; its source has "
        "its layer and a split `train`",
        ask=_names,
        needs=("kind",),
    ),
    Question(
        name="recipes",
        asks="its recipes can be read, name known settings and parts, and `quickstart` and `best` are among them",
        ask=_recipes,
        needs=("kind",),
    ),
    Question(
        name="examples",
        asks="there are examples, of its kind, with its layer, one label per word",
        ask=_examples,
        needs=("kind",),
    ),
    Question(
        name="scheme", asks="their labels fit its scheme", ask=_scheme, needs=("examples",), unless=_without_scheme
    ),
    Question(
        name="schema",
        asks="their labels are in the schema that its source names for the layer",
        ask=_schema,
        needs=("names", "examples", "scheme"),
        unless=_without_schema,
    ),
    Question(
        name="learns",
        asks="one training step of a `tiny:` encoder on its examples lowers the loss",
        ask=trials.learns,
        needs=STATIC,
    ),
    Question(
        name="saves",
        asks="the checkpoint that is saved and loaded gives the labels that the run had",
        ask=trials.saves,
        needs=("learns",),
    ),
    Question(
        name="lossless",
        asks="hostile text is labelled without loss: one label per word, spans that slice the text, scores that are "
        "numbers",
        ask=lossless,
        needs=("learns",),
    ),
    Question(
        name="worker",
        asks="another process that is given only names gives the same labels",
        ask=trials.worker_labels,
        needs=("learns", "saves"),
        unless=trials.not_installed,
    ),
)

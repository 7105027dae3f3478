"""What a task promises: that its names, recipes and examples can be used as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from labelkit.catalog import Catalog
from labelkit.data.schemes import misfit, violations
from labelkit.errors import LabelkitError
from labelkit.recipes import read_recipe, recipes_of
from labelkit.records import Example, Scheme, Task
from labelkit.testing.base import kind_fault, layer_fault, require, require_none

#: recipes that ``labelkit run`` reaches for when none is named: without data, and with it
DEFAULT_RECIPES = ("quickstart", "best")


def questions(task: Task, catalog: Catalog) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the questions about ``task`` by name."""
    yield "names", partial(_names, task, catalog)
    yield "recipes", partial(_recipes, task, catalog)
    yield "examples", partial(_examples, task)
    if task.scheme is not None:
        yield "scheme", partial(_scheme, task, task.scheme)


# -- names ------------------------------------------------------------------------------------------------------------


def _names(task: Task, catalog: Catalog) -> None:
    for field in ("metrics", "preprocess"):
        value = getattr(task, field)
        require(isinstance(value, tuple), f"{field} must be a tuple of names: write ({value!r},) with a comma")
    require(task.metrics, f"task '{task.name}' names no metric: the first of metrics=(…) chooses the checkpoint")
    require_none(fault for fault in _name_faults(task, catalog) if fault)


def _name_faults(task: Task, catalog: Catalog) -> Iterator[str]:
    yield from (_fault(task, catalog, "metric", name) for name in task.metrics)
    yield from (_fault(task, catalog, "preprocessor", name) for name in task.preprocess)
    yield _fault(task, catalog, "decoder", task.decoder)
    yield _fault(task, catalog, "source", task.source)
    source = catalog.sources.get(task.source)
    if source is not None and task.layer not in source.layers:
        layers = ", ".join(source.layers)
        yield f"task '{task.name}' reads layer '{task.layer}', its source '{source.name}' has: {layers}"


def _fault(task: Task, catalog: Catalog, what: str, name: str) -> str:
    """Return why ``task`` cannot use the record of that name, or an empty text."""
    try:
        found: Any = catalog.find(what, name)
    except LabelkitError as error:
        return f"task '{task.name}' names a {what} that cannot be used: {error}"
    if found.kind != task.kind:
        return f"{what} '{name}' is for kind '{found.kind}': name one for kind '{task.kind}', or change the task's kind"
    return ""


# -- recipes ----------------------------------------------------------------------------------------------------------


def _recipes(task: Task, catalog: Catalog) -> None:
    known = recipes_of(task)
    require_none(
        f"task '{task.name}' has no recipe '{name}', which `labelkit run {task.name}` uses when none is named: add "
        f"{task.recipes}/{name}.toml, or leave recipes= out for those of labelkit"
        for name in DEFAULT_RECIPES
        if name not in known
    )
    require_none(fault for path in known.values() for fault in _recipe_faults(task, catalog, path) if fault)


def _recipe_faults(task: Task, catalog: Catalog, path: Any) -> Iterator[str]:
    try:
        settings = read_recipe(path).settings
    except LabelkitError as error:
        yield str(error)
        return
    for what in ("metric", "decoder"):
        if what in settings:
            yield _in_recipe(path, _fault(task, catalog, what, settings[what]))
    for name in settings.get("preprocess", ()):
        yield _in_recipe(path, _fault(task, catalog, "preprocessor", name))


def _in_recipe(path: Any, fault: str) -> str:
    return fault and f"recipe {path}: {fault}"


# -- examples ---------------------------------------------------------------------------------------------------------


def _examples(task: Task) -> None:
    require(
        task.examples,
        f"task '{task.name}' has no examples: give it a handful, examples=(labelkit.Example(…), …); checks, docs and "
        "smoke runs use them without a network",
    )
    require_none(fault for fault in (_example_fault(task, example) for example in task.examples) if fault)


def _example_fault(task: Task, example: Example) -> str:
    return kind_fault(example, task.kind) or layer_fault(example, task.layer, task.kind)


def _scheme(task: Task, scheme: Scheme) -> None:
    require(task.kind == "token", f"task '{task.name}' is of kind '{task.kind}' and has no spans: write scheme=None")
    require_none(fault for example in task.examples for fault in _misfits(example, task.layer, scheme))


def _misfits(example: Example, layer: str, scheme: Scheme) -> Iterator[str]:
    tags = example.labels.get(layer, ())
    if not isinstance(tags, str):
        yield from (
            f"example {example.id}, word {index + 1}: {misfit(tags, index, scheme).message}: correct it, or the "
            "task's scheme"
            for index in violations(tags, scheme)
        )

"""Names and overrides in, a checked plan out; every miss is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from labelkit.config.recipes import Recipe, find_recipe
from labelkit.config.validation import parse_set, validate
from labelkit.data.references import parse_columns
from labelkit.errors import LabelkitError, PlanError, UnknownNameError, nearest
from labelkit.plugins.catalog import Catalog
from labelkit.records import Decoder, Metric, Preprocessor, Task
from labelkit.settings import AUTO, SETTINGS


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a plan and where it came from, e.g. ``recipe best``, ``--lr``, ``default``, ``automatic: …``."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for.

    :param recipe: None for ``quickstart`` without data, ``best`` with it.
    :param overrides: setting → (value, the flag that gave it).
    :param name: the user's name for the run.
    :param frozen: the overrides are a whole recorded plan: no recipe is read.
    """

    task: str
    recipe: str | None = None
    overrides: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    name: str | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a run needs to know, checked.

    :param settings: by key, in the order in which people read them.
    :param metrics: the deciding one first.
    """

    task: Task
    recipe: str
    name: str | None
    settings: Mapping[str, Setting]
    metrics: tuple[Metric, ...]
    decoder: Decoder
    preprocessors: tuple[Preprocessor, ...]

    def __getitem__(self, key: str) -> Any:
        """Return the value of a setting."""
        return self.settings[key].value

    def section(self, name: str) -> dict[str, Any]:
        """Return the settings ``name.*`` without their prefix."""
        prefix = f"{name}."
        return {key.removeprefix(prefix): item.value for key, item in self.settings.items() if key.startswith(prefix)}

    def resolved(self, choices: Mapping[str, tuple[Any, str]]) -> Plan:
        """Return the plan with automatic settings frozen: key → (value, the fact that decided it)."""
        frozen = {
            key: Setting(value, f"automatic: {why}") for key, (value, why) in choices.items() if self[key] == AUTO
        }
        return replace(self, settings={**self.settings, **frozen})

    def as_dict(self) -> dict[str, Any]:
        """Return ``{key: {"value", "from"}}``, ready for JSON."""
        return {key: {"value": item.value, "from": item.origin} for key, item in self.settings.items()}


def make_plan(request: Request, catalog: Catalog, *, checks: Iterable[Callable[[Plan], object]] = ()) -> Plan:
    """Merge defaults, recipe, flags and ``--set``, and look every name up.

    :param checks: further questions about the plan that may raise a :class:`LabelkitError`, e.g. does its data exist.
    :raises PlanError: with all that is wrong.
    """
    misses: list[LabelkitError] = []
    task = _try(misses, lambda: catalog.find("task", request.task))
    if task is None:
        _try_others(misses, request, catalog)
        raise PlanError(misses)
    recipe = None if request.frozen else _try(misses, lambda: _recipe(task, request))
    settings = _merge(task, recipe, request, misses)
    plan = _look_up(task, recipe, request, settings, catalog, misses)
    for question in checks:
        _try(misses, lambda question=question: question(plan))  # type: ignore[misc]
    if misses:
        raise PlanError(misses)
    return plan


def _try(misses: list[LabelkitError], ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except LabelkitError as error:
        if str(error) not in map(str, misses):  # what is asked twice is told once
            misses.append(error)
        return None


def _try_others(misses: list[LabelkitError], request: Request, catalog: Catalog) -> None:
    """Without a task little can be checked: report what can."""
    _override({}, request, misses)
    if "metric" in request.overrides:
        _try(misses, lambda: catalog.find("metric", request.overrides["metric"][0]))


def _recipe(task: Task, request: Request) -> Recipe:
    default = "best" if "data" in request.overrides else "quickstart"
    return find_recipe(task, request.recipe or default)


def _merge(task: Task, recipe: Recipe | None, request: Request, misses: list[LabelkitError]) -> dict[str, Setting]:
    merged = {key: Setting(spec.default, "default") for key, spec in SETTINGS.items()}
    merged.update(_from_task(task))
    if recipe:
        merged.update({key: Setting(value, f"recipe {recipe.name}") for key, value in recipe.settings.items()})
    _override(merged, request, misses)
    return _by_windows(merged)


def _by_windows(merged: dict[str, Setting]) -> dict[str, Setting]:
    """Let a number of windows that somebody asked for win over a budget of sub-tokens that nobody asked for."""
    size, budget = merged["train.per_device_train_batch_size"], merged["train.batch_tokens"]
    named = ("default", "recipe")
    if budget.value and budget.origin.startswith(named) and not size.origin.startswith(named):
        merged["train.batch_tokens"] = Setting(0, f"{size.origin} train.per_device_train_batch_size")
    return merged


def _override(merged: dict[str, Setting], request: Request, misses: list[LabelkitError]) -> None:
    """Put flags, then ``--set``, over what recipe and task say."""

    def flag(key: str, value: Any, origin: str) -> None:
        merged[key] = Setting(validate(key, value), origin)

    def set_(text: str) -> None:
        key, value = _checked_pair(text)
        merged[key] = Setting(value, "--set")

    for key, (value, origin) in request.overrides.items():
        _try(misses, partial(flag, key, value, origin))
    for text in request.sets:
        _try(misses, partial(set_, text))


def _checked_pair(text: str) -> tuple[str, Any]:
    key, value = parse_set(text)
    if key.partition(".")[0] not in ("data", "train") or "." not in key:
        raise LabelkitError(
            f"--set {text!r}: unknown setting '{key}'", hint="--set takes train.KEY=VALUE and data.KEY=VALUE"
        )
    return key, validate(key, value)


def _from_task(task: Task) -> dict[str, Setting]:
    origin = f"task {task.name}"
    values = {
        "data": task.source,
        "metric": next(iter(task.metrics), None),
        "decoder": task.decoder,
        "preprocess": tuple(task.preprocess),
        "data.train_scheme": task.scheme,
    }
    return {key: Setting(value, origin) for key, value in values.items()}


def _look_up(
    task: Task,
    recipe: Recipe | None,
    request: Request,
    settings: Mapping[str, Setting],
    catalog: Catalog,
    misses: list[LabelkitError],
) -> Plan:
    names = dict.fromkeys(filter(None, (settings["metric"].value, *task.metrics)))
    if not names:
        misses.append(LabelkitError(f"task '{task.name}' names no metric", hint="choose one with --metric"))
    metrics = [_try(misses, lambda name=name: _of_kind(catalog, "metric", name, task)) for name in names]  # type: ignore[misc]
    decoder = _try(misses, lambda: _of_kind(catalog, "decoder", settings["decoder"].value, task))
    preprocessors = [
        _try(misses, lambda name=name: _of_kind(catalog, "preprocessor", name, task))  # type: ignore[misc]
        for name in settings["preprocess"].value
    ]
    if settings["data.columns"].value:
        _try(misses, lambda: parse_columns(settings["data.columns"].value))
    return Plan(
        task=task,
        recipe=recipe.name if recipe else request.recipe or "",
        name=request.name,
        settings=settings,
        metrics=tuple(metric for metric in metrics if metric),
        decoder=decoder,
        preprocessors=tuple(item for item in preprocessors if item),
    )


def _of_kind(catalog: Catalog, what: Literal["metric", "decoder", "preprocessor"], name: str, task: Task) -> Any:
    try:
        item = catalog.find(what, name)
    except UnknownNameError as error:
        records: Mapping[str, Any] = {"metric": catalog.metrics, "decoder": catalog.decoders}.get(
            what, catalog.preprocessors
        )
        fitting = [known for known, record in records.items() if record.kind == task.kind]
        if error.hint and error.hint.startswith("the plugin"):
            raise
        raise UnknownNameError(error.message, hint=nearest(name, fitting)) from None
    if item.kind != task.kind:
        raise LabelkitError(f"{what} '{name}' is for kind {item.kind}, task '{task.name}' is of kind {task.kind}")
    return item

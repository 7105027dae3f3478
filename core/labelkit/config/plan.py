"""Merge defaults, task, recipe, flags and ``--set`` into a validated plan; all errors are reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from labelkit.config.plugin_settings import (
    default_values,
    owned_values,
    setting_objects,
    validate_setting,
)
from labelkit.config.recipes import Recipe, find_recipe
from labelkit.config.validation import parse_set
from labelkit.data.references import parse_columns
from labelkit.errors import ErrorCollector, LabelkitError, PlanError, UnknownNameError, nearest
from labelkit.models.checkpoint import Supplier
from labelkit.models.references import parse_model
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.functions import with_context
from labelkit.records import Context, Decoder, Head, Kind, Metric, Preprocessor, Task
from labelkit.records.parts import predicts
from labelkit.settings import AUTO, SETTINGS, DataSettings, RunSettings, TrainSettings, is_plugin_key

#: the head of most tasks, and the one that learns sets of labels in its place
LINEAR, MULTILABEL = "linear", "multilabel"


class Setting(NamedTuple):
    """A value and its origin, e.g. ``recipe best``, ``--lr``, ``default``, ``automatic: …``."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of a run as the user gave them.

    :param recipe: None for ``quickstart`` without data, ``best`` with it.
    :param overrides: setting → (value, the flag that gave it).
    :param sets: ``key=value`` of each ``--set``.
    :param name: the user's name for the run.
    :param replaces: the run takes its name from a run that has it.
    :param frozen: the overrides are a whole recorded plan: no recipe is read.
    """

    task: str
    recipe: str | None = None
    overrides: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    name: str | None = None
    replaces: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The validated settings of a run, with the parts that they name.

    :param origins: setting → the origin of its value, in the order in which people read them.
    :param metrics: the one that selects the checkpoint first.
    :param context: in which functions of plugins are called; it is bound to those of the parts.
    :param part_settings: plugin → its settings, of the plugins that supply parts: those that a checkpoint needs.
    """

    task: Task
    recipe: str
    name: str | None
    settings: RunSettings
    origins: Mapping[str, str]
    metrics: tuple[Metric, ...]
    head: Head
    decoder: Decoder
    preprocessors: tuple[Preprocessor, ...]
    context: Context
    part_settings: Mapping[str, Mapping[str, Any]]

    @property
    def data(self) -> DataSettings:
        """The ``data.`` settings."""
        return self.settings.data

    @property
    def train(self) -> TrainSettings:
        """The ``train.`` settings."""
        return self.settings.train

    def entries(self) -> dict[str, Setting]:
        """Return every setting by its key, with its origin."""
        values = self.settings.values()
        return {key: Setting(values[key], origin) for key, origin in self.origins.items()}

    def updated(self, changes: Mapping[str, Setting]) -> Plan:
        """Return the plan with other values of some settings."""
        values = self.settings.values() | {key: value for key, (value, _) in changes.items()}
        origins = {**self.origins, **{key: origin for key, (_, origin) in changes.items()}}
        return replace(self, settings=RunSettings.from_values(values), origins=origins)

    def resolved(self, choices: Mapping[str, tuple[Any, str]]) -> Plan:
        """Return the plan with automatic settings frozen.

        :param choices: setting → (value, the fact that decided it).
        """
        values = self.settings.values()
        automatic = {key: choice for key, choice in choices.items() if values[key] == AUTO}
        return self.updated({key: Setting(value, f"automatic: {why}") for key, (value, why) in automatic.items()})

    def suppliers(self, catalog: Catalog, formats: Sequence[str] = ()) -> tuple[Supplier, ...]:
        """Return the plugin of each part.

        :param formats: the formats of the files that the data was read from.
        """
        parts = [("task", self.task.name), ("head", self.head.name), ("decoder", self.decoder.name)]
        parts += [("metric", metric.name) for metric in self.metrics]
        parts += [("preprocessor", item.name) for item in self.preprocessors]
        parts += [("format", name) for name in formats]
        encoder, _ = parse_model(self.settings.model, set(catalog.encoders))
        others = (("source", self.settings.reference), ("encoder", encoder))
        parts += [(kind, name) for kind, name in others if name in catalog.usable(kind)]
        owners = [(kind, name, catalog.owner(kind, name)) for kind, name in parts]
        return tuple(
            Supplier(kind=kind, name=name, plugin=info.name, version=info.version, package=info.distribution)
            for kind, name, info in owners
        )

    def as_dict(self) -> dict[str, Any]:
        """Return ``{key: {"value", "from"}}``, ready for JSON."""
        return {key: {"value": value, "from": origin} for key, (value, origin) in self.entries().items()}


def make_plan(request: Request, catalog: Catalog, *, offline: bool = False) -> Plan:
    """Merge defaults, task, recipe, flags and ``--set``, and find the parts that they name.

    :raises PlanError: with all errors.
    """
    errors = ErrorCollector()
    plan = draft_plan(request, catalog, errors, Context(offline=offline))
    errors.raise_errors()
    return plan


def draft_plan(request: Request, catalog: Catalog, errors: ErrorCollector, ctx: Context) -> Plan:
    """Return a plan, as far as it is valid; for callers that collect more errors.

    :param ctx: in which functions of plugins are called; the settings of plugins are those of the plan.
    :raises PlanError: the task is unknown; carries all errors found so far.
    """
    task: Task | None = None
    recipe: Recipe | None = None
    with errors.collect():
        task = catalog.find("task", request.task)
    with errors.collect():
        if task and not request.frozen:
            name = request.recipe or ("best" if "data" in request.overrides else "quickstart")
            recipe = find_recipe(task, name, catalog)
    overrides = _overrides(request, catalog, errors)
    if task is None:
        with errors.collect():
            if "metric" in overrides:
                catalog.find("metric", overrides["metric"].value)
        raise PlanError(errors.errors)
    settings = _merge(task, recipe, overrides, _plugin_defaults(catalog, errors))
    with errors.collect():
        if columns := settings["data.columns"].value:
            parse_columns(columns)
    heads = find_parts(catalog, "head", [settings["train.head"].value], task, errors)
    if heads:
        settings |= _settings_of_head(heads[0], task, settings)
    values = {key: value for key, (value, _) in settings.items()}
    with errors.collect():
        ctx = replace(ctx, plugin_settings=setting_objects(catalog, values))
    standard = (_metrics_of_head(heads[0], task) if heads else ()) or task.metrics
    parts: dict[str, list[Any]] = {"head": heads, **_find_all_parts(catalog, values, task, standard, errors)}
    for head in heads:
        _check_head(head, settings, parts, task.kind, errors)
    bound = {kind: [with_context(part, ctx) for part in found] for kind, found in parts.items()}
    return Plan(
        task=task,
        recipe=recipe.name if recipe else request.recipe or "",
        name=request.name,
        settings=RunSettings.from_values(values),
        origins={key: origin for key, (_, origin) in settings.items()},
        metrics=tuple(bound["metric"]),
        head=next(iter(bound["head"]), None),  # type: ignore[arg-type] # None only beside an error, as the decoder
        decoder=next(iter(bound["decoder"]), None),  # type: ignore[arg-type]
        preprocessors=tuple(bound["preprocessor"]),
        context=ctx,
        part_settings=_settings_of_parts(catalog, {**parts, "task": [task]}, values),
    )


def _find_all_parts(
    catalog: Catalog, values: Mapping[str, Any], task: Task, standard: Sequence[str], errors: ErrorCollector
) -> dict[str, list[Any]]:
    """Return kind → the parts that the settings name, as far as they are valid.

    :param standard: metrics that are computed beside the one that the settings name.
    """
    metrics = dict.fromkeys(filter(None, (values["metric"], *standard)))
    with errors.collect():
        if not metrics:
            raise LabelkitError(f"task '{task.name}' names no metric", hint="choose one with --metric")
    return {
        "decoder": find_parts(catalog, "decoder", [values["decoder"]], task, errors),
        "metric": find_parts(catalog, "metric", metrics, task, errors),
        "preprocessor": find_parts(catalog, "preprocessor", values["preprocess"], task, errors),
    }


def _settings_of_parts(
    catalog: Catalog, parts: Mapping[str, Iterable[Any]], values: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return plugin → its settings, of the plugins that supply parts and have settings."""
    plugins = {catalog.owner(kind, part.name).name for kind, found in parts.items() for part in found}
    owned = {plugin: owned_values(catalog, plugin, values) for plugin in sorted(plugins)}
    return {plugin: settings for plugin, settings in owned.items() if settings}


def _overrides(request: Request, catalog: Catalog, errors: ErrorCollector) -> dict[str, Setting]:
    """Return the valid settings of flags, and of ``--set``, which win.

    Of a recorded plan those are left out whose plugin is gone: where a part of the plan needs it, that is an error.
    """
    found: dict[str, Setting] = {}
    for key, (value, origin) in request.overrides.items():
        if request.frozen and is_plugin_key(key) and not catalog.is_claimed("settings", key.partition(".")[0]):
            continue
        with errors.collect():
            found[key] = Setting(validate_setting(key, value, catalog), origin)
    for text in request.sets:
        with errors.collect():
            key, value = parse_set(text)
            if "." not in key:
                hint = "--set takes train.KEY=VALUE, data.KEY=VALUE, and NAME.KEY=VALUE of a plugin"
                raise LabelkitError(f"--set {text!r}: unknown setting '{key}'", hint=hint)
            found[key] = Setting(validate_setting(key, value, catalog), "--set")
    return found


def _plugin_defaults(catalog: Catalog, errors: ErrorCollector) -> Mapping[str, Any]:
    with errors.collect():
        return default_values(catalog)
    return {}


def _merge(
    task: Task, recipe: Recipe | None, overrides: Mapping[str, Setting], plugin_defaults: Mapping[str, Any]
) -> dict[str, Setting]:
    of_task = {
        "data": task.source,
        "metric": next(iter(task.metrics), None),
        "decoder": task.decoder_name,
        "train.head": task.head,
        "preprocess": list(task.preprocess),
        "data.train_scheme": task.scheme,
    }
    settings = {key: Setting(info.default, "default") for key, info in SETTINGS.items()}
    settings |= {key: Setting(value, f"task {task.name}") for key, value in of_task.items()}
    settings |= {key: Setting(value, "default") for key, value in plugin_defaults.items()}
    if recipe:
        settings |= {key: Setting(value, f"recipe {recipe.name}") for key, value in recipe.settings.items()}
    settings |= overrides
    several = settings["data.multilabel"]
    if several.value and settings["train.head"] == (LINEAR, f"task {task.name}") and task.kind == "text":
        settings["train.head"] = Setting(MULTILABEL, f"{several.origin} data.multilabel")
    # a batch size in windows that the user gives wins over one in subwords that the user did not give
    windows, subwords = "train.per_device_train_batch_size", "train.batch_tokens"
    if windows in overrides and subwords not in overrides and settings[subwords].value:
        settings[subwords] = Setting(0, f"{settings[windows].origin} {windows}")
    return settings


def _metrics_of_head(head: Head, task: Task) -> tuple[str, ...]:
    """Return the metrics that a head brings to a task; none where the task names metrics beside this head."""
    return () if head.name == task.head and task.metrics else head.metrics


def _settings_of_head(head: Head, task: Task, settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings that a head decides, unless a recipe or the user does: what fits that it predicts.

    What a task names beside its own head stays as it is.
    """
    wanted = {"decoder": head.decoder, "metric": next(iter(_metrics_of_head(head, task)), None)}
    if head.name == task.head and task.decoder is not None:
        del wanted["decoder"]
    decided = {key: value for key, value in wanted.items() if value and settings[key].origin == f"task {task.name}"}
    read = {"data.numbers": True} if head.numeric else {}
    by_data = head.name == LINEAR and settings["train.head"].origin == f"task {task.name}" and task.kind == "text"
    if settings["data.multilabel"].value is None and not by_data and task.kind == "text":
        read["data.multilabel"] = head.multilabel
    return {key: Setting(value, f"head {head.name}") for key, value in {**decided, **read}.items()}


def _check_head(
    head: Head, settings: Mapping[str, Setting], parts: Mapping[str, Iterable[Any]], kind: Kind, errors: ErrorCollector
) -> None:
    with errors.collect():
        check_loss_settings(head, settings)
    with errors.collect():
        check_predicted(head, settings, parts, kind)


def check_predicted(
    head: Head, settings: Mapping[str, Setting], parts: Mapping[str, Iterable[Any]], kind: Kind
) -> None:
    """Refuse settings of texts in a task of words, and parts for labels where numbers, or sets of labels, are learned.

    :raises LabelkitError: there is one.
    """
    if settings["data.multilabel"].value and kind != "text":
        raise LabelkitError("data.multilabel is for labels of texts, this task labels words", hint="leave it out")
    if settings["train.random_window"].value and kind != "text":
        raise LabelkitError("train.random_window is for texts, this task labels words", hint="leave it out")
    learns = f"head '{head.name}' learns {predicts(head)}, not"
    if settings["data.numbers"].value and not head.numeric:
        raise LabelkitError(f"{learns} numbers", hint="--set train.head=regression")
    if settings["data.multilabel"].value and not head.multilabel:
        hint = f"--set train.head={MULTILABEL}, or leave out data.multilabel"
        raise LabelkitError(f"{learns} sets of labels", hint=hint)
    for what in ("decoder", "metric"):
        for part in parts[what]:
            if predicts(part) != predicts(head):
                fitting = head.metrics if what == "metric" else (head.decoder,) if head.decoder else ()
                raise LabelkitError(
                    f"{what} '{part.name}' is for {predicts(part)}, head '{head.name}' predicts {predicts(head)}",
                    hint=f"of the head: {', '.join(fitting)}" if fitting else None,
                )


def check_loss_settings(head: Head, settings: Mapping[str, Setting]) -> None:
    """Refuse settings of the loss that the loss of a head does not obey.

    :raises LabelkitError: there is one.
    """
    for name in ("label_smoothing_factor", "class_weights"):
        key = f"train.{name}"
        if settings[key].value != SETTINGS[key].default and name not in head.loss_settings:
            raise LabelkitError(
                f"head '{head.name}' does not obey {key} ({settings[key].origin})", hint=f"leave out {key}"
            )


def kinds_served(part: Any) -> tuple[Kind, ...]:
    """Return the kinds of task that a part serves."""
    kinds: tuple[Kind, ...] = part.kinds if hasattr(part, "kinds") else (part.kind,)
    return kinds


def find_parts(
    catalog: Catalog,
    what: Literal["metric", "head", "decoder", "preprocessor"],
    names: Iterable[str],
    task: Task,
    errors: ErrorCollector,
) -> list[Any]:
    """Return the parts with these names; those that are unknown or for another kind than the task's are errors."""
    fitting = [name for name, part in getattr(catalog, f"{what}s").items() if task.kind in kinds_served(part)]
    found = []
    for name in names:
        with errors.collect():
            try:
                part = catalog.find(what, name)
            except UnknownNameError as error:
                if not (error.hint or "").startswith("the plugin"):
                    error.hint = nearest(name, fitting)
                raise
            if task.kind not in (kinds := kinds_served(part)):
                raise LabelkitError(
                    f"{what} '{name}' is for kind {' or '.join(kinds)}, task '{task.name}' is of kind {task.kind}",
                    hint=f"for kind {task.kind}: {', '.join(fitting) or 'none'}",
                )
            found.append(part)
    return found

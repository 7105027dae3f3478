"""Contract checks of tasks: their references, recipes and examples can be used as they are, and they can be trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.recipes import read_recipe, recipes_of
from labelkit.data.example_validation import example_fault, layer_fault
from labelkit.errors import LabelkitError, nearest
from labelkit.labels.schemes import violation_error, violations
from labelkit.records import Labels, TextPair
from labelkit.settings import SETTINGS
from labelkit.testing import subprocess_checks
from labelkit.testing.adversarial_texts import TEXTS, WORDS
from labelkit.testing.framework import KIND, Broken, CheckSet, plugin_call, require, require_none
from labelkit.testing.joint_trials import JointTrial
from labelkit.testing.label_losses import find_losses, labels_of
from labelkit.testing.trial_training import ADVICE, Trial

#: recipes that ``labelkit run`` uses when none is named: without data, and with it
DEFAULT_RECIPES = ("quickstart", "best")

CHECKS = CheckSet(KIND)

# -- references and recipes -------------------------------------------------------------------------------------------


@CHECKS.check("references", needs=("kind",))
def check_references(trial: Trial) -> None:
    """Every record that it names exists and is of its kind; its source has its layer and a split `train`."""
    task = trial.task
    require(
        task.metrics, f"task '{task.name}' names no metric", "write metrics=(…,): the first one chooses the checkpoint"
    )
    names = [("metric", name) for name in task.metrics] + [("preprocessor", name) for name in task.preprocess]
    require_none(
        (
            *(reference_fault(trial, kind, name) for kind, name in [*names, ("decoder", task.decoder_name)]),
            *source_faults(trial, task.source),
        ),
        "correct the name, or depend on the package that supplies it",
    )


def reference_fault(trial: Trial, kind: str, name: str) -> str:
    """Return why the task cannot use the record of that name, or an empty text."""
    try:
        found: Any = trial.catalog.find(kind, name)
    except LabelkitError as error:
        return f"task '{trial.name}' names a {kind} that cannot be used: {error}"
    if found.kind != trial.kind:
        return f"{kind} '{name}' is for kind '{found.kind}', task '{trial.name}' is of kind '{trial.kind}'"
    return ""


def source_faults(trial: Trial, name: str) -> Iterator[str]:
    """Yield why the task cannot be trained on the source of that name."""
    task, source = trial.task, trial.catalog.sources.get(name)
    yield reference_fault(trial, "source", name)
    if source is not None and task.layer not in source.layers:
        yield f"task '{task.name}' reads layer '{task.layer}', source '{name}' has: {', '.join(source.layers)}"
    if source is not None and "train" not in source.splits:
        yield f"source '{name}' has no split 'train', which task '{task.name}' is trained on"


@CHECKS.check("recipes", needs=("kind",))
def check_recipes(trial: Trial) -> None:
    """Its recipes are valid and name known records, and `quickstart` and `best` are among them."""
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
    require_none((fault for path in known.values() for fault in recipe_faults(trial, path)), "correct the file")


def recipe_faults(trial: Trial, path: Path) -> Iterator[str]:
    """Yield why a recipe cannot be used; data and models that are paths or on the Hub are not looked at."""
    try:
        settings = read_recipe(path, trial.catalog).settings
    except LabelkitError as error:
        yield str(error)
        return
    faults = [reference_fault(trial, kind, settings[kind]) for kind in ("metric", "decoder") if kind in settings]
    faults += [reference_fault(trial, "preprocessor", name) for name in settings.get("preprocess", ())]
    data, root, encoders = settings.get("data"), Environment.read().data, trial.catalog.encoders
    is_path = data and (set(data) & set("/\\:=") or (root and (root / data).exists()))
    if data and (data in trial.catalog.sources or not is_path):
        faults += source_faults(trial, data)
    model = str(settings.get("model", SETTINGS["model"].default))
    if model not in encoders and not set(model) & set("/\\:~."):
        faults.append(f"unknown model '{model}' ({nearest(model, encoders)})")
    if name := settings.get("data.format"):
        try:
            trial.catalog.find("format", name)
        except LabelkitError as error:
            faults.append(str(error))
    yield from (f"recipe {path}: {fault}" for fault in faults if fault)


# -- examples ---------------------------------------------------------------------------------------------------------


@CHECKS.check("examples", needs=("kind",))
def check_examples(trial: Trial) -> None:
    """There are examples, of its kind, with its layer, one label per word."""
    task = trial.task
    require(
        task.examples,
        f"task '{task.name}' has no examples",
        "give it a handful, examples=(labelkit.Example(…), …): checks, docs and smoke runs use them without a network",
    )
    head = trial.catalog.heads.get(task.head)
    several = head is not None and head.multilabel
    require_none(
        (
            example_fault(example, task.kind) or layer_fault(example, task.layer, task.kind, multilabel=several)
            for example in task.examples
        ),
        "correct examples=",
    )


@CHECKS.check(
    "scheme", needs=("examples",), skip_reason=lambda trial: "" if trial.task.scheme else "its labels are plain"
)
def check_scheme(trial: Trial) -> None:
    """Their labels are valid in its scheme."""
    task, scheme = trial.task, trial.task.scheme
    assert scheme is not None  # else the check does not apply
    require(task.kind == "token", f"task '{task.name}' is of kind '{task.kind}' and has no spans", "leave scheme= out")
    tagged = [(example, example.labels[task.layer]) for example in task.examples]
    require_none(
        (
            f"example {example.id}, word {index + 1}: {violation_error(tags, index, scheme).message}"
            for example, tags in tagged
            if not isinstance(tags, str)
            for index in violations(tags, scheme)
        ),
        "correct the labels of the example, or scheme=",
    )


@CHECKS.check(
    "schema",
    needs=("references", "examples", "scheme"),
    skip_reason=lambda trial: "" if trial.schema else "its source names no schema for its layer",
)
def check_schema(trial: Trial) -> None:
    """Their labels are in the schema that its source names for the layer."""
    task, schema = trial.task, trial.schema
    assert schema is not None  # else the check does not apply
    require(
        (schema.scheme is None) == (task.scheme is None),
        f"schema '{schema.name}' holds {'plain labels' if schema.scheme is None else 'spans'}, task '{task.name}' "
        f"learns {'plain labels' if task.scheme is None else 'spans'}",
        "make scheme= of the task and of the schema agree",
    )
    known = {"O", *(schema.types or schema.labels)}
    labelled = [(example.id, example.labels[task.layer]) for example in task.examples]
    require_none(
        (
            f"label '{label}' of example {id_} is not in schema '{schema.name}', which source '{task.source}' names "
            f"for layer '{task.layer}'"
            for id_, labels in labelled
            for label in ((labels,) if isinstance(labels, str) else labels)
            if (label if schema.scheme is None or label == "O" else label.partition("-")[2]) not in known
        ),
        "correct the example, or add it to the schema",
    )


# -- training ---------------------------------------------------------------------------------------------------------


@CHECKS.check("learns", needs=("references", "examples", "scheme", "schema"))
def check_learns(trial: Trial) -> None:
    """One training step of a `tiny:` encoder on its examples lowers the loss."""
    losses = [evaluation.loss for evaluation in trial.trained[1] if evaluation.split == "validation"]
    require(
        len(losses) > 1 and losses[1] < losses[0],
        f"one training step on the examples of task '{trial.name}' takes the loss from {losses[0]:.4f} to "
        f"{losses[min(1, len(losses) - 1)]:.4f}",
        "give examples with several labels, and preprocessors that leave something to read",
    )


@CHECKS.check("saves", needs=("learns",))
def check_saves(trial: Trial) -> None:
    """The checkpoint that is saved and loaded gives the labels that the run had."""
    best = [each for each in trial.trained[1] if each.split == "validation" and each.best][-1]
    with plugin_call(f"labelling the examples of task '{trial.name}'", ADVICE):
        found = trial.labeller.finish(trial.labeller.prepare(trial.unlabelled))
    require_none(
        label_differences(
            trial, best.labels, [labels_of(record) for record in found], "in the run", "once it is loaded"
        ),
        "let decoders and preprocessors depend on what they are given alone, and on no labels: there are none when it "
        "labels",
    )


@CHECKS.check("lossless", needs=("learns",))
def check_lossless(trial: Trial) -> None:
    """Any text is labelled without loss: one label per word, spans that slice the text, numbers for scores."""

    def losses(text: str | tuple[str, ...]) -> Iterator[str]:
        try:
            with plugin_call(f"labelling with task '{trial.name}'", ""):
                yield from find_losses(trial.labeller, text, trial.kind)
        except Broken as broken:
            yield broken.why

    texts: Sequence[str | tuple[str, ...]] = (*TEXTS, *(WORDS if trial.kind == "token" else ()))
    require_none(
        (f"{text!r:.60}: {loss}" for text in texts for loss in losses(text)),
        "let decoders and preprocessors take any text: empty, endless, of all scripts, with control characters",
    )


@CHECKS.check("joins", needs=("learns", "saves"))
def check_joins(trial: Trial) -> None:
    """It is trained together with another task over one encoder: both learn, and one pass gives the labels of both."""
    joint = JointTrial(trial)
    for name in joint.tasks:
        losses = [one.loss for one in joint.evaluations if one.split == "validation" and one.task == name]
        require(
            min(losses[1:], default=math.inf) < losses[0],
            f"trained together with another task, task '{name}' keeps the loss of {losses[0]:.4f} that it begins with",
            "let no part of the task keep or change anything outside of what it is given: tasks share the process",
        )
    changed = joint.parameters_changed_without_labels()
    require(
        not changed,
        f"a batch without labels of task '{trial.name}' changes parameter '{next(iter(changed), '')}'",
        "let the loss of the head be exactly zero, without a gradient, where batch.mask marks nothing: examples of "
        "other tasks have none of its labels",
    )
    best = [one for one in joint.evaluations if one.split == "validation" and one.best and one.task == trial.name][-1]
    require_none(
        label_differences(trial, best.labels, joint.predicted(), "in the run", "in one pass with another task"),
        "let decoders depend on the scores that they are given alone",
    )


def owner_not_installed(trial: Trial) -> str:
    """Return why other processes cannot label with the task, or an empty text."""
    return subprocess_checks.not_installed(trial.catalog.owner("task", trial.name).name)


@CHECKS.check("subprocess", needs=("learns", "saves"), skip_reason=owner_not_installed)
def check_subprocess(trial: Trial) -> None:
    """Another process that is given only names gives the same labels."""
    here = [labels_of(record) for record in trial.labeller.label_all(trial.inputs)]
    found = subprocess_checks.run_in_subprocess(
        "label",
        plugin=trial.catalog.owner("task", trial.name).name,
        folder=str(trial.trained[0]),
        inputs=[asdict(one) if isinstance(one, TextPair) else one for one in trial.inputs],
        only=[info.name for info in trial.catalog.plugins if info.status == "loaded"],  # the others may be blocked
    )
    advice = "let it depend on nothing but the installed packages: no __main__, no state, no hash() of text"
    error = found.get("error")
    require(not error, f"a process that is given only names cannot label with task '{trial.name}': {error}", advice)
    there = [labels if isinstance(labels, str) else tuple(labels) for labels in found["labels"]]
    require_none(label_differences(trial, here, there, "in this process", "in another one"), advice)


def label_differences(
    trial: Trial, before: Sequence[Labels], after: Sequence[Labels], where: str, elsewhere: str
) -> Iterator[str]:
    """Yield which examples are labelled in two ways, once both are repaired to be valid in their scheme."""
    from labelkit.labels.schemes import repair

    scheme = trial.labeller.info.schema.scheme

    def repaired(labels: Labels) -> Labels:
        return labels if scheme is None or isinstance(labels, str) else repair(labels, scheme)[0]

    for example, one, other in zip(trial.task.examples, before, after, strict=True):
        if repaired(one) != repaired(other):
            yield (
                f"task '{trial.name}' labels example {example.id} as {one!r:.200} {where} and as {other!r:.200} "
                f"{elsewhere}"
            )

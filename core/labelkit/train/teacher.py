"""The runs that a run learns from, named by ``train.teacher``: found and checked before it starts, without torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labelkit.config.plan import Plan, Setting
from labelkit.data.corpus import Corpus
from labelkit.errors import LabelkitError, RegistryError, UnknownRunError
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.plugins.catalog import Catalog
from labelkit.registry.checkpoint_folders import ResolvedCheckpoint, is_run, resolve_checkpoint
from labelkit.registry.home import Home

if TYPE_CHECKING:
    from labelkit.registry import Registry

#: stands between the references of several teachers
SEPARATOR = ","


def find_teachers(plan: Plan, corpus: Corpus, catalog: Catalog, home: Home) -> list[ResolvedCheckpoint]:
    """Return the checkpoints of the runs, or of the group of runs, that ``train.teacher`` names; none without it.

    :raises LabelkitError: there is no such run, or its labels cannot be learned by a run of this plan.
    """
    found = []
    for reference in () if plan.train.teacher is None else _references(plan.train.teacher, home):
        resolved = resolve_checkpoint(reference, home, catalog.tasks, offline=plan.context.offline)
        _check_teacher(reference, resolved.info, plan, corpus)
        found.append(resolved)
    return found


def pin_teachers(plan: Plan, teachers: Sequence[ResolvedCheckpoint]) -> Plan:
    """Return a plan that names its teachers by the ids of their runs, as an alias may soon be that of another one."""
    given, origin = plan.entries()["train.teacher"]
    pinned = SEPARATOR.join(one.info.run if is_run(one.reference) else one.reference for one in teachers) or None
    return plan if pinned == given else plan.updated({"train.teacher": Setting(pinned, f"{origin} {given}")})


def _references(text: str, home: Home) -> Iterator[str]:
    """Yield the references in a setting, those of the finished runs of a group in place of its name."""
    from labelkit.registry import Registry

    for reference in map(str.strip, text.split(SEPARATOR)):
        if not reference:
            raise LabelkitError("train.teacher names no run", hint="RUN, or RUN,RUN; leave it out to learn from none")
        if not is_run(reference):
            yield reference
            continue
        with Registry.open(home, create=False) as registry:
            yield from _runs_of(reference, registry)


def _runs_of(reference: str, registry: Registry) -> Sequence[str]:
    """Return the id of a finished run, or those of the finished runs of a group."""
    try:
        return [registry.runs.find(reference, finished=True).id]
    except UnknownRunError as error:
        unknown = error
    with contextlib.suppress(RegistryError):
        if runs := registry.runs.group(reference).runs:
            return runs
    raise UnknownRunError(f"train.teacher: {unknown.message}", hint=unknown.hint)


def _check_teacher(reference: str, whole: CheckpointInfo, plan: Plan, corpus: Corpus) -> None:
    """Raise if a run of a plan cannot learn the probabilities of the labels of a checkpoint."""
    task, schema = plan.task.name, corpus.schema
    info = whole.of_tasks.get(task, whole)
    own = tuple((item.name, item.version) for item in plan.preprocessors)
    problems = (
        (plan.head.name != "linear", f"it learns with the head {plan.head.name}, not with linear"),
        (schema.multilabel or schema.numeric, "its texts have not one label each"),
        (corpus.pairs, "its texts are pairs"),
        (info.kind != plan.task.kind, f"the teacher {reference} labels {info.kind}s"),
        ({info.head, whole.head} != {"linear"}, f"a head of the teacher {reference} is not linear"),
        (info.preprocessors != own, f"the preprocessors of the teacher {reference} are others"),
        (
            set(info.schema.label_names) != set(schema.label_names),
            f"the teacher {reference} has other labels: {_difference(info, corpus)}",
        ),
    )
    for wrong, why in problems:
        if wrong:
            raise LabelkitError(
                f"train.teacher: this run cannot learn from it: {why}", hint="name runs of this task and these labels"
            )


def _difference(info: CheckpointInfo, corpus: Corpus) -> str:
    """Return a label that only one of the two has."""
    theirs, ours = set(info.schema.label_names), set(corpus.schema.label_names)
    more, less = sorted(theirs - ours), sorted(ours - theirs)
    return f"{more[0]}, which the data lacks" if more else f"it lacks {less[0]}" if less else ""

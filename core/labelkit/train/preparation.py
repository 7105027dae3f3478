"""Prepare a run: make its plan, resolve its encoder and read its data, with all errors reported at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labelkit.config.environment import Environment
from labelkit.config.plan import ErrorCollector, Plan, Request, Setting, draft_plan
from labelkit.data.corpus import Corpus
from labelkit.errors import LabelkitError
from labelkit.label_studio.provenance import AnnotationProvenance
from labelkit.models import references
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.suppliers import explain_missing_parts
from labelkit.records import Context, ResolvedEncoder
from labelkit.registry import RunDetails, names
from labelkit.registry.home import Home
from labelkit.train.annotations import with_provenance
from labelkit.train.class_weights import describe_weights, resolve_class_weights
from labelkit.train.continuation import Continuation, resolve_model
from labelkit.train.corpora import plan_context, read_corpus
from labelkit.train.resumption import check_data_unchanged, check_resumable, recorded_request
from labelkit.train.trials import try_parts

if TYPE_CHECKING:
    from transformers import TrainerCallback


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that is ready to start; nothing has been written yet.

    :param plan: with its automatic settings not yet resolved.
    :param class_weights: the weight of each label in the loss; None where all weigh the same.
    :param resumes: the run to resume; None for a new run.
    :param takes_name: a run that has the name of the plan loses it.
    :param callbacks: further callbacks of ``transformers.Trainer``, given in Python.
    :param continues: the checkpoint that the model comes from, where labelkit trained it.
    :param annotations: which annotations of Label Studio the data is made of; none where it is other data.
    """

    plan: Plan
    corpus: Corpus
    encoder: ResolvedEncoder
    class_weights: tuple[float, ...] | None = None
    resumes: RunDetails | None = None
    continues: Continuation | None = None
    callbacks: tuple[TrainerCallback, ...] = ()
    takes_name: bool = False
    annotations: AnnotationProvenance = field(default_factory=AnnotationProvenance)


def prepare(
    request: Request,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    on_stage: Callable[[str, str], object],
    on_progress: Callable[[str], object] = lambda what: None,
    resumes: RunDetails | None = None,
) -> PreparedRun:
    """Make the plan of a request, resolve its encoder and read its data, without torch and transformers.

    :param on_stage: called with the name and detail of each longer step.
    :param on_progress: called with what is done within a step.
    :param resumes: the recorded run that the request resumes.
    :raises PlanError: with all errors.
    """
    errors = ErrorCollector()
    plan = draft_plan(request, catalog, errors, Context(offline=environment.offline, trial=environment.trial))
    with errors.collect():
        if resumes is None:
            check_name(plan.name, home, takes=request.replaces)
    with errors.collect():
        on_stage("finding the encoder", plan.settings.model)
        context = plan_context(plan, plan.data, environment, home)
        encoder, trained = resolve_model(plan.settings.model, catalog, context, home)
        if trained is not None and not references.is_path(plan.settings.model):
            plan = pin_model(plan, trained.run)
    with errors.collect():
        on_stage("reading", plan.settings.reference)
        corpus = read_corpus(plan, catalog, environment, home, on_progress)
        plan = pin(plan, "data", corpus.pinned) if corpus.pinned else plan
        corpus, annotations = with_provenance(corpus, plan_context(plan, plan.data, environment, home))
        if corpus.schema.multilabel and not plan.head.multilabel:
            plan = plan_for_sets(request, plan, catalog, errors)
        corpus, weights = with_class_weights(corpus, plan)
    if not errors.errors:
        try_parts(plan, corpus, catalog, errors)
    errors.raise_errors()
    return PreparedRun(
        plan=plan,
        corpus=corpus,
        encoder=encoder,
        takes_name=request.replaces,
        continues=Continuation.of(trained, plan, corpus.schema) if trained else None,
        class_weights=weights,
        resumes=resumes,
        annotations=annotations,
    )


def with_class_weights(corpus: Corpus, plan: Plan) -> tuple[Corpus, tuple[float, ...] | None]:
    """Return data with a note on the weights of its labels in the loss, and the weights; None where all are equal."""
    train = corpus.splits["train"].examples
    weights = resolve_class_weights(plan.train.class_weights, train, corpus.layer, corpus.schema)
    if weights is None:
        return corpus, None
    return replace(corpus, notes=(*corpus.notes, describe_weights(weights, corpus.schema))), weights


def pin_model(plan: Plan, run: str) -> Plan:
    """Return a plan whose model is a run by its id, as an alias may soon be that of another one."""
    if plan.data.without_test_of == plan.settings.model:
        plan = pin(plan, "data.without_test_of", run)
    return pin(plan, "model", run)


def pin(plan: Plan, key: str, reference: str) -> Plan:
    """Return a plan with a reference that always means the same; the origin says what was given."""
    given, origin = plan.entries()[key]
    return plan if given == reference else plan.updated({key: Setting(reference, f"{origin} {given}")})


def plan_for_sets(request: Request, plan: Plan, catalog: Catalog, errors: ErrorCollector) -> Plan:
    """Return the plan of a request for data whose texts turned out to have any number of labels.

    :param plan: the plan before that was known.
    """
    decided = {"data.multilabel": (True, "automatic: texts have several labels")}
    changed = replace(request, overrides={**request.overrides, **decided})
    found = draft_plan(changed, catalog, errors, plan.context)
    pinned = {key: plan.entries()[key] for key in ("model", "data", "data.without_test_of")}
    return found.updated(pinned)


def prepare_resumed(
    reference: str,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    on_stage: Callable[[str, str], object],
    on_progress: Callable[[str], object] = lambda what: None,
) -> PreparedRun:
    """Prepare to resume a run, by its recorded plan.

    :param reference: of the run.
    :raises LabelkitError: it is unknown, finished or running, its checkpoints are elsewhere, or its data has changed.
    """
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(reference).id)
    check_resumable(details)
    with explain_missing_parts(catalog, details.record.suppliers):
        prepared = prepare(
            recorded_request(details),
            catalog,
            environment,
            home,
            on_stage=on_stage,
            on_progress=on_progress,
            resumes=details,
        )
    check_data_unchanged(details.record, {name: split.content_hash for name, split in prepared.corpus.splits.items()})
    return prepared


def check_name(name: str | None, home: Home, *, takes: bool = False) -> None:
    """Raise if a new run cannot have this name.

    :param takes: another run may have it, and then loses it, unless it is running.
    :raises LabelkitError: it is malformed, reserved, the name or id of another run, or an alias.
    """
    if name is None:
        if takes:
            raise LabelkitError("--replace needs the name that the run takes", hint="add --name NAME")
        return
    # first without the registry, which takes time to import
    names.check_name(name, "a run")
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        if not takes:
            registry.aliases.check_available(name)
        elif (holder := registry.runs.named(name)) is not None and holder.status == "running" and not holder.stale:
            raise LabelkitError(
                f"the run '{holder.record.id}' called '{name}' is running", hint="wait until it ends, or stop it first"
            )

"""From a request to everything that training needs: plan, data and encoder, with all misses reported at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.plan import Plan, Request, make_plan
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.models import references
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext, ResolvedEncoder
from labelkit.registry import RunDetails, names
from labelkit.registry.home import Home
from labelkit.settings import DataSettings
from labelkit.train.resumption import check_data_unchanged, check_resumable, recorded_request


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that could start now; nothing has been written yet.

    :param plan: with its automatic choices still open.
    :param resumes: the run that shall go on where it stopped.
    """

    plan: Plan
    corpus: Corpus
    encoder: ResolvedEncoder
    resumes: RunDetails | None = None


def prepare(
    request: Request,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    say: Callable[[str, str], object],
    resumes: RunDetails | None = None,
) -> PreparedRun:
    """Check a request, read its data and find its encoder. Loads neither torch nor transformers, unless asked to.

    :param say: told the name and detail of each longer step.
    :param resumes: the run whose plan the request is.
    :raises PlanError: with all that is wrong.
    """
    found: dict[str, Any] = {}

    def read(plan: Plan) -> None:
        say("reading", str(plan["data"]))
        found["corpus"] = read_corpus(plan, catalog, load_context(plan, environment, home.cache))

    def locate(plan: Plan) -> None:
        say("finding the encoder", str(plan["model"]))
        found["encoder"] = references.resolve(
            plan["model"], catalog.encoders, load_context(plan, environment, home.cache)
        )

    def named(plan: Plan) -> None:
        if resumes is None:
            check_name(plan.name, home)

    plan = make_plan(request, catalog, checks=(named, locate, read))
    return PreparedRun(plan=plan, corpus=found["corpus"], encoder=found["encoder"], resumes=resumes)


def prepare_resumed(
    reference: str,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    say: Callable[[str, str], object],
) -> PreparedRun:
    """Prepare to go on with the run that ``reference`` means, by the plan that it has.

    :raises LabelkitError: there is no such run, it finished, its checkpoints are elsewhere, or its data has changed.
    """
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(reference).id)
    check_resumable(details)
    prepared = prepare(recorded_request(details), catalog, environment, home, say=say, resumes=details)
    check_data_unchanged(details.record, {name: split.content_hash for name, split in prepared.corpus.splits.items()})
    return prepared


def check_name(name: str | None, home: Home) -> None:
    """Check the name that a run shall have.

    :raises LabelkitError: it is malformed, reserved, another run's name or id, or an alias.
    """
    if name is None:
        return
    # first without the registry, which takes its time to load
    names.check_name(name, "a run")
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        registry.aliases.check_available(name)


def load_context(plan: Plan, environment: Environment, cache: Path) -> LoadContext:
    """Return the context in which a plan's data is read; a task of plain labels reads spans on text as such."""
    settings = DataSettings(**plan.section("data"))
    if settings.plain_labels is None and plan.task.kind == "token" and plan.task.scheme is None:
        settings = replace(settings, plain_labels=True)
    return environment.load_context(settings, cache)


def read_corpus(plan: Plan, catalog: Catalog, ctx: LoadContext) -> Corpus:
    """Read the plan's data."""
    task = plan.task
    corpus = load_corpus(
        plan["data"],
        layer=task.layer,
        kind=task.kind,
        scheme=task.scheme,
        catalog=catalog,
        ctx=ctx,
        seed=plan["train.seed"],
    )
    return _preprocessed(corpus, plan)


def _preprocessed(corpus: Corpus, plan: Plan) -> Corpus:
    if not plan.preprocessors:
        return corpus
    from labelkit.data.preprocess import apply

    splits = {
        name: replace(split, examples=apply(plan.preprocessors, split.examples))
        for name, split in corpus.splits.items()
    }
    return replace(corpus, splits=splits)

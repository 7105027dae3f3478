"""From a request to everything that training needs: plan, data and encoder, with all misses reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.catalog import Catalog
from labelkit.data.corpus import Corpus, DataOptions, load_corpus
from labelkit.data.refs import parse_columns
from labelkit.encode import references
from labelkit.environment import Environment
from labelkit.errors import LabelkitError
from labelkit.plan import Plan, Request, make_plan
from labelkit.records import LoadContext, ResolvedEncoder
from labelkit.registry.home import Home

RUN_NAME = re.compile(r"[a-z0-9-]+")
RESERVED_NAMES = frozenset({"best", "latest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that could start now; nothing has been written yet.

    :param plan: with its automatic choices still open.
    """

    plan: Plan
    corpus: Corpus
    encoder: ResolvedEncoder


def prepare(
    request: Request,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    say: Callable[[str, str], object],
) -> Prepared:
    """Check a request, read its data and find its encoder. Loads neither torch nor transformers, unless asked to.

    :param say: told the name and detail of each longer step.
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

    plan = make_plan(request, catalog, checks=(lambda plan: check_name(plan.name, home), locate, read))
    return Prepared(plan=plan, corpus=found["corpus"], encoder=found["encoder"])


def check_name(name: str | None, home: Home) -> None:
    """Check the name that a run shall have.

    :raises LabelkitError: it is malformed, reserved, or another run's.
    """
    if name is None:
        return
    if not RUN_NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise LabelkitError(
            f"a run cannot be called '{name}'",
            hint="use a-z, 0-9 and hyphens; best and latest mean something else",
        )
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        taken = [run.id for run in registry.runs() if run.name == name]
    if taken:
        raise LabelkitError(f"there is a run called '{name}' already: {taken[0]}", hint="choose another --name")


def load_context(plan: Plan, environment: Environment, cache: Path) -> LoadContext:
    """Return what sources, formats and encoders may know."""
    path = plan["data.path"]
    return LoadContext(
        root=environment.data,
        path=Path(path).expanduser() if path else None,
        cache=cache,
        offline=environment.offline,
        encoding=plan["data.encoding"],
        columns=parse_columns(plan["data.columns"]) if plan["data.columns"] else {},
        options=plan.section("data"),
    )


def read_corpus(plan: Plan, catalog: Catalog, ctx: LoadContext) -> Corpus:
    """Read the plan's data."""
    task = plan.task
    options = DataOptions(
        scheme=plan["data.scheme"],
        train_scheme=plan["data.train_scheme"],
        repair=plan["data.repair"],
        allow_new_labels=plan["data.allow_new_labels"],
        validation_fraction=plan["data.validation_fraction"],
        seed=plan["train.seed"],
        format=plan["data.format"],
        path=plan["data.path"],
    )
    corpus = load_corpus(
        plan["data"],
        layer=task.layer,
        kind=task.kind,
        scheme=task.scheme,
        catalog=catalog,
        ctx=ctx,
        options=options,
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

"""Read the data of a plan, and that of a recorded run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labelkit.config.environment import Environment
from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Plan, make_plan
from labelkit.data.corpus import Corpus, load_corpus, reading_settings
from labelkit.data.fingerprints import content_key
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.suppliers import explain_missing_parts
from labelkit.records import DataSettings, LoadContext
from labelkit.registry import RunDetails
from labelkit.registry.home import Home
from labelkit.registry.task_view import details_of_task
from labelkit.train.resumption import recorded_request


def read_corpus(
    plan: Plan,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    on_progress: Callable[[str], object] = lambda what: None,
) -> Corpus:
    """Return the data of a plan, preprocessed.

    :param on_progress: called with what is done next.

    :raises DataError: it cannot be used as it stands.
    """
    task, run = plan.task, plan.data.without_test_of
    settings = reading_settings(plan.data, task.kind, task.scheme)
    corpus = load_corpus(
        plan.settings.reference,
        layer=task.layer,
        kind=task.kind,
        scheme=task.scheme,
        catalog=catalog,
        ctx=plan_context(plan, settings, environment, home),
        seed=plan.train.seed,
        held_out=frozenset() if run is None else held_out_keys(run, catalog, environment, home),
        on_progress=on_progress,
    )
    if not plan.preprocessors:
        return corpus
    from labelkit.data.preprocess import apply

    splits = {
        name: replace(split, examples=apply(plan.preprocessors, split.examples))
        for name, split in corpus.splits.items()
    }
    return replace(corpus, splits=splits)


def read_recorded_corpus(details: RunDetails, catalog: Catalog, environment: Environment, home: Home) -> Corpus:
    """Return the splits of a run, read by its recorded plan; a validation split held out from train included.

    :param details: of several tasks those of one, see :func:`labelkit.registry.task_view.details_of_task`; else the
        splits of the first task are read.
    :raises LabelkitError: the data cannot be read any more.
    """
    if details.status == "adopted":
        raise LabelkitError("an adopted model has no data of its own", hint="add --data REF")
    details = details_of_task(details)
    with explain_missing_parts(catalog, details.record.suppliers):
        plan = make_plan(recorded_request(details), catalog, offline=environment.offline)
        return read_corpus(plan, catalog, environment, home)


def held_out_keys(run: str, catalog: Catalog, environment: Environment, home: Home) -> frozenset[bytes]:
    """Return the content keys of the test splits of a run, and of the runs that it continues from.

    :raises LabelkitError: there is no such run, or a test split cannot be read any more.
    """
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        first = registry.runs.get(registry.runs.find(run).id)
        lineage = [first, *map(registry.runs.get, registry.lineage.ancestors(first.record.id))]
    keys: set[bytes] = set()
    parts = [details_of_task(one, task) for one in lineage for task in one.record.task.split(JOINED_BY)]
    for details in parts:
        if not any(split.split == "test" for split in details.record.splits):
            continue
        try:
            test = read_recorded_corpus(details, catalog, environment, home).splits["test"]
        except LabelkitError as error:
            raise LabelkitError(
                f"the test split of run '{details.record.id}' cannot be read: {error.message}",
                hint="its texts must not be trained on; --model in place of --from continues without this check",
            ) from error
        keys.update(map(content_key, test.examples))
    return frozenset(keys)


def plan_context(plan: Plan, settings: DataSettings, environment: Environment, home: Home) -> LoadContext:
    """Return the context in which the data and the encoder of a plan are read."""
    mine = environment.of_task(plan.task.name)
    return mine.load_context(settings, home.cache, plan.context.plugin_settings)

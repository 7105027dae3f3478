"""A search over hyperparameters: start it or join it, work on its trials, retrain the winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Request
from labelkit.errors import LabelkitError
from labelkit.registry import Registry, SearchRecord, new_run_id
from labelkit.registry.names import check_name
from labelkit.search.settings import SearchSettings, searched_plan
from labelkit.search.space import default_space
from labelkit.search.storage import require_optuna
from labelkit.search.study import SearchStudy
from labelkit.search.trials import Surroundings
from labelkit.train.preparation import PreparedRun, prepare
from labelkit.train.resumption import check_splits_unchanged

if TYPE_CHECKING:
    from labelkit.search.domains import Space

#: characters that ids of trials add to the name of a search
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search that this process works on.

    :param prepared: the run of the plan that trials start from.
    """

    name: str
    settings: SearchSettings
    prepared: PreparedRun


def draft_search(
    request: Request, around: Surroundings, *, name: str | None, space: Space | None, **options: Any
) -> Search:
    """Return a new search, of which nothing is recorded yet.

    :param space: None for the default one of the task's kind.
    :param options: sampler, pruner, trials and seeds.
    :raises LabelkitError: the plan, the space or the name is invalid.
    """
    require_optuna()
    if name is not None:
        check_name(name, "a search")
        if len(name) > _LONGEST_NAME:
            raise LabelkitError(f"a search cannot be called '{name}'", hint=f"use at most {_LONGEST_NAME} characters")
    if JOINED_BY in request.task:
        raise LabelkitError(
            f"a search is for one task, not for '{request.task}'",
            hint="search settings for one of them, and --set them",
        )
    prepared = _prepare(request, around)
    from labelkit.train.resolution import resolve_plan

    resolved, _ = resolve_plan(prepared)
    settings = SearchSettings.of(prepared, resolved, space or default_space(resolved), **options)
    prepared = replace(prepared, plan=searched_plan(prepared.plan))
    return Search(name=name or new_run_id(f"{settings.task}-search"), settings=settings, prepared=prepared)


def start_search(search: Search, around: Surroundings) -> None:
    """Record a new search.

    :raises RegistryError: there is a search, a group or a run of its name.
    """
    record = SearchRecord(name=search.name, task=search.settings.task, settings=search.settings.to_json())
    with Registry.open(around.home, create=True) as registry:
        registry.searches.start(record)


def join_search(name: str, around: Surroundings, *, trials: int | None) -> Search:
    """Return a search that was started, by this or another process.

    :param trials: how many it has in all from now on; None: as many as before.
    :raises LabelkitError: there is no such search, it has more trials already, or its data has changed.
    """
    require_optuna()
    with Registry.open(around.home, create=False) as registry:
        record = registry.searches.get(name)
        settings = SearchSettings.from_record(record)
        if trials is not None and trials < settings.trials:
            raise LabelkitError(
                f"the search '{name}' has {settings.trials} trials, more than {trials}", hint="leave out --trials"
            )
        prepared = _prepare(settings.request(), around)
        hashes = {name: split.content_hash for name, split in prepared.corpus.splits.items()}
        check_splits_unchanged(f"search '{name}'", settings.splits, hashes)
        if trials is not None and trials > settings.trials:
            settings = settings.with_trials(trials)
            registry.searches.update(name, settings=settings.to_json(), result=None)
    return Search(name=name, settings=settings, prepared=prepared)


def _prepare(request: Request, around: Surroundings) -> PreparedRun:
    return prepare(request, around.catalog, around.environment, around.home, on_stage=around.on_stage)


def run_search(search: Search, around: Surroundings, *, minutes: float | None = None) -> Mapping[str, Any]:
    """Work on a search until all trials are done, retrain the winner and the default recipe, and return the result.

    :param minutes: no trial begins after this time.
    :raises LabelkitError: every trial fails, a retraining fails, or the registry or the disk refuses.
    """
    from labelkit.search.winner import Retraining, choose_winner
    from labelkit.search.worker import Worker

    settings = search.settings
    study = SearchStudy.of(around.home, search.name, settings)
    with Registry.open(around.home, create=False) as registry:
        result = registry.searches.get(search.name).result
    if result is None:
        worker = Worker(search.name, settings, study, search.prepared, around, minutes=minutes)
        while result is None:  # again where another process has asked for more trials since
            worker.work()
            trials, winner = study.trials, choose_winner(study, settings)
            with Registry.open(around.home, create=False) as registry:
                result = registry.searches.settle(search.name, {"winner": winner}, trials=trials)
    if "retrained" not in result:
        retrained = Retraining(search.name, settings, result["winner"], search.prepared, around).train()
        result = {**result, "retrained": retrained, "importances": study.importances(settings.space)}
        with Registry.open(around.home, create=False) as registry:
            registry.searches.complete(search.name, result)
    return result

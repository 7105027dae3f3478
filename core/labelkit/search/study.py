"""The study of a search in Optuna: trials, each of which holds a place, and which of them are pruned.

A search of N trials has the places 0 to N - 1, and the run of a trial is called by its place. A process takes a place
by creating a trial for it; of several trials for one place the first one counts, and the others are discarded. A trial
is created with its place in one transaction, so that a process may be killed at any moment: its trial has a run that
can be resumed, or it has none, and then it is discarded, and its place is free again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from labelkit.registry import Home
from labelkit.search.domains import Space
from labelkit.search.process import this_process
from labelkit.search.storage import close_storage, database_errors, open_storage

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from labelkit.search.settings import SearchSettings

SamplerName = Literal["tpe", "random", "grid"]
PrunerName = Literal["median", "hyperband", "none"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
PRUNERS: tuple[PrunerName, ...] = get_args(PrunerName)
#: attributes of trials
_PLACE, _PROCESS, _DISCARDED, _PRUNED, _ERROR = "place", "process", "discarded", "pruned", "error"
#: trials at random before TPE models them, and unpruned ones before the median is known: a share of all, and bounds
_STARTUP_SHARE, _STARTUP_LEAST, _STARTUP_MOST = 3, 3, 10
#: unpruned trials before the median prunes
_UNPRUNED = 4


class SearchStudy:
    """The study of a search.

    :param name: of the search.
    :param seed: with the place of a trial it decides what is sampled for it, whichever process does.
    :param evaluations: of the longest trial.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        *,
        maximize: bool,
        sampler: SamplerName,
        pruner: PrunerName,
        seed: int,
        trials: int,
        evaluations: int,
    ) -> None:
        import optuna

        self._home, self._seed, self._sampler, self.trials = home, seed, sampler, trials
        self._storage = open_storage(home)
        with self._errors():
            self._study: Study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                direction="maximize" if maximize else "minimize",
                pruner=_pruner(pruner, evaluations),
                load_if_exists=True,
            )
            self._id = self._storage.get_study_id_from_name(name)

    @classmethod
    def of(cls, home: Home, name: str, settings: SearchSettings) -> Self:
        """Return the study of a search, which is created with its first process."""
        return cls(
            home,
            name,
            maximize=settings.maximize,
            sampler=settings.sampler,
            pruner=settings.pruner,
            seed=settings.seed,
            trials=settings.trials,
            evaluations=settings.evaluations,
        )

    def close(self) -> None:
        """Close the connections to the database, in the thread that made them."""
        close_storage(self._storage)

    def held(self) -> dict[int, FrozenTrial]:
        """Return place → its trial."""
        with self._errors():
            found: dict[int, FrozenTrial] = {}
            for trial in self._study.get_trials(deepcopy=False):
                if _DISCARDED not in trial.user_attrs:
                    found.setdefault(trial.user_attrs[_PLACE], trial)
        return found

    def claim(self, fixed: Callable[[int], Mapping[str, Any]]) -> tuple[int, Trial] | None:
        """Take a free place with a new trial; None if all places are held.

        :param fixed: place → the parameters that are not sampled.
        """
        from optuna import create_trial
        from optuna.trial import TrialState

        while True:
            held = self.held()
            place = next((place for place in range(self.trials) if place not in held), None)
            if place is None:
                return None
            attributes = {_PLACE: place, _PROCESS: this_process()}
            template = create_trial(
                state=TrialState.RUNNING, user_attrs=attributes, system_attrs={"fixed_params": dict(fixed(place))}
            )
            with self._errors():
                created = self._storage.get_trial(self._storage.create_new_trial(self._id, template))
            if self.held()[place].number == created.number:
                return place, self.trial(place, created)
            self.discard(created)

    def trial(self, place: int, trial: FrozenTrial) -> Trial:
        """Return a running trial, whose parameters can be sampled."""
        from optuna import Trial

        self._study.sampler = _sampler(self._sampler, self._seed + place, self.trials)
        with self._errors():
            return Trial(self._study, trial._trial_id)

    def sample(self, trial: Trial, space: Space, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the values of settings for a trial; those that were sampled before stay.

        :param left_out: settings that keep the value of the plan.
        """
        with self._errors():
            return {
                key: domain.decode(trial._suggest(key, domain.distribution()))
                for key, domain in space.items()
                if key not in left_out
            }

    def keep(self, trial: Trial) -> bool:
        """Return whether a trial still holds its place, and let it do so for the next minutes.

        A process on another machine discards a trial that has no run for long: its preparation took too long.
        """
        from optuna.exceptions import UpdateFinishedTrialError

        with self._errors():
            try:
                trial.set_user_attr(_PROCESS, this_process())
            except UpdateFinishedTrialError:
                return False
        return True

    def discard(self, trial: FrozenTrial) -> None:
        """Let a trial count no more, so that its place is free."""
        self._finish(trial, "failed", {_DISCARDED: True})

    def report(self, trial: Trial, evaluation: int, value: float) -> bool:
        """Report the metric of an evaluation, and return whether the trial is to be pruned.

        A trial that was pruned before its process was killed stays so.
        """
        with self._errors():
            if _PRUNED in trial.user_attrs:
                return True
            trial.report(value, evaluation)
            pruned = bool(trial.should_prune())
            if pruned:
                trial.set_user_attr(_PRUNED, evaluation)
        return pruned

    def finish(self, trial: FrozenTrial, value: float) -> None:
        """Record the metric of a trial whose run finished."""
        with self._errors():
            pruned = _PRUNED in self._storage.get_trial(trial._trial_id).user_attrs
        self._finish(trial, "pruned" if pruned else "complete", value=value)

    def fail(self, trial: FrozenTrial, error: str) -> None:
        """Record that the run of a trial failed."""
        self._finish(trial, "failed", {_ERROR: error})

    def _finish(
        self, trial: FrozenTrial, how: str, attributes: Mapping[str, Any] | None = None, *, value: float | None = None
    ) -> None:
        """Finish a trial, unless another process has done so since."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        if how == "complete" and value != value:
            how = "failed"
        state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[how]
        values = None if value is None or value != value else [value]
        with self._errors(), suppress(UpdateFinishedTrialError):
            for key, content in (attributes or {}).items():
                self._storage.set_trial_user_attr(trial._trial_id, key, content)
            self._storage.set_trial_state_values(trial._trial_id, state, values)

    def importances(self, space: Space) -> dict[str, float]:
        """Return the importance of each setting for the metric; nothing where there are too few trials to tell."""
        import optuna

        with self._errors(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = optuna.importance.get_param_importances(self._study, params=list(space))
            except (ValueError, RuntimeError):
                return {}
        return {key: value for key, value in found.items() if value == value}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with database_errors(self._home), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


def pruned_at(trial: FrozenTrial | Trial) -> int | None:
    """Return the evaluation after which a trial was pruned."""
    return trial.user_attrs.get(_PRUNED)


def error_of(trial: FrozenTrial) -> str | None:
    """Return why a trial failed."""
    return trial.user_attrs.get(_ERROR)


def process_of(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return the process that created a trial."""
    found: Mapping[str, Any] = trial.user_attrs[_PROCESS]
    return found


def _sampler(name: SamplerName, seed: int, trials: int) -> BaseSampler:
    """Return a sampler; of a grid all parameters are fixed, so that nothing is left to it."""
    from optuna.samplers import RandomSampler, TPESampler

    if name != "tpe":
        return RandomSampler(seed=seed)
    startup = min(max(trials // _STARTUP_SHARE, _STARTUP_LEAST), _STARTUP_MOST)
    return TPESampler(seed=seed, n_startup_trials=startup, multivariate=False, constant_liar=True)


def _pruner(name: PrunerName, evaluations: int) -> BasePruner:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "median":
        return MedianPruner(n_startup_trials=_UNPRUNED)
    if name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=max(evaluations, 1))
    return NopPruner()

"""Work on the trials of a search until all are done, with other processes that do the same."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labelkit.config.plan import Setting
from labelkit.errors import LabelkitError, RegistryError, StorageError, TrainingError
from labelkit.registry import Registry, RunSummary
from labelkit.search.process import is_gone, this_process
from labelkit.search.settings import ORIGIN, SearchSettings, recorded_trials
from labelkit.search.study import SearchStudy, error_of, process_of, pruned_at
from labelkit.search.trials import Surroundings, message_of, resume_run, start_run, with_changes
from labelkit.train.preparation import PreparedRun

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

#: seconds between two looks at trials of other processes
WAIT = 2.0
#: trials that may fail while none has finished
_FAILURES = 3


def trial_run(search: str, place: int) -> str:
    """Return the id of the run of a trial."""
    return f"{search}-{place:03d}"


class Worker:
    """One process that works on a search.

    :param prepared: the run of the plan that trials start from.
    :param minutes: no trial begins after this time; None for no limit.
    """

    def __init__(
        self,
        name: str,
        settings: SearchSettings,
        study: SearchStudy,
        prepared: PreparedRun,
        around: Surroundings,
        *,
        minutes: float | None = None,
    ) -> None:
        self._name, self._settings, self._study = name, settings, study
        self._prepared, self._around = prepared, around
        self._deadline = None if minutes is None else time.monotonic() + minutes * 60
        self._waiting = False
        #: place → why its run cannot be resumed here
        self._stranded: dict[int, LabelkitError] = {}

    def work(self) -> None:
        """Run and resume trials until none is left, also those of processes that ended in the middle.

        :raises LabelkitError: every trial fails, the registry or the disk refuses, or what is left can only be resumed
            on another machine.
        """
        while True:
            stopped, running = self._settle()
            resumable = [one for one in stopped if one[0] not in self._stranded]
            if resumable:
                self._resume(*resumable[0])
            elif (claimed := self._claim()) is not None:
                self._start(*claimed)
            elif running:
                self._wait(running)
            elif stopped:
                raise self._stranded[stopped[0][0]]
            else:
                return

    def _claim(self) -> tuple[int, Trial] | None:
        with Registry.open(self._around.home, create=False) as registry:
            record = registry.searches.get(self._name)
        if record.result is not None:  # another process has chosen the winner
            return None
        self._study.trials = recorded_trials(record)  # another process may have asked for more
        if self._deadline is not None and time.monotonic() > self._deadline:
            return None
        return self._study.claim(self._settings.fixed)

    def _settle(self) -> tuple[list[tuple[int, FrozenTrial]], list[str]]:
        """Finish the trials whose run ended; return those that can be resumed, and the runs of other processes."""
        stopped, running, failed, done = [], [], [], 0
        runs = self._runs()
        for place, trial in self._study.held().items():
            run = runs.get(trial_run(self._name, place))
            if trial.state.is_finished():
                failed += [run] if trial.state.name == "FAIL" else []
                done += trial.state.name != "FAIL"
            elif run is None:
                running += self._without_run(place, trial)
            elif run.shown in ("interrupted", "stale"):
                stopped.append((place, trial))
            elif run.status == "running":
                running.append(run.id)
            elif run.status == "failed":
                self._study.fail(trial, run.error or "failed")
                failed.append(run)
            else:
                self._study.finish(trial, float("nan") if run.validation is None else run.validation)
                done += 1
        if len(failed) >= _FAILURES and not done:
            raise _all_failed(self._study)
        return stopped, running

    def _runs(self) -> dict[str, RunSummary]:
        with Registry.open(self._around.home, create=False) as registry:
            return {run.id: run for run in registry.runs.search(group=self._name)}

    def _without_run(self, place: int, trial: FrozenTrial) -> list[str]:
        """Discard a trial whose process ended before its run was recorded; else return the id of the coming run."""
        process = process_of(trial)
        own = {**process, "at": None} == {**this_process(), "at": None}
        if own or is_gone(process):
            self._study.discard(trial)
            return []
        return [trial_run(self._name, place)]

    def _start(self, place: int, trial: Trial) -> None:
        default = self._settings.is_default(place)
        left_out = self._settings.unfit_defaults if default else frozenset[str]()
        values = self._study.sample(trial, self._settings.space, left_out)
        shown = ", ".join(f"{key.partition('.')[2] or key} {_short(value)}" for key, value in values.items())
        self._around.on_stage(f"trial {place + 1} of {self._study.trials}", "the default recipe" if default else shown)
        run = trial_run(self._name, place)
        try:
            prepared = with_changes(self._prepared, self._settings, {} if default else values, self._around)
            # only the winner is used, so that no trial keeps an ONNX model
            plan = prepared.plan.updated({"train.onnx": Setting(False, ORIGIN)})
            prepared = replace(prepared, plan=plan, callbacks=(*prepared.callbacks, self._callback(trial)))
            if not self._study.keep(trial):
                return
            start_run(prepared, self._around, run=run, group=self._name)
            self._note_pruning(run, trial)
        except Exception as error:
            self._failed(place, trial, error)

    def _resume(self, place: int, frozen: FrozenTrial) -> None:
        run = trial_run(self._name, place)
        self._around.on_stage(f"trial {place + 1} of {self._study.trials}", f"resumed: {run}")
        trial = self._study.trial(place, frozen)
        try:
            resume_run(run, self._around, (self._callback(trial),))
            self._note_pruning(run, trial)
        except Exception as error:
            self._failed(place, trial, error)

    def _note_pruning(self, run: str, trial: Trial) -> None:
        if (evaluation := pruned_at(trial)) is not None:
            text = f"pruned after evaluation {evaluation} by the {self._settings.pruner} pruner"
            with Registry.open(self._around.home, create=False) as registry:
                registry.annotations.add_note(run, text)

    def _callback(self, trial: Trial) -> Any:
        from labelkit.search.pruning import PruningCallback

        per_epoch = self._prepared.plan.train.evaluations_per_epoch
        return PruningCallback(self._study, trial, self._settings.metric, per_epoch)

    def _failed(self, place: int, trial: Trial, error: Exception) -> None:
        """Go on after the failure of a trial, unless that is no fault of the trial.

        :raises LabelkitError: the registry or the disk refused.
        """
        run = trial_run(self._name, place)
        recorded = self._runs().get(run)
        if recorded is not None and recorded.shown in ("running", "finished"):  # another process was faster
            return
        if recorded is not None and recorded.shown != "failed" and isinstance(error, LabelkitError):
            self._stranded[place] = error
            return
        if isinstance(error, RegistryError | StorageError):
            raise error
        traceback.clear_frames(error.__traceback__)
        self._around.warn(f"{run}: {message_of(error)}")
        if recorded is None:
            self._study.fail(trial._get_latest_trial(), message_of(error))

    def _wait(self, running: list[str]) -> None:
        if not self._waiting:
            self._around.on_stage("waiting", f"other processes run {', '.join(running)}")
        self._waiting = True
        time.sleep(WAIT)


def _all_failed(study: SearchStudy) -> LabelkitError:
    errors = [error_of(trial) for trial in study.held().values()]
    last = next((text for text in reversed(errors) if text), "unknown")
    return TrainingError(
        f"all {len(errors)} trials failed, the last one: {last}",
        hint="try the plan alone: labelkit run TASK with the same options",
    )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

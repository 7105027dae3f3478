"""Report the metric of a trial to its study at each evaluation, and stop the training of one that is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from labelkit.search.study import SearchStudy

if TYPE_CHECKING:
    from optuna import Trial


class PruningCallback(TrainerCallback):
    """Reports each evaluation of a trial on validation, and stops its training where the pruner says so.

    :param metric: its key among the metrics.
    :param per_epoch: evaluations in an epoch.
    """

    def __init__(self, study: SearchStudy, trial: Trial, metric: str, per_epoch: int) -> None:
        self._study, self._trial, self._metric, self._per_epoch = study, trial, metric, per_epoch

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report the metric after an evaluation; the last one of a training is no reason to prune it."""
        assert metrics is not None
        # counted in epochs, because trials with other batches have other steps
        evaluation = max(1, round(float(state.epoch or 0) * self._per_epoch))
        pruned = self._study.report(self._trial, evaluation, float(metrics[f"eval_{self._metric}"]))
        if pruned and state.global_step < state.max_steps:
            control.should_training_stop = True

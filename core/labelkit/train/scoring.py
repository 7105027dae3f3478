"""Score a model on a split: one task, or each of several with what selects the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Plan
from labelkit.inference.engine import Engine, fallback_of
from labelkit.inference.prediction import ScoringOptions, SplitScores, score_split

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.train.resolution import ResolvedRun

#: the score that selects the checkpoint of several tasks: the mean of their main metrics
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Selection:
    """What selects the checkpoint of a run.

    :param tasks: task → the key of its main metric.
    :param metric: the metric, or :data:`MEAN`.
    :param key: of its deciding value among the metrics of :attr:`task`.
    """

    tasks: Mapping[str, str]
    metric: str
    key: str
    higher_is_better: bool

    @classmethod
    def of(cls, plans: Sequence[Plan]) -> Selection:
        """Return the selection of the plans of a run, one of each task."""
        tasks = {plan.task.name: plan.metrics[0].key for plan in plans}
        metrics = {plan.task.name: plan.metrics[0] for plan in plans}
        select = plans[0].train.select
        if len(plans) > 1 and select is None:
            return cls(tasks, MEAN, MEAN, plans[0].metrics[0].higher_is_better)
        chosen = select or plans[0].task.name
        key = metrics[chosen].key if len(plans) == 1 else f"{chosen}.{metrics[chosen].key}"
        return cls(tasks, metrics[chosen].name, key, metrics[chosen].higher_is_better)

    @property
    def task(self) -> str:
        """The name of the task, or those of several joined by ``+``: under it the deciding value is recorded."""
        return JOINED_BY.join(self.tasks)

    def with_summary(self, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Return the metrics of each task and, of several, a summary under their joined name.

        :param figures: task → its metrics.
        """
        if len(self.tasks) == 1:
            return dict(figures)
        summary = {f"{task}.{key}": float(figures[task][key]) for task, key in self.tasks.items()}
        mean = {MEAN: fmean(summary.values())} if self.key == MEAN else {}
        return {**figures, self.task: {**mean, **summary}}

    def value(self, figures: Mapping[str, Mapping[str, Any]]) -> float:
        """Return the deciding value of what :meth:`with_summary` returned."""
        return float(figures[self.task][self.key])


def score_tasks(
    run: ResolvedRun, model: Any, split: str, saved: Mapping[str, CheckpointInfo] | None
) -> dict[str, SplitScores]:
    """Return task → the scores of ``model`` on a split, for the tasks that have such a split.

    :param model: the classifier of the task, or a :class:`labelkit.models.joint.JointModel` of several.
    :param saved: task → the checkpoint, whose temperature and thresholds are used; None to fit these on the split.
    """
    if not run.others:
        return {run.task: score_task(run, model, split, None if saved is None else saved[run.task])}
    found = {}
    for one in (one for one in run.of_tasks if split in one.windows):
        with model.plain(one.task) as classifier:
            found[one.task] = score_task(one, classifier, split, None if saved is None else saved[one.task])
    return found


def score_task(run: ResolvedRun, model: PreTrainedModel, split: str, saved: CheckpointInfo | None) -> SplitScores:
    """Return the scores of the classifier of one task on a split; see :func:`score_tasks`."""
    plan, corpus = run.plan, run.corpus
    precision, tokens = plan.train.eval_precision, plan.train.eval_tokens
    fallback = fallback_of(corpus.schema, run.fallback)
    engine = Engine(model, run.encoding, precision, tokens, head=run.head, **fallback)
    fitted = (None, None) if saved is None else (saved.temperature, saved.thresholds)
    scoring = ScoringOptions(
        layer=corpus.layer,
        schema=corpus.schema,
        decoder=plan.decoder,
        metrics=plan.metrics,
        temperature=fitted[0],
        train_mentions=run.train_mentions,
        thresholds=fitted[1],
    )
    return score_split(engine, run.windows[split], corpus.splits[split].examples, scoring)

"""Score a model on a split: one task, or each of several with what selects the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Plan
from labelkit.inference.engine import Engine, fallback_of
from labelkit.inference.joint_engine import joined_torch_engine, outputs_of, split_scores
from labelkit.inference.label_ids import gold_ids
from labelkit.inference.prediction import ScoringOptions, SplitScores, score_examples, score_split, score_windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.models.joint import JointModel
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


class ValidationScores(NamedTuple):
    """What a model scores on validation during training.

    :param of_tasks: task → its scores.
    :param metrics: see :meth:`Selection.with_summary`.
    :param averaged: the scores are those of the moving average of the weights.
    """

    of_tasks: Mapping[str, SplitScores]
    metrics: Mapping[str, Mapping[str, Any]]
    averaged: bool = False


def score_tasks(
    run: ResolvedRun, model: Any, split: str, saved: Mapping[str, CheckpointInfo] | None
) -> dict[str, SplitScores]:
    """Return task → the scores of ``model`` on a split, for the tasks that have such a split.

    :param model: the classifier of the task, or a :class:`labelkit.models.joint.JointModel` of several.
    :param saved: task → the checkpoint, whose temperature and thresholds are used; None to fit these on the split.
    """
    if not run.others:
        return {run.task: score_task(run, model, split, _of_task(saved, run.task))}
    found: dict[str, SplitScores] = {}
    for group in tasks_by_windows([one for one in run.of_tasks if split in one.windows], split):
        if len(group) == 1:
            with model.plain(group[0].task) as classifier:
                found[group[0].task] = score_task(group[0], classifier, split, _of_task(saved, group[0].task))
        else:
            found |= score_together(group, model, split, saved)
    return {one.task: found[one.task] for one in run.of_tasks if one.task in found}


def tasks_by_windows(runs: Sequence[ResolvedRun], split: str) -> list[list[ResolvedRun]]:
    """Return the tasks of a run whose windows of a split are the same together, in order."""
    groups: list[list[ResolvedRun]] = []
    for one in runs:
        for group in groups:
            same_kind = group[0].plan.task.kind == one.plan.task.kind
            if same_kind and group[0].windows[split].has_same_windows(one.windows[split]):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def score_together(
    runs: Sequence[ResolvedRun], model: JointModel, split: str, saved: Mapping[str, CheckpointInfo] | None
) -> dict[str, SplitScores]:
    """Return task → its scores on the windows of a split, which are the same for all tasks, from one pass.

    They are those of :func:`score_task` bit by bit.
    """
    first, train = runs[0], runs[0].plan.train
    heads = {one.task: outputs_of(one.head, one.fallback, model.models[one.task]) for one in runs}
    engine = joined_torch_engine(model, heads, first.encoding, train.eval_precision, train.eval_tokens)
    examples = {one.task: one.corpus.splits[split].examples for one in runs}
    gold = {one.task: gold_ids(examples[one.task], one.corpus.layer, one.corpus.schema) for one in runs}
    lengths = gold[first.task][1]
    scores = split_scores(score_windows(engine, first.windows[split], lengths, engine.head.context.schema), heads)
    return {
        task: score_examples(scores[task], gold[task][0], examples[task], scoring_of(one, _of_task(saved, task)))
        for task, one in ((one.task, one) for one in runs)
    }


def _of_task(saved: Mapping[str, CheckpointInfo] | None, task: str) -> CheckpointInfo | None:
    return None if saved is None else saved[task]


def score_task(run: ResolvedRun, model: PreTrainedModel, split: str, saved: CheckpointInfo | None) -> SplitScores:
    """Return the scores of the classifier of one task on a split; see :func:`score_tasks`."""
    train, fallback = run.plan.train, fallback_of(run.corpus.schema, run.fallback)
    engine = Engine(model, run.encoding, train.eval_precision, train.eval_tokens, head=run.head, **fallback)
    return score_split(engine, run.windows[split], run.corpus.splits[split].examples, scoring_of(run, saved))


def scoring_of(run: ResolvedRun, saved: CheckpointInfo | None) -> ScoringOptions:
    """Return how one task of a run is scored; see :func:`score_tasks`."""
    return ScoringOptions(
        layer=run.corpus.layer,
        schema=run.corpus.schema,
        decoder=run.plan.decoder,
        metrics=run.plan.metrics,
        temperature=None if saved is None else saved.temperature,
        train_mentions=run.train_mentions,
        thresholds=None if saved is None else saved.thresholds,
    )

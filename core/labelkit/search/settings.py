"""What every process that works on a search needs: the plan, the space, and how trials are chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from labelkit.config.plan import Plan, Request, Setting
from labelkit.registry import PlanValue, SearchRecord
from labelkit.search.domains import Choices, Space, grid, space_from_json, space_to_json
from labelkit.search.study import PrunerName, SamplerName
from labelkit.settings import AUTO
from labelkit.train.epochs import MOST_EPOCHS
from labelkit.train.preparation import PreparedRun
from labelkit.train.resumption import recorded_value

#: the origin of a setting that a trial was given
ORIGIN = "search"
_EPOCHS = "train.num_train_epochs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The settings of a search, recorded as JSON.

    :param plan: the plan that trials start from, with its automatic settings not resolved.
    :param defaults: the values of the searched settings in that plan, resolved.
    :param trials: how many.
    :param seeds: over how many the winner is retrained.
    :param splits: split → content hash of the data.
    """

    task: str
    recipe: str
    plan: tuple[PlanValue, ...]
    space: Space
    defaults: Mapping[str, Any]
    sampler: SamplerName
    pruner: PrunerName
    trials: int
    seeds: int
    splits: Mapping[str, str]
    metric: str
    maximize: bool

    @classmethod
    def of(cls, prepared: PreparedRun, resolved: Plan, space: Space, **options: Any) -> Self:
        """Return the settings of a search on a prepared run.

        :param resolved: its plan with the automatic settings resolved.
        :param options: sampler, pruner, trials and seeds.
        """
        plan, metric = searched_plan(prepared.plan), prepared.plan.metrics[0]
        values = resolved.settings.values()
        settings = cls(
            task=plan.task.name,
            recipe=plan.recipe,
            plan=tuple(PlanValue.of(key, value, origin) for key, (value, origin) in plan.entries().items()),
            space=space,
            defaults={key: values.get(key) for key in space},
            splits={name: split.content_hash for name, split in prepared.corpus.splits.items()},
            metric=metric.key,
            maximize=metric.higher_is_better,
            **options,
        )
        return settings.with_trials(settings.trials)

    def with_trials(self, trials: int) -> Self:
        """Return the settings with this number of trials, of a grid no more than it has points."""
        if self.sampler == "grid":
            trials = min(trials, len(grid(self.space, self.seed)))
        return replace(self, trials=trials)

    @classmethod
    def from_record(cls, record: SearchRecord) -> Self:
        """Return the settings of a recorded search."""
        content = dict(record.settings)
        plan = tuple(PlanValue(**value) for value in content.pop("plan"))
        return cls(**{**content, "plan": plan, "space": space_from_json(content.pop("space"))})

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "plan": [asdict(value) for value in self.plan], "space": space_to_json(self.space)}

    def request(self, changes: Mapping[str, Any] | None = None) -> Request:
        """Return the request of a trial.

        :param changes: setting → value.
        """
        overrides: dict[str, tuple[Any, str]] = {
            value.key: (recorded_value(value), value.origin) for value in self.plan
        }
        overrides |= {key: (value, ORIGIN) for key, value in (changes or {}).items()}
        return Request(task=self.task, recipe=self.recipe, overrides=overrides, frozen=True)

    @property
    def seed(self) -> int:
        """The seed of all trials."""
        seed: int = self._planned("train.seed")
        return seed

    @property
    def evaluations(self) -> int:
        """The number of evaluations of the longest trial."""
        epochs: Sequence[Any] = [self._planned(_EPOCHS)]
        if (domain := self.space.get(_EPOCHS)) is not None:
            epochs = domain.choices if isinstance(domain, Choices) else [domain.high]
        per_epoch: int = self._planned("train.evaluations_per_epoch")
        longest = max(MOST_EPOCHS if one == AUTO else float(one) for one in epochs)
        return math.ceil(longest * per_epoch)

    def _planned(self, key: str) -> Any:
        return next(recorded_value(value) for value in self.plan if value.key == key)

    @property
    def unfit_defaults(self) -> frozenset[str]:
        """The settings whose default the space does not hold: the trial of the default recipe keeps it."""
        return frozenset(key for key, domain in self.space.items() if domain.encode(self.defaults[key]) is None)

    def fixed(self, place: int) -> Mapping[str, Any]:
        """Return the parameters of a trial that are not sampled: of a grid all, and of the first trial the defaults."""
        if self.sampler == "grid":
            return grid(self.space, self.seed)[place]
        if not self.is_default(place):
            return {}
        encoded = {key: domain.encode(self.defaults[key]) for key, domain in self.space.items()}
        return {key: value for key, value in encoded.items() if value is not None}

    def is_default(self, place: int) -> bool:
        """Return whether a trial is that of the default recipe."""
        return place == 0 and self.sampler != "grid"


def recorded_trials(record: SearchRecord) -> int:
    """Return how many trials a recorded search has in all."""
    return int(record.settings["trials"])


def searched_plan(plan: Plan) -> Plan:
    """Return the plan of trials: it never reads test, and has the same validation split for all seeds."""
    changes = {"train.score_test": Setting(False, ORIGIN)}
    if plan.data.validation_seed is None:
        changes["data.validation_seed"] = Setting(plan.train.seed, ORIGIN)
    return plan.updated(changes)

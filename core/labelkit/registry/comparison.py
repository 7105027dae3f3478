"""Comparing runs: their plans, data, versions and scores side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.config.joint import JOINED_BY
from labelkit.errors import RegistryError
from labelkit.registry.entities import RunDetails

_FACTS = (
    *("task", "name", "recipe", "data", "model", "model_revision", "model_sha256", "metric", "metric_key", "seed"),
    *("device_type", "device_name", "device_count", "precision", "driver", "peak_memory", "host"),
    *("git_commit", "git_dirty", "labelkit", "python"),
)
_SPLITS = ("train", "validation", "test")
_NOTES = {"task": "tasks", "metric": "metrics", "metric_key": "figures that choose the checkpoint"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedValue:
    """The values of one name in each run, in the order of the runs; None where a run has none."""

    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether not all values are equal."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedSplit:
    """A split of each run; None where a run has no such split.

    :param refs: the data references of the split.
    """

    split: str
    refs: tuple[str | None, ...]
    content_hashes: tuple[str | None, ...]
    examples: tuple[int | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs that have the split read different examples, whatever their references."""
        return len({one for one in self.content_hashes if one is not None}) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedScore:
    """A score of the best checkpoint of each run.

    :param type: the label type it is about; None for the whole split.
    :param key: it is the deciding metric of a run.
    :param comparable: all runs that have the split read the same examples.
    :param differences: the differences to the first run; None where either has no number.
    """

    task: str
    split: str
    type: str | None
    name: str
    key: bool
    comparable: bool
    values: tuple[float | str | None, ...]
    differences: tuple[float | None, ...]

    @property
    def differs(self) -> bool:
        """Whether not all values are equal."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Runs side by side, with what is equal too (see ``differs`` of each entry).

    :param runs: their ids, in the order of all values.
    :param facts: model, metric, seed, device, precision, versions of labelkit and Python …
    :param scores: the deciding metric of each split first, and whole splits before label types.
    :param notes: why scores cannot be compared, in words.
    """

    runs: tuple[str, ...]
    statuses: tuple[str, ...]
    seconds: tuple[float | None, ...]
    facts: tuple[ComparedValue, ...]
    settings: tuple[ComparedValue, ...]
    splits: tuple[ComparedSplit, ...]
    versions: tuple[ComparedValue, ...]
    scores: tuple[ComparedScore, ...]
    notes: tuple[str, ...]


def compare(runs: Sequence[RunDetails]) -> Comparison:
    """Return how ``runs`` differ.

    :raises RegistryError: fewer than two runs are given.
    """
    if len(runs) < 2:
        raise RegistryError("a comparison needs two runs or more", hint="labelkit runs compare RUN RUN …")
    records = [run.record for run in runs]
    splits = _splits(runs)
    return Comparison(
        runs=tuple(record.id for record in records),
        statuses=tuple(run.shown for run in runs),
        seconds=tuple(run.seconds for run in runs),
        facts=_values([{name: getattr(record, name) for name in _FACTS} for record in records], _FACTS),
        settings=_values([{one.key: one.text for one in record.plan} for record in records]),
        splits=splits,
        versions=_values([{f"{one.kind} {one.name}": one.version for one in record.versions} for record in records]),
        scores=_scores(runs, {one.split for one in splits if one.differs}),
        notes=tuple(_notes(runs, splits)),
    )


def _values(found: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> tuple[ComparedValue, ...]:
    names = names or sorted({name for one in found for name in one})
    return tuple(ComparedValue(name=name, values=tuple(one.get(name) for one in found)) for name in names)


def _split_order(name: str) -> tuple[int, str]:
    return (_SPLITS.index(name) if name in _SPLITS else len(_SPLITS), name)


def _split_of_task(runs: Sequence[RunDetails], task: str, split: str) -> str:
    """Return the name of a split of a task: as runs of several tasks record it where one of the runs is such a run."""
    several = any(JOINED_BY in run.record.task for run in runs)
    return f"{task}.{split}" if several and JOINED_BY not in task else split


def _splits(runs: Sequence[RunDetails]) -> tuple[ComparedSplit, ...]:
    found = [{_split_of_task(runs, run.record.task, one.split): one for one in run.record.splits} for run in runs]
    names = sorted({name for one in found for name in one}, key=_split_order)
    rows = {name: [one.get(name) for one in found] for name in names}
    return tuple(
        ComparedSplit(
            split=name,
            refs=tuple(one.ref if one else None for one in row),
            content_hashes=tuple(one.content_hash if one else None for one in row),
            examples=tuple(one.examples if one else None for one in row),
        )
        for name, row in rows.items()
    )


def _scores(runs: Sequence[RunDetails], different: set[str]) -> tuple[ComparedScore, ...]:
    found = [
        {(one.task, one.split, one.type, one.name): one for one in run.scores if not one.structured} for run in runs
    ]
    keys = {run.record.metric_key for run in runs}

    def order(entry: tuple[str, str, str | None, str]) -> tuple[Any, ...]:
        task, split, type_, name = entry
        return task, _split_order(split), type_ is not None, type_ or "", name not in keys, name

    scores = []
    for task, split, type_, name in sorted({entry for one in found for entry in one}, key=order):
        row = [one.get((task, split, type_, name)) for one in found]
        numbers = [one.value if one else None for one in row]
        first = numbers[0]
        score = ComparedScore(
            task=task,
            split=split,
            type=type_,
            name=name,
            key=name in keys and type_ is None,
            comparable=_split_of_task(runs, task, split) not in different,
            values=tuple((one.value if one.text is None else one.text) if one else None for one in row),
            differences=tuple(None if first is None or number is None else number - first for number in numbers),
        )
        scores.append(score)
    return tuple(scores)


def _notes(runs: Sequence[RunDetails], splits: Sequence[ComparedSplit]) -> Iterable[str]:
    for name, what in _NOTES.items():
        values = [str(getattr(run.record, name)) for run in runs]
        if len(set(values)) > 1:
            yield f"the {what} differ: {', '.join(values)}"
    for split in splits:
        if split.differs and split.split.rpartition(".")[2] != "train":
            yield f"the {split.split} data differ: {split.split} scores cannot be compared"
        elif split.differs:
            yield f"the {split.split} data differ"

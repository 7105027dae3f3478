"""How runs differ: in plan, data, versions and scores. Pure: whole runs in, one record out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.errors import RegistryError
from labelkit.registry.entities import RunDetails
from labelkit.registry.metric_rows import Figure

_FACTS = (
    *("task", "name", "recipe", "data", "model", "model_revision", "model_sha256", "metric", "metric_key", "seed"),
    *("device_type", "device_name", "device_count", "precision", "driver", "peak_memory", "host"),
    *("git_commit", "git_dirty", "labelkit", "python"),
)
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedValue:
    """One thing that runs have, or have not (None), in the order of the runs."""

    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedSplit:
    """What a split held; None for runs without it.

    :param refs: the data references it came from.
    """

    split: str
    refs: tuple[str | None, ...]
    content_hashes: tuple[str | None, ...]
    examples: tuple[int | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs read different examples, wherever those came from; a run without the split has none."""
        return len({one for one in self.content_hashes if one is not None}) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedScore:
    """A figure of the chosen checkpoints.

    :param type: the label type it is about; None for the whole split.
    :param key: it chooses the checkpoint.
    :param comparable: all runs that have it were scored on the same examples.
    :param differences: to the first run; None where either has no number.
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
        """Whether not all runs have the same."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Runs side by side; every list holds what agrees too (see ``differs`` of each entry).

    :param runs: their ids, in the order of all values.
    :param facts: model, metric, seed, device, precision, versions of labelkit and Python …
    :param scores: the key figure of each split first, then whole splits before types.
    :param notes: what makes scores hard to compare, in words.
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

    :raises RegistryError: they are fewer than two.
    """
    if len(runs) < 2:
        raise RegistryError("a comparison needs two runs or more", hint="labelkit runs compare RUN RUN …")
    splits = _splits(runs)
    return Comparison(
        runs=tuple(run.record.id for run in runs),
        statuses=tuple(run.shown for run in runs),
        seconds=tuple(run.seconds for run in runs),
        facts=tuple(
            ComparedValue(name=name, values=tuple(getattr(run.record, name) for run in runs)) for name in _FACTS
        ),
        settings=_values(runs, lambda run: ((one.key, one.text) for one in run.record.plan)),
        splits=splits,
        versions=_values(runs, lambda run: ((f"{one.kind} {one.name}", one.version) for one in run.record.versions)),
        scores=_scores(runs, {one.split for one in splits if one.differs}),
        notes=tuple(_notes(runs, splits)),
    )


def _values(
    runs: Sequence[RunDetails], entries: Callable[[RunDetails], Iterable[tuple[str, Any]]]
) -> tuple[ComparedValue, ...]:
    found = [dict(entries(run)) for run in runs]
    names = sorted({name for one in found for name in one})
    return tuple(ComparedValue(name=name, values=tuple(one.get(name) for one in found)) for name in names)


def _splits(runs: Sequence[RunDetails]) -> tuple[ComparedSplit, ...]:
    found = [{one.split: one for one in run.record.splits} for run in runs]
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


def _split_order(name: str) -> tuple[int, str]:
    return (_SPLITS.index(name) if name in _SPLITS else len(_SPLITS), name)


def _scores(runs: Sequence[RunDetails], different: set[str]) -> tuple[ComparedScore, ...]:
    found = [
        {(one.task, one.split, one.type, one.name): one for one in run.scores if not one.structured} for run in runs
    ]
    keys = {run.record.metric_key for run in runs}

    def order(entry: tuple[str, str, str | None, str]) -> tuple[Any, ...]:
        task, split, type_, name = entry
        return task, _split_order(split), type_ is not None, type_ or "", name not in keys, name

    entries = sorted({entry for one in found for entry in one}, key=order)
    return tuple(
        _score(entry, [one.get(entry) for one in found], key=entry[3] in keys, comparable=entry[1] not in different)
        for entry in entries
    )


def _score(
    entry: tuple[str, str, str | None, str], row: Sequence[Figure | None], *, key: bool, comparable: bool
) -> ComparedScore:
    task, split, type_, name = entry
    numbers = [one.value if one else None for one in row]
    first = numbers[0]
    return ComparedScore(
        task=task,
        split=split,
        type=type_,
        name=name,
        key=key and type_ is None,
        comparable=comparable,
        values=tuple((one.value if one.text is None else one.text) if one else None for one in row),
        differences=tuple(None if first is None or number is None else number - first for number in numbers),
    )


def _notes(runs: Sequence[RunDetails], splits: Sequence[ComparedSplit]) -> Iterable[str]:
    for name in ("task", "metric", "metric_key"):
        if len({getattr(run.record, name) for run in runs}) > 1:
            what = {"task": "tasks", "metric": "metrics", "metric_key": "figures that choose the checkpoint"}[name]
            yield f"the {what} differ: {', '.join(str(getattr(run.record, name)) for run in runs)}"
    for split in splits:
        if split.differs and split.split != "train":
            yield f"the {split.split} data differ: {split.split} scores cannot be compared"
        elif split.differs:
            yield "the train data differ"

"""Reproduce a run from its record alone, and compare data, metrics and weights with the recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelkit.config.environment import Environment
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.suppliers import explain_missing_parts
from labelkit.registry import Home, Registry, RunDetails
from labelkit.registry.metric_rows import Figure
from labelkit.train.listeners import Listener
from labelkit.train.preparation import prepare
from labelkit.train.resumption import provenance_changes, recorded_request

#: what must be equal; versions, device and threads only explain differences
PARTS = ("data", "metrics", "weights")
#: parts of notes on what changes the order of floating-point sums
_EXPLAINING = ("out of memory with", "processes train together")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPart:
    """The comparison of one part of two runs.

    :param compared: how many values were compared; 0 where the comparison was impossible.
    :param differences: one line per differing value.
    """

    compared: int
    differences: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all values are equal."""
        return bool(self.compared) and not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The result of reproducing a run.

    :param run: the new run; None where data or encoder have changed, so that nothing was trained.
    :param repeats: the recorded run.
    :param versions: of labelkit, plugins, libraries, Python, and the device with its count or threads; also whether
        only one of the runs trained in several processes or ran out of memory.
    """

    run: str | None
    repeats: str
    data: ComparedPart
    versions: ComparedPart = ComparedPart(compared=0)
    metrics: ComparedPart = ComparedPart(compared=0)
    weights: ComparedPart = ComparedPart(compared=0)

    @property
    def differing(self) -> list[str]:
        """The parts that must be equal and are not."""
        return [name for name in PARTS if not getattr(self, name).agrees]

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        parts = {
            name: {"agrees": part.agrees, "compared": part.compared, "differences": part.differences}
            for name in ("data", "versions", "metrics", "weights")
            for part in [getattr(self, name)]
        }
        return {"run": self.run, "repeats": self.repeats, "agrees": not self.differing, **parts}


def reproduce(
    reference: str,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    on_stage: Callable[[str, str], object] = lambda stage, detail: None,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
) -> Reproduction:
    """Train a finished run again as a new one, and compare the two.

    Where the data or the encoder have changed nothing is trained.

    :param reference: of the recorded run.
    :param on_stage: called with the name and detail of each longer step.
    :raises LabelkitError: the run is unknown or not finished, or the new one failed.
    """
    before = _finished_run(reference, home)
    recorded = before.record
    with explain_missing_parts(catalog, recorded.suppliers):
        request = replace(recorded_request(before), name=None)
        prepared = prepare(request, catalog, environment, home, on_stage=on_stage)
    splits = prepared.split_records
    data = compare(
        {**{f"{one.split} data": one.content_hash for one in recorded.splits}, "encoder": recorded.model_sha256},
        {**{f"{one.split} data": one.content_hash for one in splits}, "encoder": prepared.encoder.sha256},
    )
    if not data.agrees:
        return Reproduction(run=None, repeats=recorded.id, data=data)
    on_stage("loading", "torch and transformers")
    from labelkit.train.run import train

    limited = prepared.plan.train.max_minutes is not None
    at_step = max((one.step for one in before.checkpoints), default=None) if limited else None
    note = f"repeats {recorded.id}"
    result = train(prepared, catalog, home, note=note, at_step=at_step, listeners=listeners, warn=warn)
    with Registry.open(home, create=False) as registry:
        after = registry.runs.get(result.run)
    return Reproduction(
        run=after.record.id,
        repeats=before.record.id,
        data=data,
        versions=compare_versions(before, after),
        metrics=compare(_metric_values(before), _metric_values(after)),
        weights=compare(_weight_hashes(before), _weight_hashes(after)),
    )


def _finished_run(reference: str, home: Home) -> RunDetails:
    """Return the record of a run.

    :raises LabelkitError: it is unknown or not finished.
    """
    with Registry.open(home, create=False) as registry:
        before = registry.runs.get(registry.runs.find(reference).id)
    if before.status == "adopted":
        raise LabelkitError(
            f"the run '{before.record.id}' is a model that was adopted: how it was trained is not recorded",
            hint="labelkit runs list --status finished shows runs that can be repeated",
        )
    if before.status != "finished":
        raise LabelkitError(
            f"the run '{before.record.id}' did not finish ({before.shown}): there is nothing to compare with",
            hint=f"labelkit run --resume {before.record.id} resumes it",
        )
    return before


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> ComparedPart:
    """Compare named values of two runs for equality, floats bit by bit."""
    missing = "missing"
    differences = tuple(
        f"{name} was {before.get(name, missing)}, now it is {after.get(name, missing)}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )
    return ComparedPart(compared=len(before), differences=differences)


def compare_versions(before: RunDetails, after: RunDetails) -> ComparedPart:
    """Compare versions and device of two runs, and what else explains different sums."""
    notes = [[note.text for note in run.notes] for run in (before, after)]
    explaining = [
        f"{when}: {text}"
        for when, texts, others in (("the first time", *notes), ("this time", *notes[::-1]))
        for text in dict.fromkeys(texts)
        if text not in others and any(part in text for part in _EXPLAINING)
    ]
    differences = (*provenance_changes(before.record, after.record), *explaining)
    return ComparedPart(compared=len(before.record.versions) + 5, differences=differences)


def _metric_values(run: RunDetails) -> dict[str, Any]:
    """Return all metrics of all steps, the training loss included; of several tasks those of each."""

    def task_of(one: Figure) -> str:
        return "" if one.task == run.record.task else f"{one.task}: "

    return {
        f"{task_of(one)}{one.split}{'' if one.type is None else f'.{one.type}'}.{one.name} at step {one.step}": (
            one.value if one.text is None else one.text
        )
        for one in run.metrics
    }


def _weight_hashes(run: RunDetails) -> dict[str, str]:
    """Return the SHA-256 of the weights of each checkpoint, deleted ones included."""
    return {
        f"{name} at step {one.step}": sha256
        for one in run.checkpoints
        for name, (_, sha256) in one.files.items()
        if name.endswith(".safetensors")
    }

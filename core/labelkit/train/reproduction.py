"""A recorded run trained again from its record alone, and what of it agrees with the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelkit.config.environment import Environment
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Figure, Home, Registry, RunDetails
from labelkit.train.listeners import Listener
from labelkit.train.preparation import PreparedRun, prepare
from labelkit.train.resumption import differences, recorded_request

#: what must agree; versions, processor and threads only explain why it does not
PARTS = ("data", "metrics", "weights")
_WEIGHTS = ".safetensors"
#: in notes of runs on what changes the order in which numbers are added up
_EXPLAINING = ("out of memory with", "processes train together")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPart:
    """Whether something is as it was the first time.

    :param compared: how many things were; 0 where it could not be asked.
    :param differences: one line for each that is not.
    """

    compared: int
    differences: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all that was compared is."""
        return bool(self.compared) and not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of a repetition.

    :param run: the new run; None where data or encoder are not what they were, and nothing was trained.
    :param repeats: the run that was repeated.
    :param versions: of labelkit, plugins, libraries, Python, and the device with its count or threads; also whether
        several processes trained, or memory did not suffice, only one of the two times.
    """

    run: str | None
    repeats: str
    data: ComparedPart
    versions: ComparedPart
    metrics: ComparedPart
    weights: ComparedPart

    @property
    def differing(self) -> list[str]:
        """The parts that must agree and do not."""
        return [name for name in PARTS if not getattr(self, name).agrees]

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        parts = {
            name: {"agrees": part.agrees, "compared": part.compared, "differences": part.differences}
            for name in ("data", "versions", "metrics", "weights")
            for part in [getattr(self, name)]
        }
        return {"run": self.run, "repeats": self.repeats, "agrees": not self.differing, **parts}


def repeat(
    reference: str,
    catalog: Catalog,
    environment: Environment,
    home: Home,
    *,
    say: Callable[[str, str], object] = lambda stage, detail: None,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
) -> Reproduction:
    """Train a run that finished again as a new one, and compare the two.

    Where the data or the encoder are not what they were nothing is trained: it would tell nothing.

    :param say: told the name and detail of each longer step.
    :raises LabelkitError: there is no such run, it did not finish, or what stopped the new one.
    """
    with Registry.open(home, create=False) as registry:
        before = registry.runs.get(registry.runs.find(reference).id)
    if before.status != "finished":
        raise LabelkitError(
            f"the run '{before.record.id}' did not finish ({before.shown}): there is nothing to compare with",
            hint=f"labelkit run --resume {before.record.id} goes on with it",
        )
    request = replace(recorded_request(before), name=None)
    prepared = prepare(request, catalog, environment, home, say=say)
    data = _data(before, prepared)
    if not data.agrees:
        nothing = ComparedPart(compared=0)
        return Reproduction(
            run=None, repeats=before.record.id, data=data, versions=nothing, metrics=nothing, weights=nothing
        )
    after = _again(before, prepared, catalog, home, say=say, listeners=listeners, warn=warn)
    return Reproduction(
        run=after.record.id,
        repeats=before.record.id,
        data=data,
        versions=_versions(before, after),
        metrics=_metrics(before, after),
        weights=_weights(before, after),
    )


def _again(
    before: RunDetails,
    prepared: PreparedRun,
    catalog: Catalog,
    home: Home,
    *,
    say: Callable[[str, str], object],
    **heard: Any,
) -> RunDetails:
    say("loading", "torch and transformers")
    from labelkit.train.run import train

    note = f"repeats {before.record.id}"
    limited = prepared.plan["train.max_minutes"] is not None
    at_step = max((one.step for one in before.checkpoints), default=None) if limited else None
    result = train(prepared, catalog, home, note=note, at_step=at_step, **heard)
    with Registry.open(home, create=False) as registry:
        return registry.runs.get(result.run)


def _data(before: RunDetails, prepared: PreparedRun) -> ComparedPart:
    """Compare the content of the splits, and the encoder to start from."""
    was: dict[str, str | None] = {f"{one.split} data": one.content_hash for one in before.record.splits}
    now: dict[str, str | None] = {f"{name} data": split.content_hash for name, split in prepared.corpus.splits.items()}
    was["encoder"], now["encoder"] = before.record.model_sha256, prepared.encoder.sha256
    return ComparedPart(compared=len(was), differences=tuple(_unequal(was, now)))


def _versions(before: RunDetails, after: RunDetails) -> ComparedPart:
    found = (*differences(before.record, after.record), *_happened(before, after))
    return ComparedPart(compared=len(before.record.versions) + 5, differences=found)


def _happened(before: RunDetails, after: RunDetails) -> Iterator[str]:
    """Yield what happened in one of the runs alone, and explains other sums."""
    was, now = ([note.text for note in run.notes] for run in (before, after))
    for when, texts, others in (("the first time", was, now), ("this time", now, was)):
        for text in dict.fromkeys(texts):
            if text not in others and any(part in text for part in _EXPLAINING):
                yield f"{when}: {text}"


def _metrics(before: RunDetails, after: RunDetails) -> ComparedPart:
    """Compare every figure of every step, the training loss too, to the last bit."""
    was, now = (
        {_name(one): one.value if one.text is None else one.text for one in run.metrics} for run in (before, after)
    )
    return ComparedPart(compared=len(was), differences=tuple(_unequal(was, now)))


def _name(figure: Figure) -> str:
    type_ = f".{figure.type}" if figure.type is not None else ""
    return f"{figure.split}{type_}.{figure.name} at step {figure.step}"


def _weights(before: RunDetails, after: RunDetails) -> ComparedPart:
    """Compare the SHA-256 of the weights of each checkpoint, also of those that were deleted since."""
    was, now = _hashes(before), _hashes(after)
    return ComparedPart(compared=len(was), differences=tuple(_unequal(was, now)))


def _hashes(run: RunDetails) -> dict[str, str]:
    return {
        f"{name} at step {one.step}": sha256
        for one in run.checkpoints
        for name, (_, sha256) in one.files.items()
        if name.endswith(_WEIGHTS)
    }


def _unequal(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*was, *now)):
        if was.get(name) != now.get(name):
            yield f"{name} was {was.get(name, 'not there')}, now it is {now.get(name, 'not there')}"

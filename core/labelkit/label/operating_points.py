"""Operating points: the score from which on the labels of a type are kept, chosen by precision or recall.

The thresholds come from the precision-recall curves of validation. A checkpoint holds those of its own validation
scores; of one without, ``labelkit evaluate --split validation`` records them in the registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from labelkit.errors import LabelkitError, ModelError, RegistryError, nearest
from labelkit.inference.scored_labels import types_of
from labelkit.labels.numbers import refuse_numbers
from labelkit.metrics import CURVES
from labelkit.metrics.threshold_curves import SplitCurves, TargetFigure, ThresholdCurve
from labelkit.models.checkpoint import RESTORE, CheckpointInfo
from labelkit.registry import Home

#: the split whose scores choose thresholds
SPLIT = "validation"
#: types in a note; further ones are counted
LISTED = 10
#: a threshold that fewer labels of validation reach is said to rest on few
FEW = 20
_HINT = "write precision=0.95 or recall=0.9, for one type PER:precision=0.95, several with commas"
_TARGET = re.compile(
    r"\s*(?:(?P<type>(?!(?:precision|recall)=).+?):)?(?P<figure>precision|recall)=(?P<value>[^,]*)(?:,|$)"
)


class OperatingTarget(NamedTuple):
    """The precision or the recall that thresholds are to reach on validation."""

    figure: TargetFigure
    value: float

    def __str__(self) -> str:
        return f"{self.figure} {self.value:g}"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The thresholds of the labels of a task.

    :param target: as the user wrote it.
    :param thresholds: type → the least score of a label that is kept; None where all labels of the type are left out.
        Types without a threshold keep all labels.
    :param notes: targets that are not reached, or rest on few labels, a line each.
    """

    target: str
    thresholds: Mapping[str, float | None]
    notes: tuple[str, ...] = ()


def parse_targets(text: str) -> dict[str | None, OperatingTarget]:
    """Return type → target of ``[TYPE:]precision=X`` or ``[TYPE:]recall=X``, several with commas; None: other types.

    >>> parse_targets("precision=0.9,PER:recall=0.8")
    {None: OperatingTarget(figure='precision', value=0.9), 'PER': OperatingTarget(figure='recall', value=0.8)}

    :raises LabelkitError: it is written in another way.
    """
    found: dict[str | None, OperatingTarget] = {}
    start = 0
    while start < len(text) or not found:
        match = _TARGET.match(text, start)
        if match is None:
            raise LabelkitError(f"invalid operating point '{text}'", hint=_HINT)
        type_, figure, value = match["type"], cast("TargetFigure", match["figure"]), match["value"].strip()
        number = float(value) if re.fullmatch(r"\d*\.?\d+|\d+\.", value) else 0.0
        if not 0 < number <= 1:
            raise LabelkitError(f"operating point: {figure}={value} is not above 0 and at most 1", hint=_HINT)
        if type_ in found:
            twice = "all types have" if type_ is None else f"'{type_}' has"
            raise LabelkitError(f"operating point: {twice} two targets", hint=_HINT)
        found[type_] = OperatingTarget(figure, number)
        start = match.end()
    return found


def find_operating_points(
    text: str, infos: Mapping[str, CheckpointInfo], home: Home, decoder: str | None = None
) -> dict[str, OperatingPoint]:
    """Return task → its operating point.

    :param text: the targets, see :func:`parse_targets`.
    :param infos: task → its checkpoint.
    :param decoder: the name of the decoder that labels; None for that of the checkpoint.
    :raises LabelkitError: the targets are invalid or name an unknown type, labels are numbers, or there are no
        precision-recall curves of validation.
    """
    targets = parse_targets(text)
    for info in infos.values():
        refuse_numbers(info.schema, "an operating point")
    known = [type_ for info in infos.values() for type_ in types_of(info.schema)]
    if unknown := [type_ for type_ in targets if type_ is not None and type_ not in known]:
        raise LabelkitError(f"operating point: unknown type '{unknown[0]}'", hint=nearest(str(unknown[0]), known))
    return {
        task: choose_thresholds(text, targets, info, find_curves(info, home, decoder)) for task, info in infos.items()
    }


def choose_thresholds(
    text: str, targets: Mapping[str | None, OperatingTarget], info: CheckpointInfo, curves: SplitCurves
) -> OperatingPoint:
    """Return the thresholds that reach the targets with the best other figure.

    All labels of a type that never reaches a precision are left out. Those of a type that never reaches a recall are
    kept.
    """
    thresholds: dict[str, float | None] = {}
    missed: dict[OperatingTarget, list[str]] = {}
    few = []
    for type_ in types_of(info.schema):
        target = targets.get(type_, targets.get(None))
        if target is None:
            continue
        curve = curves.per_type.get(type_)
        point = None if curve is None else curve.reaching(*target)
        if point is not None:
            thresholds[type_] = point.threshold
            if target.figure == "precision" and point.predicted < FEW:
                few.append(f"{type_} ({point.predicted})")
            continue
        missed.setdefault(target, []).append(f"{type_} ({_best(curve, target.figure)})")
        if target.figure == "precision":
            thresholds[type_] = None
        elif info.schema.multilabel and curve is not None and curve.thresholds:
            thresholds[type_] = curve.thresholds[-1]
    return OperatingPoint(text, thresholds, (*map(_missed_note, missed.items()), *_few_notes(few)))


def find_curves(info: CheckpointInfo, home: Home, decoder: str | None = None) -> SplitCurves:
    """Return the precision-recall curves of validation: of the checkpoint, or else of an evaluation in the registry.

    :param decoder: the name of the decoder that predicted the labels; None for that of the checkpoint.
    :raises LabelkitError: there are none, with the command that makes them.
    :raises ModelError: those of the checkpoint are damaged.
    """
    wanted = decoder or info.decoder
    own = info.metrics.get(SPLIT, {}).get(CURVES)
    if own is not None and wanted == info.decoder:
        try:
            return SplitCurves.from_json(own)
        except ValueError as error:
            raise ModelError(f"the checkpoint of run '{info.run}' is damaged: {error}", hint=RESTORE) from None
    recorded = _recorded_curves(info, home)
    for by, content in recorded or ():
        if by == wanted:
            return SplitCurves.from_json(content)
    option = "" if wanted == info.decoder else f" --decoder {wanted}"
    data = " --data validation=FILE" if info.adopted else ""
    hint = f"compute it: labelkit evaluate {info.run} --split {SPLIT}{option}{data}"
    if recorded is None:
        hint = "the run is not in this registry, where an evaluation could record it: label with its registry"
    what = f" by decoder '{wanted}'" if option else ""
    raise LabelkitError(f"run '{info.run}' has no precision-recall curve of {SPLIT}{what}", hint=hint)


def _recorded_curves(info: CheckpointInfo, home: Home) -> list[tuple[str, Any]] | None:
    """Return decoder and curves of evaluations of validation, the newest first; None if the run is unknown."""
    from labelkit.registry import Registry
    from labelkit.registry.task_view import details_of_task

    try:
        with Registry.open(home, create=False) as registry:
            details = details_of_task(registry.runs.get(info.run), info.task)
    except RegistryError:
        return None
    own = {one.content_hash for one in details.record.splits if one.split == SPLIT}
    made = [one for one in reversed(details.evaluations) if one.source == "evaluate" and one.split == SPLIT]
    # an adopted model has no validation data of its own
    found = [one.metrics for one in made if not own or one.content_hash in own]
    return [(metrics.get("decoder", info.decoder), metrics[CURVES]) for metrics in found if CURVES in metrics]


def points_to_json(points: Mapping[str, OperatingPoint]) -> dict[str, Any] | None:
    """Return the operating points of tasks for JSON; None where all labels are kept."""
    target = next((point.target for point in points.values()), None)
    thresholds = {task: dict(point.thresholds) for task, point in points.items()}
    return None if target is None else {"target": target, "thresholds": thresholds}


def point_line(points: Mapping[str, OperatingPoint]) -> str:
    """Return the operating points of tasks in a line: the threshold of each type."""
    target = next(point.target for point in points.values())
    chosen = [
        f"{type_} {'left out' if least is None else f'{least:.4f}'}"
        for point in points.values()
        for type_, least in point.thresholds.items()
    ]
    return f"operating point {target}: {_listed(chosen)}"


def _best(curve: ThresholdCurve | None, figure: TargetFigure) -> str:
    """Return in words what a type reaches."""
    if curve is None or (figure == "recall" and not curve.support):
        return "not in validation"
    return f"{curve.highest(figure):.4f} at most" if curve.thresholds else "never predicted"


def _missed_note(missed: tuple[OperatingTarget, Sequence[str]]) -> str:
    target, types = missed
    done = "their labels are left out" if target.figure == "precision" else "all their labels are kept"
    return f"{target} is not reached on {SPLIT} by {_listed(types)}: {done}"


def _few_notes(types: Sequence[str]) -> Iterator[str]:
    if types:
        few = f"fewer than {FEW} labels of {SPLIT} reach the threshold of {_listed(types)}"
        yield f"{few}: their precision is uncertain"


def _listed(types: Sequence[str]) -> str:
    more = f" and {len(types) - LISTED:,} more" if len(types) > LISTED else ""
    return ", ".join(types[:LISTED]) + more

"""Which annotations data is made of, which model pre-labelled them, and how often people corrected it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelkit.label_studio.label_config import RESULT_TYPES

#: types in a note
_SHOWN = 12


@dataclass(slots=True)
class Corrections:
    """How the predictions of one model became annotations, by label.

    :param kept: labels that people left as they were.
    :param removed: predicted labels that they removed or changed.
    :param added: labels that they added, or changed to.
    """

    texts: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)

    @property
    def agreement(self) -> float | None:
        """The share of predicted labels that were kept; None where nothing was predicted."""
        predicted = self.kept.total() + self.removed.total()
        return self.kept.total() / predicted if predicted else None

    def to_json(self) -> dict[str, Any]:
        """Return the counts by label, as a JSON document."""
        labels = sorted({*self.kept, *self.removed, *self.added})
        per_type = {
            one: {"kept": self.kept[one], "removed": self.removed[one], "added": self.added[one]} for one in labels
        }
        return {"texts": self.texts, "agreement": self.agreement, "per_type": per_type}

    def __str__(self) -> str:
        predicted = self.kept + self.removed
        if not predicted and not self.added:
            return "nothing was predicted, and nothing added"
        labels = [one for one, _ in (predicted + self.added).most_common()]
        shown = "; ".join(
            f"{one} {self.kept[one]:,} of {predicted[one]:,}"
            + (f", {self.added[one]:,} added" if self.added[one] else "")
            for one in labels[:_SHOWN]
        )
        share = (
            "" if self.agreement is None else f"people kept {self.agreement:.1%} of {predicted.total():,} labels, and "
        )
        more = f"; and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
        return f"{share}added {self.added.total():,} (kept: {shown}{more})"


@dataclass(slots=True)
class AnnotationProvenance:
    """The annotations that data is made of.

    :param annotations: task, id and time of each.
    :param corrections: model → how its predictions were corrected.
    """

    annotations: list[tuple[Any, Any, str]] = field(default_factory=list)
    corrections: dict[str, Corrections] = field(default_factory=dict)

    def add(self, task: Any, annotation: Mapping[str, Any]) -> None:
        """Add an annotation of Label Studio; its ``prediction`` is what it began with."""
        self.annotations.append((task, annotation.get("id"), str(annotation.get("updated_at") or "")))
        prediction = annotation.get("prediction")
        if not isinstance(prediction, Mapping) or not isinstance(prediction.get("result"), list):
            return
        model = str(prediction.get("model_version") or "an unnamed model")
        found = self.corrections.setdefault(model, Corrections())
        found.texts += 1
        before, after = _labels(prediction["result"]), _labels(annotation.get("result") or [])
        for counter, items in (
            (found.kept, before & after),
            (found.removed, before - after),
            (found.added, after - before),
        ):
            counter.update(str(item[-1]) for item in items.elements())

    def notes(self) -> list[str]:
        """Return a line on the annotations, and one for each model that pre-labelled some of them."""
        if not self.annotations:
            return []
        last = max(time for *_, time in self.annotations)
        latest = f", the latest of {last[:19].replace('T', ' ')}" if last else ""
        lines = [f"{len(self.annotations):,} annotations{latest}"]
        for model, found in self.corrections.items():
            lines.append(f"{found.texts:,} of them were pre-labelled by {model}: {found}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON document."""
        annotations = [{"task": task, "id": id_, "updated_at": time} for task, id_, time in self.annotations]
        models = {model: found.to_json() for model, found in self.corrections.items()}
        return {"annotations": annotations, "models": models}


def provenance_of(tasks: Iterable[Any]) -> AnnotationProvenance:
    """Return the provenance of tasks of an export; of each the annotations that were not cancelled."""
    found = AnnotationProvenance()
    for task in tasks:
        annotations = task.get("annotations") if isinstance(task, Mapping) else None
        for one in annotations if isinstance(annotations, list) else ():
            if isinstance(one, Mapping) and not one.get("was_cancelled") and one.get("id") is not None:
                found.add(task.get("id"), one)
    return found


def _labels(results: Iterable[Any]) -> Counter[tuple[Hashable, ...]]:
    """Return the labels of results, each with its tag, its place and its name at last."""
    found: Counter[tuple[Hashable, ...]] = Counter()
    for result in results:
        value = result.get("value") if isinstance(result, Mapping) else None
        type_ = result.get("type") if isinstance(result, Mapping) else None
        if not isinstance(value, Mapping) or type_ not in RESULT_TYPES:
            continue
        for label in value.get(type_) or ():
            found[str(result.get("from_name")), value.get("start"), value.get("end"), str(label)] += 1
    return found

"""The model card of a run, from its record alone: nothing is a placeholder, and nothing names this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from labelkit.models.checkpoint import CheckpointInfo
from labelkit.publish import card_sections
from labelkit.publish.card_text import merge_card
from labelkit.publish.names import data_name, model_name
from labelkit.registry import RunDetails, SplitRecord, nested
from labelkit.registry.task_view import details_of_task

#: scores of a whole split that the Hub shows, with the name of their metric there
LISTED = {"f1": "F1", "precision": "Precision", "recall": "Recall", "accuracy": "Accuracy", "macro_f1": "Macro F1"}
PIPELINES = {"token": "token-classification", "text": "text-classification"}


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the card of a run is made of.

    :param info: the content of its checkpoint's ``labelkit.json``; None where the checkpoint is gone.
    :param repository: where it is published; None for a card that only stays with the checkpoint.
    :param licence: of the model.
    :param language: of its texts, as codes.
    :param data_licences: name of a data source → its licence.
    :param onnx: the ONNX models beside it: path in the repository.
    """

    details: RunDetails
    info: CheckpointInfo | None = None
    repository: str | None = None
    licence: str | None = None
    language: Sequence[str] = ()
    data_licences: Mapping[str, str] = field(default_factory=dict)
    onnx: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The name of the model."""
        record = self.details.record
        return self.repository.rpartition("/")[2] if self.repository else record.name or record.id

    @property
    def reference(self) -> str:
        """What transformers opens it by: its id on the Hub, or the name of its folder."""
        return self.repository or self.name

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Split → task → scores of the checkpoint."""
        return nested(self.details.scores)

    @property
    def pipeline(self) -> str:
        """The name of its task on the Hub."""
        return PIPELINES[self.details.record.kind]

    def split(self, name: str) -> SplitRecord | None:
        """Return the record of a split; None if the run has none."""
        return next((one for one in self.details.record.splits if one.split == name), None)

    def of_task(self, task: str) -> RunDetails:
        """Return the run as one of ``task``; as it is where ``task`` names all of several tasks."""
        return self.details if task == self.details.record.task else details_of_task(self.details, task)

    @property
    def reported_split(self) -> str | None:
        """The split whose scores the Hub lists: test, unless its texts were trained or selected on."""
        return "test" if "test" in self.scores and not self.details.test_seen else None

    def metadata(self) -> dict[str, Any]:
        """Return the metadata that the Hub reads."""
        from huggingface_hub import ModelCardData

        hub_data = sorted({name for one in self.details.record.splits if (name := data_name(one.ref).hub)})
        results = self._results()
        given = {
            "language": list(self.language) or None,
            "license": self.licence,
            "library_name": "transformers",
            "pipeline_tag": self.pipeline,
            "base_model": model_name(self.details)[1],
            "datasets": hub_data or None,
            "metrics": list(dict.fromkeys(one.metric_type for one in results)) or None,
            "tags": ["labelkit", *self.details.record.task.split("+")],
        }
        data = ModelCardData(**given, model_name=self.name, eval_results=results or None)  # type: ignore[arg-type]
        found: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
        return {name: value for name, value in found.items() if value is not None}

    def body(self) -> str:
        """Return the text of the card as Markdown."""
        return card_sections.body(self)

    def text(self, existing: str | None = None, *, force: bool = False) -> str:
        """Return the whole card, with the own text and further metadata of an existing one.

        :param force: replace generated text of the existing card that was edited.
        :raises LabelkitError: the existing card is invalid, or was edited outside of its markers.
        """
        return merge_card(self.metadata(), self.body(), existing, force=force)

    def _results(self) -> list[Any]:
        """Return the scores that the Hub lists."""
        from huggingface_hub import EvalResult

        split = self.reported_split
        if split is None:
            return []
        found = []
        for task, figures in self.scores[split].items():
            of_task = replace(self, details=self.of_task(task))
            if (record := of_task.split(split)) is None:
                continue
            data, pipeline = data_name(record.ref), of_task.pipeline
            several = [task] if len(self.scores[split]) > 1 else []
            for key, shown in LISTED.items():
                if isinstance(value := figures.get(key), int | float):
                    how = [str(figures[one]) for one in ("scheme", "mode") if figures.get(one)]
                    scorer = ", ".join([*several, of_task.details.record.metric, *how])
                    found.append(
                        EvalResult(
                            task_type=pipeline,
                            task_name=pipeline.replace("-", " ").title(),
                            dataset_type=data.hub or data.name,
                            dataset_name=data.name + (" (synthetic)" if self.details.record.synthetic else ""),
                            dataset_split=split,
                            dataset_revision=data.revision,
                            metric_type=key.removeprefix("macro_"),
                            metric_value=round(float(value), 6),
                            metric_name=f"{shown} ({scorer})",
                        )
                    )
        return found

"""The entity scores as an ``evaluate.Metric``, shipped with labelkit so that nothing is downloaded.

Importing this module imports ``evaluate``, and with it torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from labelkit.metrics.chunks import Mode
from labelkit.metrics.entities import entity_scores
from labelkit.records import Scheme

Tags = Sequence[Sequence[str]]


class Entities(evaluate.Metric):  # type: ignore[misc]
    """Precision, recall, F1 and support of entities: ``Entities(keep_in_memory=True).compute(…)``.

    ``compute`` takes ``scheme``, the tagging scheme, and ``mode``: ``"default"`` (the CoNLL scorer's) or ``"strict"``.
    """

    def _info(self) -> evaluate.MetricInfo:
        tags = datasets.Sequence(datasets.Value("string"))
        return evaluate.MetricInfo(
            description="Entity-level scores: seqeval's, in its default or its strict mode.",
            citation="",
            inputs_description="predictions and references: one list of tags per sentence",
            features=datasets.Features({"predictions": tags, "references": tags}),
        )

    def _compute(
        self, *, predictions: Tags, references: Tags, scheme: Scheme = "IOB2", mode: Mode = "default"
    ) -> dict[str, Any]:
        gold, predicted = ([tuple(tags) for tags in rows] for rows in (references, predictions))
        return entity_scores(gold, predicted, scheme, mode)

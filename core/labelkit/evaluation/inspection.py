"""Inspect gold data with a labeller: its mistakes, and the likely label errors of the annotators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelkit.data.gold import Gold
from labelkit.evaluation.cross_validation import CrossValidation, cross_val_predict
from labelkit.evaluation.error_analysis import ErrorAnalysis, analyse_errors, kind_name
from labelkit.evaluation.label_errors import LabelQuality, rank_label_sets, rank_labels
from labelkit.evaluation.label_review import LabelError, find_label_errors
from labelkit.evaluation.recorded_data import record_test_inspection, recorded_hashes
from labelkit.events import CheckpointSaved, Event, RunStarted
from labelkit.records import Labels, Schema
from labelkit.records.html import html_table

if TYPE_CHECKING:
    from labelkit.inference.engine import WordScores
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Mistakes and likely label errors in gold data.

    :param layer: of the gold labels, in ``schema``.
    :param predicted: the predicted labels, in the order of the examples.
    :param confidence: of each example, the calibrated probability of the predicted label of each word (or of the
        text), float32 of shape (words,); None where a text may have several labels.
    """

    gold: Gold
    layer: str
    schema: Schema
    analysis: ErrorAnalysis
    quality: LabelQuality
    label_errors: Sequence[LabelError]
    predicted: Sequence[Labels]
    confidence: Sequence[NDArray[np.float32]] | None = None

    def _repr_html_(self) -> str:
        """Return the kinds of mistakes and the most frequent ones as tables for notebooks."""
        kinds = html_table(("mistakes", self.gold.split), [(kind_name(k), n) for k, n in self.analysis.kinds.items()])
        frequent = [(one.text, one.gold, one.predicted, one.count) for one in self.analysis.frequent[:10]]
        errors = [(one.text, one.given, one.suggested, one.chance) for one in self.label_errors[:10]]
        return (
            kinds
            + html_table(("most frequent", "gold", "predicted", "times"), frequent)
            + html_table(("likely label errors", "given", "suggested", "probability"), errors)
        )

    @classmethod
    def of(cls, labeller: Labeller, gold: Gold, found: WordScores) -> Inspection:
        """Return the inspection of gold data.

        :param found: calibrated scores of its words, by a model that was not trained on them.
        """
        from labelkit.inference.label_ids import LabelSequences, gold_ids

        layer, schema = labeller.info.layer, labeller.info.schema
        ids = labeller.decode(found)
        predicted = LabelSequences(ids, found.lengths, schema)
        labels, _ = gold_ids(gold.examples, layer, schema)
        several = schema.multilabel
        quality = (rank_label_sets if several else rank_labels)(found.values, labels, schema)
        decisions = found.lengths * len(schema.labels) if several else found.lengths
        ends = np.cumsum(found.lengths)
        return cls(
            gold=gold,
            layer=layer,
            schema=schema,
            analysis=analyse_errors(gold.examples, layer, predicted, schema),
            quality=quality,
            label_errors=find_label_errors(quality, gold.examples, decisions),
            predicted=predicted,
            confidence=None if several else np.split(np.exp(found.values[np.arange(len(ids)), ids]), ends[:-1]),
        )


def inspect_split(labeller: Labeller, gold: Gold, details: RunDetails | None, home: Home, say: Say) -> Inspection:
    """Inspect gold data with a run's checkpoint; inspecting the run's test split is recorded as a scoring of it.

    :param details: None for a checkpoint that is not in the registry.
    """
    from labelkit.inference.calibration import apply_temperature

    if gold.split == "train":
        say("note: the labeller was trained on train, so its mistakes there are few: --train cross-validates")
    if details is not None and gold.content_hash in recorded_hashes(details, "test"):
        say(
            "note: this is the test split, and its inspection is counted:"
            " after training decisions based on it, it is no longer a test"
        )
    found, _ = labeller.scores(gold.examples)
    if details is not None and (error := record_test_inspection(details, gold, home, "errors")):
        say(f"note: not recorded: {error.message}")
    calibrated = replace(found, values=apply_temperature(found.values, labeller.info.temperature))
    return Inspection.of(labeller, gold, calibrated)


def inspect_train(
    labeller: Labeller,
    work: CrossValidation,
    catalog: Catalog,
    home: Home,
    *,
    show: Callable[[Event], None],
    say: Say,
) -> Inspection:
    """Inspect the train split of a run by cross-validation.

    :param show: a listener to the events of the trainings.
    """
    found = cross_val_predict(work, catalog, home, listeners=[hide_run_names(show)], say=say)
    return Inspection.of(labeller, work.gold, found)


def hide_run_names(show: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return a listener that calls ``show``, but for events that name a run or its files, which are temporary."""

    def listener(event: Event) -> None:
        if not isinstance(event, CheckpointSaved | RunStarted):
            show(event)

    return listener

"""Collect the contents of a report: read the data of a run again, and label validation with its checkpoint.

The test split is never labelled, since each inspection of it is counted: its predictions are the recorded ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.summary import SplitSummary, summarise_split
from labelkit.errors import LabelkitError
from labelkit.evaluation.comparison import CLOSE
from labelkit.evaluation.recorded_data import gold_split, read_run_corpus, run_metrics
from labelkit.evaluation.train_mentions import TrainMentions, train_mentions
from labelkit.labels.numbers import refuse_numbers
from labelkit.metrics.unknown_labels import known_part
from labelkit.records import Predictions, Schema
from labelkit.registry import nested
from labelkit.report.contents import ReportContents, SplitPredictions, recorded_schema
from labelkit.report.recorded_predictions import LAYER, RecordedPredictions, recorded_predictions

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

#: the splits whose errors are shown, and the one that may be labelled again for it
INSPECTED, RELABELLED = ("validation", "test"), "validation"
Say = Callable[[str], object]


def collect(details: RunDetails, catalog: Catalog, environment: Environment, home: Home, say: Say) -> ReportContents:
    """Return what is known of a run, and why the rest is unknown.

    :param say: is called before something slow.
    """
    corpus, unread = None, "the run recorded no data"
    if details.record.splits:
        try:
            corpus = read_run_corpus(details, catalog, environment, home)
        except LabelkitError as error:
            unread = f"the data of the run cannot be read: {error.message}"
    schema = recorded_schema(details.record.schema)
    collector = _Collector(details, catalog, environment, home, say, schema, corpus, unread)
    recorded = list(recorded_predictions(details, schema)) if schema else []
    predictions, unpredicted = {}, {}
    for split in INSPECTED:
        try:
            files = [found for name, found in recorded if name == split]
            predictions[split] = collector.predictions(split, files)
        except LabelkitError as error:
            unpredicted[split] = error.message + (f"; {error.hint}" if error.hint else "")
    summaries, missing = collector.summaries()
    return ReportContents(
        details=details,
        schema=schema,
        summaries=summaries,
        unread=missing,
        predictions=predictions,
        unpredicted=unpredicted,
        card=_card(details, catalog),
    )


def _card(details: RunDetails, catalog: Catalog) -> str:
    """Return the model card of a run, without its metadata; empty if it has no scores or its checkpoint is damaged."""
    from labelkit.publish.push import card_of_run

    if not details.scores:
        return ""
    try:
        return card_of_run(details, catalog).body()
    except LabelkitError:
        return ""


@dataclass(frozen=True)
class _Collector:
    """The steps of :func:`collect`.

    :param unread: why ``corpus`` is None.
    """

    details: RunDetails
    catalog: Catalog
    environment: Environment
    home: Home
    say: Say
    schema: Schema | None
    corpus: Corpus | None
    unread: str

    def summaries(self) -> tuple[dict[str, SplitSummary], dict[str, str]]:
        """Return the summaries of splits, and why the other splits have none."""
        found: dict[str, SplitSummary] = {}
        missing: dict[str, str] = {}
        for one in self.details.record.splits:
            split = self.corpus.splits.get(one.split) if self.corpus else None
            if self.corpus is None:
                missing[one.split] = self.unread
            elif split is None or split.content_hash != one.content_hash:
                missing[one.split] = f"the {one.split} data has changed since the run"
            else:
                found[one.split] = summarise_split(split, self.corpus.layer, self.corpus.schema)
        return found, missing

    def predictions(self, split: str, files: list[RecordedPredictions]) -> SplitPredictions:
        """Return the predictions for a split: from a file, or else, except for test, of the checkpoint.

        :raises LabelkitError: there are none, with the reason.
        """
        if split not in {one.split for one in self.details.record.splits}:
            raise LabelkitError(f"the run has no {split} split")
        if self.schema is not None:
            refuse_numbers(self.schema, "a list of errors")
        for recorded in files:
            figures = self.score(recorded)
            if not score_difference(self.details, split, figures):  # else another decoder made them
                return SplitPredictions(
                    source=f"as recorded in {recorded.path}",
                    examples=recorded.examples,
                    layer=LAYER,
                    predicted=recorded.predicted,
                    schema=recorded.schema,
                    figures=figures,
                )
        if split != RELABELLED:
            run = self.details.record.name or self.details.record.id
            raise LabelkitError(
                f"a report does not label {split}, since each inspection is counted, and no predictions are recorded",
                hint=f"labelkit evaluate {run} --split {split} -o {split}.jsonl records them, and counts",
            )
        return self.label_again(split)

    def score(self, recorded: RecordedPredictions) -> Mapping[str, Any]:
        """Return the scores of predictions of a file."""
        from labelkit.metrics.scoring import score

        given = Predictions(
            references=[example.labels[LAYER] for example in recorded.examples],
            predictions=recorded.predicted,
            schema=recorded.schema,
            examples=recorded.examples,
            train_mentions=self._train_mentions(recorded.schema),
        )
        return score(run_metrics(self.details.record.task, self.details, self.catalog), known_part(given))

    def label_again(self, split: str) -> SplitPredictions:
        """Return the predictions of the selected checkpoint for a split."""
        from labelkit.evaluation.evaluation import evaluate
        from labelkit.label.labeller import Labeller
        from labelkit.models.checkpoint import read_checkpoint

        folder = best_checkpoint(self.details)
        if self.corpus is None:
            raise LabelkitError(self.unread)
        gold = gold_split(self.corpus, self.details, split)
        read_checkpoint(folder, self.details.best.files if self.details.best else None)
        self.say(f"labelling {split} with the checkpoint ({len(gold.examples):,} examples)")
        labeller = Labeller.open(str(folder), self.home, self.catalog, engine="torch", task=self.details.record.task)
        metrics = run_metrics(self.details.record.task, self.details, self.catalog)
        mentions = self._train_mentions(labeller.info.schema)
        result = evaluate(labeller, gold, metrics, train_mentions=mentions)
        return SplitPredictions(
            source="of the selected checkpoint",
            examples=gold.examples,
            layer=labeller.info.layer,
            predicted=result.predicted,
            schema=labeller.info.schema,
            figures=result.figures,
            note=score_difference(self.details, split, result.figures),
        )

    def _train_mentions(self, schema: Schema) -> TrainMentions | None:
        best = self.details.best
        folder = best.folder if best and best.folder else self.home.runs / self.details.record.id
        return train_mentions(folder, schema.kind, self.details, self.catalog, self.environment, self.home)


def best_checkpoint(details: RunDetails) -> Path:
    """Return the folder of the selected checkpoint.

    :raises LabelkitError: it is not on this machine, with the reason.
    """
    best = details.best
    if best is None:
        had = any(one.best for one in details.checkpoints)
        raise LabelkitError("the selected checkpoint was deleted" if had else "the run has no checkpoint")
    if best.folder is None:
        raise LabelkitError(f"the checkpoint is {best.place}", hint="write the report there")
    if not best.folder.is_dir():
        raise LabelkitError(f"the checkpoint is missing: {best.folder} does not exist")
    return best.folder


def score_difference(details: RunDetails, split: str, figures: Mapping[str, Any]) -> str:
    """Return in words how the score that selects checkpoints differs from the recorded one; empty if it does not."""
    key = details.record.metric_key
    recorded = nested(details.scores).get(split, {}).get(details.record.task, {}).get(key)
    value = figures.get(key)
    if not isinstance(recorded, float) or not isinstance(value, int | float) or abs(value - recorded) <= CLOSE:
        return ""
    return f"{key} is {value:.4f} now, and {recorded:.4f} was recorded"

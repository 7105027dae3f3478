"""Bring together what a report is made of: files are read here, and a checkpoint labels validation again.

Test is another matter. Each look at it is counted, so a report takes what is recorded and never labels it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.summary import SplitSummary, summarise_split
from labelkit.errors import LabelkitError
from labelkit.evaluate.comparison import CLOSE
from labelkit.evaluate.recorded_data import run_metrics
from labelkit.records import Predictions, Schema
from labelkit.registry import nested
from labelkit.report.contents import ReportContents, SplitPredictions, schema_of
from labelkit.report.recorded_predictions import LAYER, RecordedPredictions, recorded_predictions

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

#: the splits whose mistakes are shown, and the one that may be labelled again for it
LOOKED_AT, AGAIN = ("validation", "test"), "validation"
Say = Callable[[str], object]


@dataclass(frozen=True)
class _Work:
    """What all steps need.

    :param unread: why the data cannot be read; else empty.
    """

    details: RunDetails
    catalog: Catalog
    home: Home
    say: Say
    schema: Schema | None
    corpus: Corpus | None
    unread: str
    recorded: dict[str, list[RecordedPredictions]] = field(default_factory=dict)


def collect(details: RunDetails, catalog: Catalog, environment: Environment, home: Home, say: Say) -> ReportContents:
    """Return all that can be found out about a run, and why the rest cannot.

    :param say: told what takes a while.
    """
    corpus, unread = _corpus(details, catalog, environment, home)
    schema = schema_of(details.record.schema)
    work = _Work(details, catalog, home, say, schema, corpus, unread)
    for split, found in recorded_predictions(details, schema) if schema else ():
        work.recorded.setdefault(split, []).append(found)
    judged, unjudged = {}, {}
    for split in LOOKED_AT:
        try:
            judged[split] = _judged(work, split)
        except LabelkitError as error:
            unjudged[split] = error.message + (f"; {error.hint}" if error.hint else "")
    summaries, changed = _summaries(work)
    return ReportContents(
        details=details, schema=schema, summaries=summaries, unread=changed, judged=judged, unjudged=unjudged
    )


def _corpus(details: RunDetails, catalog: Catalog, environment: Environment, home: Home) -> tuple[Corpus | None, str]:
    """Return the data of a run, or why it cannot be read."""
    from labelkit.evaluate.recorded_data import read_run_corpus

    if not details.record.splits:
        return None, "the run recorded no data"
    try:
        return read_run_corpus(details, catalog, environment, home), ""
    except LabelkitError as error:
        return None, f"the data of the run cannot be read: {error.message}"


def _summaries(work: _Work) -> tuple[dict[str, SplitSummary], dict[str, str]]:
    """Return the splits in figures, and why those that are left out have none."""
    found: dict[str, SplitSummary] = {}
    missing: dict[str, str] = {}
    for one in work.details.record.splits:
        split = work.corpus.splits.get(one.split) if work.corpus else None
        if work.corpus is None:
            missing[one.split] = work.unread
        elif split is None or split.content_hash != one.content_hash:
            missing[one.split] = f"the {one.split} data has changed since the run"
        else:
            found[one.split] = summarise_split(split, work.corpus.layer, work.corpus.schema.scheme)
    return found, missing


def _judged(work: _Work, split: str) -> SplitPredictions:
    """Return the predictions for a split: recorded ones, else those of the checkpoint, but for test.

    :raises LabelkitError: there are none, with the reason.
    """
    if split not in {one.split for one in work.details.record.splits}:
        raise LabelkitError(f"the run has no {split} split")
    for recorded in work.recorded.get(split, ()):
        if found := _from_file(work, split, recorded):
            return found
    if split != AGAIN:
        run = work.details.record.name or work.details.record.id
        raise LabelkitError(
            f"a report does not label {split} again, since each look at it is counted, and no predictions are recorded",
            hint=f"labelkit evaluate {run} --split {split} -o {split}.jsonl records them, and counts",
        )
    return _again(work, split)


def _from_file(work: _Work, split: str, recorded: RecordedPredictions) -> SplitPredictions | None:
    """Return predictions of a file; None where they do not give the recorded score: another decoder made them."""
    from labelkit.metrics.scoring import score

    assert work.schema is not None  # else nothing was read
    references = [example.labels[LAYER] for example in recorded.examples]
    predictions = Predictions(references=references, predictions=recorded.predicted, schema=work.schema)
    figures = score(run_metrics(work.details.record.task, work.details, work.catalog), predictions)
    if difference(work.details, split, figures):
        return None
    return SplitPredictions(
        source=f"as recorded in {recorded.path}",
        examples=recorded.examples,
        layer=LAYER,
        predicted=recorded.predicted,
        schema=work.schema,
        figures=figures,
    )


def _again(work: _Work, split: str) -> SplitPredictions:
    """Have the chosen checkpoint label a split."""
    from labelkit.evaluate.evaluation import evaluate
    from labelkit.evaluate.recorded_data import gold_split
    from labelkit.label.labeller import Labeller
    from labelkit.models.checkpoint import read_checkpoint

    best = _best(work.details)
    if work.corpus is None:
        raise LabelkitError(work.unread)
    gold = gold_split(work.corpus, work.details, split)
    read_checkpoint(best, work.details.best.files if work.details.best else None)
    work.say(f"labelling {split} with the checkpoint ({len(gold.examples):,} examples)")
    labeller = Labeller.open(str(best), work.home, work.catalog)
    outcome = evaluate(labeller, gold, run_metrics(work.details.record.task, work.details, work.catalog))
    schema = labeller.info.schema
    return SplitPredictions(
        source="made anew by the chosen checkpoint",
        examples=gold.examples,
        layer=labeller.info.layer,
        predicted=outcome.predicted,
        schema=schema,
        figures=outcome.figures,
        note=difference(work.details, split, outcome.figures),
    )


def _best(details: RunDetails) -> Path:
    """Return the folder of the chosen checkpoint.

    :raises LabelkitError: there is none here, with the reason.
    """
    best = details.best
    if best is None:
        had = any(one.best for one in details.checkpoints)
        raise LabelkitError("the chosen checkpoint was deleted" if had else "the run has no checkpoint")
    if best.folder is None:
        raise LabelkitError(f"the checkpoint is {best.place}", hint="ask for the report there")
    if not best.folder.is_dir():
        raise LabelkitError(f"the checkpoint is gone: {best.folder} does not exist")
    return best.folder


def difference(details: RunDetails, split: str, figures: Mapping[str, Any]) -> str:
    """Say how the deciding figure of a split differs from the recorded one; empty where it does not."""
    key = details.record.metric_key
    recorded = nested(details.scores).get(split, {}).get(details.record.task, {}).get(key)
    made = figures.get(key)
    if not isinstance(recorded, float) or not isinstance(made, int | float) or abs(made - recorded) <= CLOSE:
        return ""
    return f"{key} is {made:.4f} now, and {recorded:.4f} was recorded"

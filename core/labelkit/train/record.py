"""The registry record of a run that is about to start."""

from __future__ import annotations

from dataclasses import asdict

import labelkit
from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus
from labelkit.hardware import Hardware
from labelkit.plugins.catalog import Catalog
from labelkit.registry import AssumptionRecord, PlanValue, RunRecord, SplitRecord
from labelkit.train import provenance
from labelkit.train.preparation import PreparedRun


def run_record(
    run: str, plan: Plan, device: Hardware, prepared: PreparedRun, catalog: Catalog, group: str | None
) -> RunRecord:
    """Return the record of a run.

    :param run: its id.
    :param plan: with its automatic settings resolved.
    :param group: of runs that differ in their seed.
    """
    commit, corpus = provenance.git_commit(), prepared.corpus
    suppliers = plan.suppliers(catalog, corpus.formats)
    libraries = (*provenance.LIBRARIES, *(() if plan.train.lora_rank is None else ("peft",)))
    metric = plan.metrics[0]
    return RunRecord(
        id=run,
        name=plan.name,
        group=group,
        task=plan.task.name,
        kind=plan.task.kind,
        data=plan.settings.reference,
        model=plan.settings.model,
        model_revision=prepared.encoder.revision,
        model_sha256=prepared.encoder.sha256,
        metric=metric.name,
        metric_key=metric.key,
        higher_is_better=metric.higher_is_better,
        labelkit=labelkit.__version__,
        seed=plan.train.seed,
        synthetic=corpus.synthetic,
        recipe=plan.recipe,
        device_type=device.type,
        device_name=device.name,
        device_count=device.count,
        driver=device.driver,
        precision=plan.train.precision,
        git_commit=commit.sha,
        git_dirty=commit.dirty,
        schema=asdict(corpus.schema),
        plan=tuple(PlanValue.of(key, value, origin) for key, (value, origin) in plan.entries().items()),
        versions=provenance.versions(suppliers, libraries),
        suppliers=suppliers,
        splits=split_records(corpus),
        assumptions=tuple(
            AssumptionRecord(number=number, text=text)
            for number, text in enumerate((*corpus.assumptions, *map(AssumptionRecord.note, corpus.notes)), start=1)
        ),
    )


def split_records(corpus: Corpus) -> tuple[SplitRecord, ...]:
    """Return the records of the splits of a corpus."""
    return tuple(
        SplitRecord(
            split=split.name,
            ref=split.ref,
            content_hash=split.content_hash,
            examples=len(split.examples),
            words=split.words,
            carved=split.held_out,
        )
        for split in corpus.splits.values()
    )

"""The registry record of a run that is about to start."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import labelkit
from labelkit.hardware import Hardware
from labelkit.plugins.catalog import Catalog
from labelkit.registry import AssumptionRecord, PlanValue, RunRecord
from labelkit.train import provenance
from labelkit.train.preparation import PreparedRun
from labelkit.train.scoring import Selection


def run_record(run: str, device: Hardware, prepared: PreparedRun, catalog: Catalog, group: str | None) -> RunRecord:
    """Return the record of a run.

    :param run: its id.
    :param prepared: with its automatic settings resolved.
    :param group: of runs that differ in their seed.
    """
    commit, plan = provenance.git_commit(), prepared.plan
    suppliers = tuple(
        dict.fromkeys(one for part in prepared.of_tasks for one in part.plan.suppliers(catalog, part.corpus.formats))
    )
    libraries = (*provenance.LIBRARIES, *(() if plan.train.lora_rank is None else ("peft",)))
    selection = Selection.of([one.plan for one in prepared.of_tasks])
    return RunRecord(
        id=run,
        name=plan.name,
        group=group,
        task=prepared.task,
        kind=plan.task.kind,
        data=prepared.data,
        model=plan.settings.model,
        model_revision=prepared.encoder.revision,
        model_sha256=prepared.encoder.sha256,
        metric=selection.metric,
        metric_key=selection.key,
        higher_is_better=selection.higher_is_better,
        labelkit=labelkit.__version__,
        seed=plan.train.seed,
        synthetic=prepared.synthetic,
        recipe=plan.recipe,
        device_type=device.type,
        device_name=device.name,
        device_count=device.count,
        driver=device.driver,
        precision=plan.train.precision,
        git_commit=commit.sha,
        git_dirty=commit.dirty,
        schema=_schema(prepared),
        plan=tuple(PlanValue.of(key, value, origin) for key, (value, origin) in prepared.entries.items()),
        versions=provenance.versions(suppliers, libraries),
        suppliers=suppliers,
        splits=prepared.split_records,
        assumptions=tuple(
            AssumptionRecord(number=number, text=text)
            for number, text in enumerate((*prepared.assumptions, *map(AssumptionRecord.note, prepared.notes)), start=1)
        ),
    )


def _schema(prepared: PreparedRun) -> dict[str, Any]:
    """Return the schema of the run; of several tasks that of the first, with those of all by their task."""
    schema = asdict(prepared.corpus.schema)
    if prepared.others:
        schema["tasks"] = {task: asdict(corpus.schema) for task, corpus in prepared.corpora.items()}
    return schema

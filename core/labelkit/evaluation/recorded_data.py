"""Read the data of a recorded run again, and record what its checkpoint scores on gold data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelkit.data.gold import Gold
from labelkit.data.views import map_examples
from labelkit.errors import LabelkitError
from labelkit.records import Context, Example, Metric
from labelkit.settings import DataSettings

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.models.checkpoint import CheckpointInfo, Supplier
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, Registry, RunDetails

#: the command that evaluates or inspects
Source = Literal["evaluate", "onnx", "errors", "compare"]


def read_run_corpus(details: RunDetails, catalog: Catalog, environment: Environment, home: Home) -> Corpus:
    """Return the splits of a run, read by its recorded plan; a validation split held out from train included.

    :raises LabelkitError: the data cannot be read any more.
    """
    from labelkit.train.corpora import read_recorded_corpus

    return read_recorded_corpus(details, catalog, environment, home)


def recorded_data_settings(details: RunDetails) -> DataSettings:
    """Return the settings by which a run read its data."""
    from labelkit.settings import SETTINGS
    from labelkit.train.resumption import recorded_request

    overrides = recorded_request(details).overrides
    own = {key: value for key, (value, _) in overrides.items() if key.startswith("data.") and key in SETTINGS}
    return DataSettings(**{key.removeprefix("data."): value for key, value in own.items()})


def find_details(run: str, home: Home, task: str | None = None) -> RunDetails | None:
    """Return the record of the run with the id ``run``; None if it is not in the registry.

    :param task: of a run of several tasks the one whose part is returned; None for the first.
    """
    from labelkit.errors import RegistryError
    from labelkit.registry import Registry
    from labelkit.registry.task_view import details_of_task

    with Registry.open(home, create=False) as registry:
        try:
            details = registry.runs.get(run)
        except RegistryError:
            return None
    return details_of_task(details, task)


def gold_split(corpus: Corpus, details: RunDetails, split: str) -> Gold:
    """Return a split of the corpus of a run as gold data, checked against the content hash that the run recorded.

    :raises LabelkitError: the run has no such split, or the data has changed since.
    """
    if split not in corpus.splits:
        raise LabelkitError(
            f"the run '{details.record.id}' has no {split} split", hint=f"it has: {', '.join(corpus.splits)}"
        )
    check_unchanged(corpus, details, split)
    found = corpus.splits[split]
    return Gold(
        split=split,
        examples=without_surfaces(found.examples),
        ref=found.ref,
        content_hash=found.content_hash,
        assumptions=corpus.assumptions,
    )


def check_unchanged(corpus: Corpus, details: RunDetails, *splits: str) -> None:
    """Raise an error if the content hash of a split, where there is one, is not the one that the run recorded.

    :raises LabelkitError: it is not.
    """
    for split in splits:
        if split in corpus.splits and corpus.splits[split].content_hash not in recorded_hashes(details, split):
            raise LabelkitError(
                f"the {split} data of run '{details.record.id}' has changed since the run",
                hint="restore the old data, or give gold data: --data REF",
            )


def recorded_hashes(details: RunDetails, *splits: str) -> set[str]:
    """Return the content hashes that a run recorded of some of its splits."""
    return {one.content_hash for one in details.record.splits if one.split in splits}


def without_surfaces(examples: Sequence[Example]) -> Sequence[Example]:
    """Return examples without the output of preprocessors, which a labeller applies itself."""
    return map_examples(examples, lambda example: replace(example, surface=None))


def recorded_plugin_settings(details: RunDetails, catalog: Catalog) -> dict[str, Any]:
    """Return key → value of the recorded settings of plugins, as far as a plugin still declares them."""
    from labelkit.config.plugin_settings import plugin_settings, validate_setting
    from labelkit.train.resumption import recorded_request

    overrides, known = recorded_request(details).overrides, plugin_settings(catalog)
    return {key: validate_setting(key, value, catalog) for key, (value, _) in overrides.items() if key in known}


def recorded_context(details: RunDetails, catalog: Catalog) -> Context:
    """Return a context for functions of plugins, with the settings that a run recorded.

    :raises LabelkitError: a plugin no longer takes a recorded value.
    """
    from labelkit.config.plugin_settings import setting_objects

    return Context(plugin_settings=setting_objects(catalog, recorded_plugin_settings(details, catalog)))


def recorded_head(details: RunDetails | None) -> str:
    """Return the name of the head that a run recorded; empty where it recorded none."""
    recorded = {one.key: one.text for one in details.record.plan} if details else {}
    return recorded.get("train.head", "")


def metrics_of_head(name: str, catalog: Catalog) -> tuple[str, ...]:
    """Return the names of the metrics that fit a head; none where those of the task fit."""
    head = catalog.heads.get(name)
    return head.metrics if head else ()


def run_metrics(
    task: str,
    details: RunDetails | None,
    catalog: Catalog,
    suppliers: Sequence[Supplier] = (),
    ctx: Context | None = None,
    head: str | None = None,
) -> list[Metric]:
    """Return the metrics of a task, the one that selected the checkpoint of a run first.

    :param details: None for a checkpoint that is not in the registry.
    :param suppliers: the plugins that supplied the parts of the run.
    :param head: the name of the checkpoint's head; None: the one that the run recorded.
    :param ctx: that of the checkpoint; None: with the settings that the run recorded.
    :raises LabelkitError: the task or a metric is unknown; the hint names the plugin that supplied it.
    """
    from labelkit.plugins.functions import with_context
    from labelkit.plugins.suppliers import find_part

    if ctx is None:
        ctx = recorded_context(details, catalog) if details else Context()

    suppliers = suppliers or (details.record.suppliers if details else ())
    names = (
        metrics_of_head(head or recorded_head(details), catalog) or find_part(catalog, "task", task, suppliers).metrics
    )
    own = details.record.metric if details else names[0]
    found = (find_part(catalog, "metric", name, suppliers) for name in dict.fromkeys((own, *names)))
    return [with_context(metric, ctx) for metric in found]


def record_scores(
    info: CheckpointInfo,
    gold: Gold,
    scores: Mapping[str, Any],
    home: Home,
    *,
    source: Source = "evaluate",
    predictions: Path | None = None,
) -> LabelkitError | None:
    """Record the scores of a checkpoint on gold data with its run; return the error if they cannot be recorded.

    :param predictions: a file with the predictions, recorded as an output of the run.
    """
    from labelkit.models.checkpoint_files import sha256_of
    from labelkit.registry import Registry

    examples = len(gold.examples)
    try:
        with Registry.open(home, create=False) as registry:
            _log_evaluation(registry, info.run, info.task, gold, scores, source)
            if predictions is not None:
                size, digest = predictions.stat().st_size, sha256_of(predictions)
                registry.recorder.log_output(
                    info.run,
                    predictions,
                    step=info.step,
                    kind="predictions",
                    size=size,
                    sha256=digest,
                    records=examples,
                )
    except LabelkitError as error:
        return error
    return None


def record_test_inspection(details: RunDetails, gold: Gold, home: Home, source: Source) -> LabelkitError | None:
    """Count an inspection of a run's predictions on its own test split as a scoring of it.

    Nothing is recorded of other data. Return the error if it cannot be recorded.
    """
    from labelkit.registry import Registry

    own = [one for one in details.record.splits if one.split == "test" and one.content_hash == gold.content_hash]
    try:
        with Registry.open(home, create=False) as registry:
            for one in own:
                own_gold = replace(gold, ref=one.ref, split=one.split)
                _log_evaluation(registry, details.record.id, details.record.task, own_gold, {}, source)
    except LabelkitError as error:
        return error
    return None


def _log_evaluation(
    registry: Registry, run: str, task: str, gold: Gold, scores: Mapping[str, Any], source: Source
) -> None:
    registry.recorder.log_evaluation(
        run,
        task=task,
        ref=gold.ref,
        split=gold.split,
        content_hash=gold.content_hash,
        examples=len(gold.examples),
        metrics=scores,
        source=source,
    )

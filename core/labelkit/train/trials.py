"""Try the decoder and the metrics of a plan on a few examples, before an hour is spent on training.

Nothing is written, and torch is loaded only for a head with a module, whose decoder needs its parameters.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus
from labelkit.data.scheme_conversion import labels_of
from labelkit.errors import ErrorCollector, LabelkitError, explanation
from labelkit.inference.decoding import decode, label_sequences
from labelkit.inference.label_ids import LabelSequences, gold_ids
from labelkit.inference.thresholds import threshold_array
from labelkit.labels.mentions import MentionHashes, mentions_of
from labelkit.metrics.scoring import score
from labelkit.metrics.unknown_labels import known_part
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.discovery import CORE
from labelkit.records import Context, Example, HeadContext, Labels, Metric, Predictions, Schema, Scores, Task
from labelkit.records.heads import IGNORE_INDEX
from labelkit.registry.metric_rows import figures

#: examples in a trial, and how many of train are read to find them
SIZE, SEARCHED = 16, 1000
#: width of the encoder that a head is tried on
HIDDEN_SIZE = 8
#: every third word or text is predicted wrong
WRONG = 3


def try_parts(plan: Plan, corpus: Corpus, catalog: Catalog, errors: ErrorCollector) -> None:
    """Try the decoder and the metrics of a plan; what is wrong with them is added to ``errors``.

    What a task of labelkit names of labelkit's own parts is not tried: its tests do that.

    :param plan: with all of its parts.
    """
    tried = [part for part in _parts(plan) if not _is_tested(plan, *part, catalog)]
    if not tried:
        return
    examples = trial_examples(plan.task, corpus)
    scores = trial_scores(examples, corpus.layer, corpus.schema)
    if plan.head.module is not None and any(kind == "decoder" for kind, _ in tried):
        with errors.collect():
            scores = replace(scores, parameters=new_parameters(plan, corpus.schema))
    predictions = trial_predictions(examples, scores, corpus)
    for kind, name in tried:
        with errors.collect(), _name_plugin(catalog, kind, name, len(examples)):
            given = replace(scores, values=scores.values.copy())
            if kind == "decoder":
                decode(plan.decoder, given)
            else:
                metric = next(metric for metric in plan.metrics if metric.name == name)
                try_metric(metric, replace(predictions, scores=given.values))


def _parts(plan: Plan) -> list[tuple[str, str]]:
    return [("decoder", plan.decoder.name), *(("metric", metric.name) for metric in plan.metrics)]


def _is_tested(plan: Plan, kind: str, name: str, catalog: Catalog) -> bool:
    own = next(info.distribution for info in catalog.plugins if info.name == CORE)
    owners = {catalog.owner(*part).distribution for part in (("task", plan.task.name), (kind, name))}
    return owners == {own} and name in (plan.task.decoder_name, *plan.task.metrics)


def trial_examples(task: Task, corpus: Corpus) -> list[Example]:
    """Return the task's own examples where the corpus knows all their labels, else some of train with many labels."""
    if corpus.schema.numeric:
        return list(islice(corpus.splits["train"].examples, SIZE))
    known = set(corpus.schema.label_names)
    own = [
        one for one in task.examples if corpus.layer in one.labels and known.issuperset(labels_of(one, corpus.layer))
    ]
    if own and len(own) == len(task.examples):
        return own
    found: dict[int, Example] = {}
    read = list(islice(corpus.splits["train"].examples, SEARCHED))
    missing = set(known)
    for number, example in enumerate(read):
        if not missing.isdisjoint(labels_of(example, corpus.layer)):
            found[number] = example
            missing.difference_update(labels_of(example, corpus.layer))
    rest = (item for item in enumerate(read) if item[0] not in found)
    return [example for _, example in islice((*found.items(), *rest), SIZE)]


def new_parameters(plan: Plan, schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the parameters of a new module of the plan's head.

    :raises LabelkitError: the head fails.
    """
    from labelkit.models.heads import BoundHead, numpy_parameters

    shared = {field.name: getattr(plan.context, field.name) for field in fields(Context)}
    context = HeadContext(schema=schema, hidden_size=HIDDEN_SIZE, **shared)
    return numpy_parameters(BoundHead(plan.head, context).new_module())


def trial_scores(examples: Sequence[Example], layer: str, schema: Schema) -> Scores:
    """Return made-up scores of the words of examples, or of texts, by which most gold labels are the likeliest."""
    if schema.numeric or schema.multilabel:
        return _scores_of_texts(examples, layer, schema)
    labels = [labels_of(example, layer) for example in examples]
    ids, _ = gold_ids(examples, layer, schema)
    ids[ids == IGNORE_INDEX] = 0  # any label will do where it is unknown
    ids[WRONG - 1 :: WRONG] = (ids[WRONG - 1 :: WRONG] + 1) % len(schema.label_names)
    values = np.random.default_rng(0).random((len(ids), len(schema.label_names)))
    values[np.arange(len(ids)), ids] += len(schema.label_names)
    values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    lengths = np.array([len(row) for row in labels], np.int64)
    return Scores(values=values.astype(np.float32), lengths=lengths, schema=schema)


def _scores_of_texts(examples: Sequence[Example], layer: str, schema: Schema) -> Scores:
    """Return made-up numbers near the gold ones; or log-probabilities that give most sets of labels."""
    gold, lengths = gold_ids(examples, layer, schema)
    random = np.random.default_rng(0).random(gold.shape)
    if schema.numeric:
        return Scores(values=(gold + random).astype(np.float32)[:, None], lengths=lengths, schema=schema)
    chosen = gold.copy()
    chosen[WRONG - 1 :: WRONG] ^= True
    values = np.log((random + chosen * 1.1) / 2.2).astype(np.float32)  # from 0.5 on for those that are chosen
    return Scores(values=values, lengths=lengths, schema=schema, thresholds=threshold_array({}, schema))


def trial_predictions(examples: Sequence[Example], scores: Scores, corpus: Corpus) -> Predictions:
    """Return the likeliest labels by ``scores``, with the gold labels, as a metric gets them."""
    layer, schema, text = corpus.layer, corpus.schema, corpus.kind == "text"
    guess: list[Labels]
    if schema.numeric or schema.multilabel:
        ids = scores.values[:, 0] if schema.numeric else np.exp(scores.values) >= scores.thresholds
        guess = [*LabelSequences(ids, scores.lengths, schema)]
    else:
        guess = [row[0] if text else row for row in label_sequences(scores.values.argmax(axis=1), scores)]
    mentions = MentionHashes.of(() if text else mentions_of(examples[::2], layer, schema))
    return Predictions(
        references=[example.labels[layer] for example in examples],
        predictions=guess,
        schema=schema,
        examples=examples,
        train_mentions=None if text else lambda: mentions,
    )


def try_metric(metric: Metric, predictions: Predictions) -> None:
    """Compute a metric with its intervals, as after an epoch.

    NaN alone is no fault, as a few examples may leave a metric undefined. NaN for perfect predictions, too, is one.

    :raises LabelkitError: it fails, has no number under its key, or returns what cannot be recorded.
    """
    predictions = known_part(predictions)
    found = score([metric], predictions)
    perfect = replace(predictions, predictions=predictions.references)
    if math.isnan(found[metric.key]) and math.isnan(score([metric], perfect)[metric.key]):
        raise LabelkitError(f"metric '{metric.name}' returned NaN for '{metric.key}', also for perfect predictions")
    try:
        list(figures(found, task="", split="", step=0, epoch=0.0))
    except (TypeError, ValueError, AttributeError) as error:
        raise LabelkitError(
            f"metric '{metric.name}' returned what is not a number, text, list or mapping: {explanation(error)}"
        ) from error


@contextlib.contextmanager
def _name_plugin(catalog: Catalog, kind: str, name: str, examples: int) -> Iterator[None]:
    """Add to an error the plugin of a part, and that nothing has been trained."""
    try:
        yield
    except LabelkitError as error:
        plugin = catalog.owner(kind, name).name
        tried = f"tried on {examples} examples before training"
        hint = f"{error.hint}; {tried}" if error.hint else tried
        raise LabelkitError(f"plugin '{plugin}': {error.message}", hint=hint) from error

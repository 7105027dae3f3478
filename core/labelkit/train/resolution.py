"""Resolve a prepared run: its automatic settings, and its data as encoded windows."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import PreTrainedConfig, PreTrainedTokenizerBase, TrainerCallback

import labelkit
from labelkit import hardware
from labelkit.config.joint import with_shared_settings
from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus, Split
from labelkit.encode.alignment import Encoding
from labelkit.encode.cache import LabelTarget, WindowStore, cached_windows
from labelkit.errors import LabelkitError
from labelkit.events import Event, Stage, StageAdvanced
from labelkit.hardware import Hardware
from labelkit.inference.prediction import SplitScores
from labelkit.labels.mentions import MentionHashes, mentions_of
from labelkit.labels.numbers import number_text
from labelkit.labels.unknown import UNKNOWN
from labelkit.models import adapters, architectures
from labelkit.models.checkpoint import CheckpointInfo, Supplier
from labelkit.models.head_trial import try_head
from labelkit.models.heads import BoundHead, HeadSource
from labelkit.models.loading import bind_head, load_config, silence_transformers
from labelkit.models.tokenizer import load_tokenizer, max_length_of
from labelkit.registry import Home
from labelkit.settings import AUTO
from labelkit.train.arguments import training_arguments
from labelkit.train.epochs import dropout_for_words, epochs_for_texts, epochs_for_words
from labelkit.train.preparation import PreparedRun
from labelkit.train.teacher_targets import TeacherTargets, teacher_targets
from labelkit.train.teacher_text import with_teacher_text
from labelkit.train.trial import try_training_settings
from labelkit.train.trials import trial_examples
from labelkit.train.weight_average import check_average


@dataclass(frozen=True, kw_only=True)
class ResolvedRun:
    """A run with resolved settings and encoded data.

    :param encoder: the folder of the pre-trained encoder.
    :param folder: of the checkpoints and training states of the run.
    :param head: with the labels, the encoder's width, and what its loss obeys.
    :param windows: by split.
    :param fallback: the label of words without subwords.
    :param takes_head: whether the head of ``encoder`` is taken up; None: where its labels are the same.
    :param further_head: the head that is taken up is that of a further task of a checkpoint of several.
    :param suppliers: the plugins of the parts of the plan.
    :param callbacks: further callbacks of its Trainer, given in Python.
    :param others: the further tasks that are trained together with the task of ``plan``.
    :param teacher: what teachers say of train; None where there are none.
    """

    id: str
    plan: Plan
    corpus: Corpus
    encoder: Path
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    encoding: Encoding
    head: BoundHead
    windows: Mapping[str, WindowStore]
    fallback: str
    device: Hardware
    takes_head: bool | None = None
    further_head: bool = False
    suppliers: tuple[Supplier, ...] = ()
    callbacks: tuple[TrainerCallback, ...] = ()
    others: tuple[ResolvedRun, ...] = ()
    teacher: TeacherTargets | None = None

    @property
    def task(self) -> str:
        """The name of the task of ``plan``."""
        return self.plan.task.name

    @property
    def head_source(self) -> HeadSource:
        """Where the weights of its head come from."""
        return HeadSource(takes=self.takes_head, further=self.further_head)

    @property
    def of_tasks(self) -> tuple[ResolvedRun, ...]:
        """The part of each task, the first one first."""
        return (self, *self.others)

    @functools.cached_property
    def train_mentions(self) -> Callable[[], MentionHashes] | None:
        """Return a function that finds the mentions of train once; None for texts."""
        corpus = self.corpus
        if corpus.kind == "text":
            return None
        train = corpus.splits["train"].examples
        return functools.cache(lambda: MentionHashes.of(mentions_of(train, corpus.layer, corpus.schema)))

    @property
    def kept_mentions(self) -> MentionHashes | None:
        """The mentions of train that checkpoints keep: those that a metric asks for."""
        asked = any(metric.uses_train_mentions for metric in self.plan.metrics)
        return self.train_mentions() if asked and self.train_mentions is not None else None

    def checkpoint_info(
        self, step: int, epoch: float, scores: Mapping[str, SplitScores], *, averaged: bool = False
    ) -> CheckpointInfo:
        """Return the info of a checkpoint with its scores on validation, and in it those of further tasks.

        :param scores: task → its scores.
        :param averaged: it holds the moving average of the weights.
        """
        plan = self.plan
        metrics, temperature, thresholds = scores[self.task]
        return CheckpointInfo(
            labelkit=labelkit.__version__,
            run=self.id,
            task=plan.task.name,
            kind=plan.task.kind,
            layer=plan.task.layer,
            schema=self.corpus.schema,
            head=plan.head.name,
            outputs=() if self.head.output_names == self.corpus.schema.label_names else self.head.output_names,
            decoder=plan.decoder.name,
            preprocessors=tuple((item.name, item.version) for item in plan.preprocessors),
            pairs=self.corpus.pairs,
            parts=any(item.parts for item in plan.preprocessors),
            splitter=plan.data.splitter,
            fallback=self.fallback,
            max_length=self.encoding.max_length,
            overlap=self.encoding.stride,
            step=step,
            epoch=epoch,
            synthetic=self.corpus.synthetic,
            metrics={"validation": metrics},
            temperature=temperature,
            thresholds=dict(thresholds),
            suppliers=self.suppliers,
            plugin_settings=plan.part_settings,
            averaged=averaged,
            others=tuple(one.checkpoint_info(step, epoch, scores, averaged=averaged) for one in self.others),
        )


def resolve(prepared: PreparedRun) -> tuple[PreparedRun, Hardware]:
    """Return the run with the automatic settings of all its tasks resolved, and the device; see :func:`resolve_plan`.

    :raises LabelkitError: a setting is invalid, or a head fails on a few examples.
    """
    plan, device = resolve_plan(prepared)
    others = []
    for one in prepared.others:
        shared = replace(one, plan=with_shared_settings(one.plan, plan))
        others.append(replace(shared, plan=with_shared_settings(resolve_plan(shared)[0], plan)))
    return replace(prepared, plan=plan, others=tuple(others)), device


@silence_transformers()
def resolve_plan(prepared: PreparedRun) -> tuple[Plan, Hardware]:
    """Return the plan with its automatic settings resolved, and the device.

    :raises LabelkitError: the tokenizer or the configuration cannot be loaded, the max length is invalid, the training
        settings cannot be combined, or the head fails on a few examples.
    """
    device = hardware.detect()
    config = load_config(prepared.encoder.folder)
    tokenizer = load_tokenizer(prepared.encoder.folder, mark_case=prepared.plan.data.mark_case)
    limit = max_length_of(tokenizer, config)
    max_length = prepared.plan.data.max_length
    if max_length != "auto" and max_length > limit:
        raise LabelkitError(f"data.max_length {max_length} is more than the {limit} subwords that the encoder reads")
    rate = _learning_rate(prepared.plan, config)
    choices = {
        "train.num_train_epochs": automatic_epochs(prepared),
        "train.dropout": dropout_for_words(most_words(prepared)),
        "data.max_length": architectures.default_max_length(limit),
        "train.learning_rate": rate,
        "train.head_learning_rate": _head_learning_rate(prepared.plan, config, rate[0]),
        "train.precision": architectures.precision_for(config, hardware.precision_for("auto", device)),
        "train.attention": hardware.attention_for(prepared.plan.task.kind, device),
    }
    plan = prepared.plan.resolved({**choices, **adapter_choices(prepared.plan, config)})
    architectures.check_precision(config, plan.train.precision, plan.train.eval_precision)
    window_encoding(plan, tokenizer)
    check_average(plan)
    try_training_settings(training_arguments(plan, Path("unused"), device.type))
    try_head(bound_head(plan, prepared), trial_labels(plan, prepared.corpus))
    return plan, device


def automatic_epochs(prepared: PreparedRun) -> tuple[float, str]:
    """Return the epochs by the size of train, and the reason for them; of several tasks the largest train decides."""
    if prepared.plan.task.kind == "text":
        return epochs_for_texts(max(len(one.corpus.splits["train"].examples) for one in prepared.of_tasks))
    return epochs_for_words(most_words(prepared))


def most_words(prepared: PreparedRun) -> int:
    """Return the words of train; of several tasks those of the largest train."""
    return max(one.corpus.splits["train"].words for one in prepared.of_tasks)


def adapter_choices(plan: Plan, config: PreTrainedConfig) -> dict[str, tuple[Any, str]]:
    """Return the automatic settings of LoRA adapters; none where the plan has no adapters.

    :raises LabelkitError: peft is missing, or the encoder has no layer of a name in ``train.lora_targets``.
    """
    train = plan.train
    if train.lora_rank is None:
        for name, default in (("lora_alpha", AUTO), ("lora_dropout", 0.0), ("lora_targets", AUTO)):
            if getattr(train, name) != default:
                raise LabelkitError(f"train.{name} needs train.lora_rank", hint="for example --set train.lora_rank=8")
        return {}
    adapters.require_peft()
    wanted = None if train.lora_targets == AUTO else train.lora_targets
    targets, why = adapters.find_targets(config, plan.task.kind, wanted)
    alpha = 2.0 * train.lora_rank
    return {"train.lora_alpha": (alpha, "twice the rank"), "train.lora_targets": (list(targets), why)}


def _learning_rate(plan: Plan, config: PreTrainedConfig) -> tuple[float, str]:
    rate, why = hardware.learning_rate_for(architectures.hidden_size_of(config))
    if plan.train.lora_rank is None:
        return rate, why
    factor = adapters.LEARNING_RATE_FACTOR
    return rate * factor, f"{why}, and adapters take {factor} times as much"


def _head_learning_rate(plan: Plan, config: PreTrainedConfig, automatic: float) -> tuple[float, str]:
    """Return the automatic learning rate of the head, and the reason for it.

    :param automatic: learning rate of the encoder, where the plan leaves it open.
    """
    rate = automatic if plan.train.learning_rate == AUTO else plan.train.learning_rate
    return hardware.head_learning_rate_for(rate, architectures.hidden_size_of(config))


def window_encoding(plan: Plan, tokenizer: PreTrainedTokenizerBase) -> Encoding:
    """Return how a resolved plan encodes examples into windows.

    :raises LabelkitError: a window has only room for special tokens.
    """
    assert plan.data.max_length != "auto"
    return Encoding.of(tokenizer, plan.data.max_length, plan.data.overlap)


def encode_splits(
    run: str,
    device: Hardware,
    prepared: PreparedRun,
    home: Home,
    emit: Callable[[Event], object],
    suppliers: tuple[Supplier, ...] = (),
) -> ResolvedRun:
    """Encode all splits of all tasks as windows, and ask the teachers, or read what the cache has of it.

    :param prepared: with its automatic settings resolved.
    :param suppliers: the plugins of the parts of the plan.
    :raises LabelkitError: train has no word with subwords.
    """
    plan, corpus = prepared.plan, prepared.corpus
    tokenizer = load_tokenizer(prepared.encoder.folder, mark_case=plan.data.mark_case)
    encoding = window_encoding(plan, tokenizer)
    target = LabelTarget(corpus.layer, corpus.schema, plan.data.label_all_tokens)
    encode = functools.partial(
        cached_windows, encoding=encoding, target=target, cache=home.cache, preprocessing=preprocessing_of(plan)
    )
    learned = with_teacher_text(corpus.splits["train"], prepared.teacher_text)
    read = {**corpus.splits, "train": learned}
    if not plan.train.score_test:
        read.pop("test", None)
    windows = {name: _encode_split(run, split, encode, emit) for name, split in read.items()}
    if not windows["train"]:
        raise LabelkitError(
            "no word of train has subwords in the vocabulary of this encoder, so there is nothing to learn",
            hint="choose another --model",
        )
    return ResolvedRun(
        id=run,
        plan=plan,
        corpus=corpus,
        encoder=prepared.encoder.folder,
        folder=home.runs / run,
        tokenizer=tokenizer,
        encoding=encoding,
        head=bound_head(plan, prepared),
        windows=windows,
        fallback=fallback_label(corpus),
        device=device,
        takes_head=prepared.continues.takes_head if prepared.continues else None,
        further_head=bool(prepared.continues and prepared.continues.further),
        suppliers=suppliers,
        callbacks=prepared.callbacks,
        others=tuple(encode_splits(run, device, one, home, emit, suppliers) for one in prepared.others),
        teacher=teacher_targets(run, plan, corpus, learned, prepared.teachers, home, emit),
    )


def preprocessing_of(plan: Plan) -> list[str]:
    """Return what decides on the surfaces of examples: the preprocessors of a plan, and the settings of its parts."""
    names = [f"{item.name} {item.version}" for item in plan.preprocessors]
    return (
        [*names, json.dumps(plan.part_settings, sort_keys=True, allow_nan=False)]
        if names and plan.part_settings
        else names
    )


def _encode_split(
    run: str, split: Split, encode: Callable[..., WindowStore], emit: Callable[[Event], object]
) -> WindowStore:
    total = len(split.examples)
    stage = {"run": run, "name": "encoding", "detail": f"{split.name}: {total:,} examples"}
    emit(Stage(**stage))

    def advance(done: int) -> None:
        emit(StageAdvanced(**stage, done=done, total=total))

    return encode(split.examples, split.content_hash, on_progress=advance)


def trial_labels(plan: Plan, corpus: Corpus) -> list[list[float]]:
    """Return the label ids of the examples that a head is tried on."""
    examples = trial_examples(plan.task, corpus)
    return LabelTarget(corpus.layer, corpus.schema, plan.data.label_all_tokens).label_ids(examples)


def bound_head(plan: Plan, prepared: PreparedRun) -> BoundHead:
    """Return the head of a resolved plan, for the labels and the encoder of a prepared run."""
    dropout = plan.train.dropout
    assert dropout != AUTO
    return bind_head(
        plan.head,
        prepared.encoder.folder,
        prepared.corpus.schema,
        plan.context,
        dropout=dropout,
        label_smoothing=plan.train.label_smoothing_factor,
        class_weights=prepared.class_weights,
    )


def fallback_label(corpus: Corpus) -> str:
    """Return the label of words or texts without subwords.

    It is O; for plain labels the most frequent one of train, for numbers their mean, for sets of labels none.
    """
    if corpus.schema.scheme:
        return "O"
    if corpus.schema.multilabel:
        return ""
    labels = (example.labels[corpus.layer] for example in corpus.splits["train"].examples)
    if corpus.schema.numeric:
        return number_text(fmean(float(str(label)) for label in labels))
    counts = Counter(label for row in labels for label in ([row] if isinstance(row, str) else row))
    del counts[UNKNOWN]
    return min(counts, key=lambda label: (-counts[label], label))

"""Every setting of a run that labelkit knows itself: its type, its default and what it means.

``train.`` also reaches every other field of ``transformers.TrainingArguments`` except those in :data:`OWNED`.
"""

from __future__ import annotations

import enum
import math
import tomllib
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal

from labelkit.errors import LabelkitError, nearest

AUTO = "auto"
Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Attention = Literal["auto", "default", "eager", "sdpa"]
Splitter = Literal["words", "whitespace", "characters", "none"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One setting.

    :param type: what values it takes, as a type annotation.
    :param default: its value where nothing else gives one.
    :param help: one line for people.
    :param low: the least number it may be, and ``high`` the most.
    :param also: values that are fine outside of these bounds.
    """

    type: Any
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    also: tuple[float, ...] = ()

    def allows(self, value: Any) -> bool:
        """Return whether a number is within bounds; what is no number is."""
        if not isinstance(value, int | float) or isinstance(value, bool) or value in self.also:
            return True
        inside = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return math.isfinite(value) and inside

    @property
    def bounds(self) -> str:
        """Return the bounds in words."""
        parts = [f"at least {self.low:g}"] if self.low is not None else []
        parts += [f"at most {self.high:g}"] if self.high is not None else []
        return " and ".join(parts) + "".join(f", or {value:g}" for value in self.also)


SETTINGS: dict[str, Spec] = {
    "data": Spec(str, None, "data reference: a source, a path, or train=…,validation=…,test=…"),
    "model": Spec(str, None, "model reference: bundled, a folder, org/name on the Hub"),
    "metric": Spec(str, None, "the metric that chooses the checkpoint"),
    "decoder": Spec(str, None, "how scores become labels"),
    "preprocess": Spec(list[str], None, "preprocessors, in order"),
    "data.columns": Spec(str | None, None, "which column holds what, e.g. tokens=0,ner=3"),
    "data.encoding": Spec(str, "utf-8", "encoding of text files"),
    "data.format": Spec(str | None, None, "format of the files; None: by their suffix"),
    "data.path": Spec(str | None, None, "where the files of a named source lie"),
    "data.config": Spec(str | None, None, "configuration of a Hub data set that has several"),
    "data.scheme": Spec(Scheme | Literal["auto"], AUTO, "tagging scheme of the files"),
    "data.train_scheme": Spec(Scheme | None, None, "tagging scheme that is learned; None: the task's"),
    "data.repair": Spec(bool, False, "read tags that do not fit the scheme as the CoNLL scorer does"),
    "data.allow_new_labels": Spec(bool, False, "take label types that train does not have"),
    "data.drop_overlaps": Spec(
        bool, False, "of spans on text that overlap keep the longer one; the others are counted"
    ),
    "data.plain_labels": Spec(
        bool | None, None, "spans on text are plain labels of words, not entities; None: as the file or the task says"
    ),
    "data.utf16": Spec(bool, False, "spans on text are counted in UTF-16 units, as some annotation tools do"),
    "data.unit": Spec(Literal["line", "document"], "line", "what is one example of brat's files"),
    "data.splitter": Spec(Splitter, "words", "how raw text becomes words: words, whitespace, characters or none"),
    "data.quotes": Spec(bool | None, None, "whether quotes enclose fields of CSV and TSV; None: of CSV only"),
    "data.max_labels": Spec(int, 200, "more different labels of texts than this are taken for a wrong column"),
    "data.validation_fraction": Spec(
        float, 0.1, "share of train that becomes validation where there is none", low=0.001, high=0.9
    ),
    "data.validation_seed": Spec(
        int | None, None, "seed by which that share is chosen; None: train.seed", low=0, high=2**32 - 1
    ),
    "data.max_length": Spec(int | Literal["auto"], AUTO, "sub-tokens in a window; auto: what the encoder takes", low=8),
    "data.overlap": Spec(int, 128, "sub-tokens that neighbouring windows share, at most half a window", low=0),
    "data.label_all_tokens": Spec(bool, False, "learn the label on every sub-token of a word, not only the first"),
    "data.mark_case": Spec(
        bool, False, "tell a tokenizer that lower-cases which words are capitalised, by a sign after them"
    ),
    "train.seed": Spec(int, 42, "seed of everything random", low=0, high=2**32 - 1),
    "train.num_train_epochs": Spec(float, 3.0, "passes over train", low=0.001),
    "train.max_steps": Spec(int, -1, "stop after this many optimizer steps; -1: after the epochs", low=1, also=(-1,)),
    "train.max_minutes": Spec(
        float | None, None, "stop after this many minutes of training and choose among what there is", low=0
    ),
    "train.learning_rate": Spec(
        float | Literal["auto"], AUTO, "peak learning rate; auto: by the encoder's width", low=0
    ),
    "train.lr_scheduler_type": Spec(str, "linear", "course of the learning rate"),
    "train.warmup_steps": Spec(float, 0.0, "steps of warm-up; below 1: a share of all steps", low=0),
    "train.per_device_train_batch_size": Spec(int, 16, "windows in a batch", low=1),
    "train.batch_tokens": Spec(
        int,
        0,
        "sub-tokens in a batch of windows of similar length, padding included; 0: so many windows as said above",
        low=0,
    ),
    "train.gradient_accumulation_steps": Spec(int, 1, "batches in an optimizer step", low=1),
    "train.weight_decay": Spec(float, 0.01, "weight decay; biases and norms have none", low=0),
    "train.optim": Spec(str, "adamw_torch", "optimizer"),
    "train.adam_beta1": Spec(float, 0.9, "AdamW's first decay rate"),
    "train.adam_beta2": Spec(float, 0.999, "AdamW's second decay rate"),
    "train.adam_epsilon": Spec(float, 1e-8, "AdamW's epsilon"),
    "train.max_grad_norm": Spec(float, 1.0, "gradients are clipped to this norm", low=0),
    "train.label_smoothing_factor": Spec(float, 0.0, "label smoothing", low=0, high=1),
    "train.train_sampling_strategy": Spec(str, "random", "order of train: random or group_by_length"),
    "train.dropout": Spec(
        float | None, None, "dropout while the encoder learns; None: as its configuration says", low=0, high=0.9
    ),
    "train.freeze_embeddings": Spec(bool, False, "leave the encoder's table of sub-tokens as it is"),
    "train.attention": Spec(Attention, AUTO, "how attention is computed in training; default: as transformers chooses"),
    "train.precision": Spec(Precision, AUTO, "precision of training; auto: bf16 where the hardware is good at it"),
    "train.eval_precision": Spec(Literal["fp32", "bf16"], "fp32", "precision of scoring"),
    "train.evaluations_per_epoch": Spec(int, 1, "how often an epoch is validation scored", low=1),
    "train.eval_tokens": Spec(int, 4096, "sub-tokens in a batch when scoring, padding included", low=1),
    "train.save_minutes": Spec(float, 5.0, "minutes of training that a kill may cost a run that is resumed", low=0),
}

_INSTEAD: dict[str, str] = {
    "train.precision": "bf16 fp16 bf16_full_eval fp16_full_eval half_precision_backend",
    "train.eval_tokens": "per_device_eval_batch_size eval_accumulation_steps eval_do_concat_batches",
    "--metric": "metric_for_best_model greater_is_better include_for_metrics batch_eval_metrics",
    "LABELKIT_HOME": "output_dir overwrite_output_dir logging_dir",
    "--name": "run_name project",
    "CUDA_VISIBLE_DEVICES= to train on the CPU": "use_cpu",
    "nothing: labelkit decides it": """
        auto_find_batch_size debug disable_tqdm do_eval do_predict do_train enable_jit_checkpoint eval_delay
        eval_on_start eval_steps eval_strategy eval_use_gather_object hub_always_push hub_model_id hub_private_repo
        hub_revision hub_strategy hub_token ignore_data_skip label_names length_column_name load_best_model_at_end
        local_rank log_level log_level_replica log_on_each_node logging_first_step logging_nan_inf_filter
        logging_steps logging_strategy prediction_loss_only push_to_hub remove_unused_columns report_to
        restore_callback_states_from_checkpoint resume_from_checkpoint save_on_each_node save_only_model save_steps
        save_strategy save_total_limit skip_memory_metrics trackio_bucket_id trackio_space_id
        trackio_static_space_id
    """,
}
#: fields of TrainingArguments that labelkit sets itself → what to use instead
OWNED: dict[str, str] = {field: instead for instead, fields in _INSTEAD.items() for field in fields.split()}


def parse_set(text: str) -> tuple[str, Any]:
    """Split ``key=value`` of ``--set``; the value is read as TOML where it is TOML, else as text.

    >>> parse_set("train.learning_rate=2e-4")
    ('train.learning_rate', 0.0002)
    >>> parse_set("data.scheme=IOB1")
    ('data.scheme', 'IOB1')

    :raises LabelkitError: there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise LabelkitError(f"--set {text!r} is not key=value", hint="for example --set train.learning_rate=2e-4")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def check(key: str, value: Any) -> Any:
    """Return ``value`` as the setting ``key`` wants it.

    :raises LabelkitError: no such setting, one that labelkit owns, or a value of the wrong type.
    """
    wanted = SETTINGS[key].type if key in SETTINGS else _trainer_field(key)
    if not accepts(value, wanted):
        raise LabelkitError(f"{key} cannot be {value!r}", hint=_instead(value, wanted))
    if key in SETTINGS and not SETTINGS[key].allows(value):
        raise LabelkitError(
            f"{key} cannot be {value!r}", hint=f"it must be {SETTINGS[key].bounds or 'a finite number'}"
        )
    return float(value) if wanted is float else value


def _instead(value: Any, wanted: Any) -> str:
    if wanted is Splitter and isinstance(value, str):
        return nearest(value, typing.get_args(wanted))
    return f"it takes {describe(wanted)}"


def _trainer_field(key: str) -> Any:
    section, _, name = key.partition(".")
    if section != "train" or not name:
        full = [known for known in SETTINGS if known.partition(".")[2] == key]
        raise LabelkitError(
            f"unknown setting '{key}'", hint=f"did you mean {full[0]}?" if full else nearest(key, SETTINGS)
        )
    if name in OWNED:
        raise LabelkitError(f"train.{name} belongs to labelkit", hint=f"use {OWNED[name]}")
    fields = _trainer_fields()
    if name not in fields:
        raise LabelkitError(
            f"unknown setting '{key}'",
            hint=nearest(key, {*SETTINGS, *(f"train.{field}" for field in fields)}),
        )
    return fields[name]


def _trainer_fields() -> dict[str, Any]:
    from transformers import TrainingArguments

    return {name: hint for name, hint in typing.get_type_hints(TrainingArguments).items() if name not in OWNED}


def accepts(value: Any, wanted: Any) -> bool:
    """Return whether ``value`` fits the annotation ``wanted``; an int is a float, a string may name an enum's member.

    >>> accepts(3, float), accepts("x", float), accepts(None, int | None), accepts(True, int)
    (True, False, True, False)
    """
    origin, choices = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(accepts(value, choice) for choice in choices)
    if origin is Literal:
        return value in choices
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(accepts(item, choices[0]) for item in value if choices)
    if isinstance(value, bool) or wanted is bool:
        return isinstance(value, bool) and wanted is bool
    if wanted is float:
        return isinstance(value, int | float)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return value in [member.value for member in wanted]
    return isinstance(value, origin or wanted)


def describe(wanted: Any) -> str:
    """Return an annotation in words.

    >>> describe(int | Literal["auto"])
    'a whole number, or auto'
    """
    names = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        type(None): "nothing",
        dict: "a table",
    }
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return ", or ".join(describe(choice) for choice in typing.get_args(wanted))
    if typing.get_origin(wanted) is Literal:
        return ", ".join(str(choice) for choice in typing.get_args(wanted))
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return ", ".join(str(member.value) for member in wanted)
    return names.get(wanted, "a list" if typing.get_origin(wanted) is list else str(wanted))

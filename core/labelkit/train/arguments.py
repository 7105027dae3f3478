"""Convert the settings of a plan to ``TrainingArguments``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError, one_line

#: settings of the section ``train`` that are not arguments of transformers
OURS = frozenset({
    "attention", "batch_tokens", "class_weights", "dropout", "ema_decay", "eval_precision", "eval_tokens",
    "evaluations_per_epoch", "freeze_embeddings", "head", "head_learning_rate", "lora_alpha", "lora_dropout",
    "lora_rank", "lora_targets", "loss_weight", "max_minutes", "onnx", "precision", "random_window",
    "sampling_smoothing", "save_minutes", "score_test", "select", "teacher", "teacher_text", "teacher_weight",
    "trainer",
})  # fmt: skip


def training_arguments(plan: Plan, scratch: Path, device: str) -> TrainingArguments:
    """Return the training arguments of a plan.

    Trainer saves nothing (its checkpoints hold pickles and are not atomic) and logs once an epoch. A callback decides
    when it evaluates.

    :param scratch: the output folder that Trainer requires and does not use.
    :param device: ``"cpu"`` or ``"cuda"``.
    :raises LabelkitError: the settings are invalid, or cannot be combined.
    """
    settings = {one.name: getattr(plan.train, one.name) for one in fields(plan.train) if one.name not in OURS}
    precision = plan.train.precision
    fixed: dict[str, Any] = {
        "output_dir": str(scratch),
        "use_cpu": device == "cpu",
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "eval_strategy": "no",
        "logging_strategy": "epoch",
        "logging_nan_inf_filter": False,  # it would wait for the GPU at each step
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": device == "cuda",
        # batches within a token budget are distributed evenly already
        "accelerator_config": {"even_batches": not plan.train.batch_tokens},
        "ddp_timeout": 24 * 3600,  # the others wait while the main process evaluates
    }
    try:
        return TrainingArguments(**{**fixed, **settings, **plan.train.trainer})
    except Exception as error:  # transformers raises of any class for values that it does not expect
        raise LabelkitError(
            f"these training settings cannot be combined: {one_line(error)}",
            hint="labelkit run … --dry-run shows every setting and where it came from",
        ) from error

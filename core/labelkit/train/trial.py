"""Try the settings that ``transformers`` looks at only when it trains: each is an error before anything is trained."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from transformers import PreTrainedConfig, PreTrainedModel, Trainer, TrainingArguments, get_scheduler

from labelkit.errors import LabelkitError, one_line

#: steps of the learning-rate schedule that is tried
_STEPS = 10


class _TinyModel(PreTrainedModel):
    """A model with two parameters, to make an optimizer for."""

    config_class = PreTrainedConfig

    def __init__(self) -> None:
        super().__init__(PreTrainedConfig())
        self.layer = torch.nn.Linear(2, 2)


def try_training_settings(arguments: TrainingArguments) -> None:
    """Make an optimizer and a learning-rate schedule as ``arguments`` say, and check what else training needs.

    :raises LabelkitError: a setting does not work here; names it.
    """
    for name, check in _CHECKS.items():
        if reason := check(arguments):
            raise LabelkitError(f"train.{name} cannot be used: {reason}", hint=f"leave out --set train.{name}")
    model = _TinyModel()
    with _naming("optim_args" if arguments.optim_args else "optim"):
        optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
        known = {name: value for name, value in options.items() if name not in ("params", "model", "optimizer_dict")}
        optimizer = optimizer_class(model.parameters(), **known)
    with _naming("lr_scheduler_kwargs" if arguments.lr_scheduler_kwargs else "lr_scheduler_type"):
        options = arguments.lr_scheduler_kwargs or {}
        if not isinstance(options, dict):
            raise LabelkitError("it must be a table", hint="write {name = value}")
        get_scheduler(arguments.lr_scheduler_type, optimizer, 1, _STEPS, options)


@contextlib.contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Raise any failure as that of a setting."""
    try:
        yield
    except Exception as error:
        raise LabelkitError(
            f"train.{setting} cannot be used: {one_line(error)}", hint=f"correct it, or leave out --set train.{setting}"
        ) from error


def _fsdp(arguments: TrainingArguments) -> str:
    alone = arguments.fsdp and arguments.world_size == 1
    return "one process alone trains, so there is nothing to shard" if alone else ""


def _liger(arguments: TrainingArguments) -> str:
    missing = arguments.use_liger_kernel and find_spec("liger_kernel") is None
    return "liger-kernel is not installed: pip install liger-kernel" if missing else ""


def _workers(arguments: TrainingArguments) -> str:
    return "it is negative" if arguments.dataloader_num_workers < 0 else ""


def _checkpointing(arguments: TrainingArguments) -> str:
    unknown = set(arguments.gradient_checkpointing_kwargs or {}) - {
        "use_reentrant", "preserve_rng_state", "determinism_check", "debug", "early_stop", "context_fn"
    }  # fmt: skip
    return f"it has no {', '.join(sorted(unknown))}" if unknown else ""


def _compile(arguments: TrainingArguments) -> str:
    """Return why models cannot be compiled; torch itself says so in the first training step."""
    if not arguments.torch_compile:
        return ""
    from torch._dynamo import list_backends  # which takes seconds to import

    backend = arguments.torch_compile_backend or "inductor"
    if backend not in list_backends(()):
        return f"there is no backend '{backend}'"
    if backend != "inductor":
        return ""
    if arguments.device.type == "cuda":
        return "" if find_spec("triton") is not None else "triton is not installed"
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    return "" if shutil.which(compiler) else f"there is no C++ compiler: {compiler} is not installed"


_CHECKS: dict[str, Callable[[TrainingArguments], str]] = {
    "fsdp": _fsdp,
    "use_liger_kernel": _liger,
    "dataloader_num_workers": _workers,
    "gradient_checkpointing_kwargs": _checkpointing,
    "torch_compile": _compile,
}

"""LoRA adapters: small matrices that are trained in place of the encoder's weights, and merged into them at the end.

The library peft adds them to the model in place, so that the model stays the one of transformers. While they are merged
(:func:`merged_adapters`), the model computes as the checkpoint will that :func:`plain_weights` writes: a plain folder.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, ModelError, nearest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from labelkit.records import Kind

#: the learning rate that adapters need, in those of full fine-tuning; measured as 10 by "LoRA Without Regret" (2025)
LEARNING_RATE_FACTOR = 10
#: the file by which a folder of adapters is known
ADAPTER_CONFIG = "adapter_config.json"
_BASE, _LORA = ".base_layer.", ".lora_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters of a run.

    :param alpha: their output is scaled by alpha divided by rank.
    :param dropout: of their input.
    :param targets: names of the layers that get one, as in their modules' last part.
    """

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]


def require_peft() -> None:
    """Raise if peft is missing.

    :raises ModelError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("peft") is None:
        raise ModelError("train.lora_rank needs peft, which is not installed", hint='pip install "labelkit[peft]"')


def find_targets(config: PreTrainedConfig, kind: Kind, wanted: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """Return the names of the layers that get adapters, and the reason for them; no weights are loaded.

    :param wanted: names that the user gives; None for all linear layers of the encoder.
    :raises LabelkitError: the encoder has no linear layer of such a name.
    """
    from accelerate import init_empty_weights  # type: ignore[import-untyped]
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    auto_class: Any = AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification
    with init_empty_weights():
        model = auto_class.from_config(config)
    names = sorted({_short_name(name) for name in linear_layers(model)})
    if not names:
        raise LabelkitError(f"{config.model_type} has no linear layers that could have adapters", hint="no lora_rank")
    for name in wanted or ():
        if name not in names:
            raise LabelkitError(
                f"train.lora_targets: {config.model_type} has no linear layer called '{name}'",
                hint=f"{nearest(name, names)}; embeddings and heads take no adapters",
            )
    return tuple(wanted or names), f"the linear layers of {config.model_type}"


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Return the names of the linear layers of the encoder; those of pooler and head are trained themselves."""
    import torch
    from transformers.pytorch_utils import Conv1D

    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and not _is_trained_itself(name, model)
    ]


def _is_trained_itself(name: str, model: PreTrainedModel) -> bool:
    """Return whether a module, or a weight, belongs to the pooler or the head, which often are new."""
    return ".pooler." in f"{name}." or not name.startswith(f"{model.base_model_prefix}.")


def _short_name(name: str) -> str:
    """Return the last part of a name that is no number: ``query`` of ``bert.encoder.layer.0.attention.self.query``."""
    return next(part for part in reversed(name.split(".")) if not part.isdigit())


def add_adapters(model: PreTrainedModel, adapters: Adapters) -> None:
    """Add new adapters to a model; of the encoder only they will be trained, beside pooler and head.

    :raises ModelError: peft cannot add them.
    """
    from peft import LoraConfig, inject_adapter_in_model

    layers = [name for name in linear_layers(model) if _short_name(name) in adapters.targets]
    config = LoraConfig(
        r=adapters.rank,
        lora_alpha=adapters.alpha,  # type: ignore[arg-type]
        lora_dropout=adapters.dropout,
        target_modules=layers,
    )
    try:
        with warnings.catch_warnings():  # that it transposes the weights of GPT-2's layers
            warnings.simplefilter("ignore", UserWarning)
            inject_adapter_in_model(config, model)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelError(f"{model.config.model_type} cannot have adapters: {' '.join(str(error).split())}") from error
    for name, weight in model.named_parameters():
        weight.requires_grad_(_LORA in name or _is_trained_itself(name, model))


def _adapted_layers(model: torch.nn.Module) -> list[Any]:
    return [module for module in model.modules() if hasattr(module, "lora_A") and hasattr(module, "base_layer")]


@contextlib.contextmanager
def merged_adapters(model: torch.nn.Module) -> Iterator[None]:
    """Merge the adapters of a model in a ``with`` block; afterwards its weights are, bit by bit, what they were before.

    Does nothing for a model without adapters.
    """
    layers = _adapted_layers(model)
    before = [layer.base_layer.weight.data for layer in layers]
    try:
        for layer in layers:
            layer.merge(safe_merge=True)  # in a copy of the weight
        yield
    finally:
        for layer, weight in zip(layers, before, strict=True):
            layer.base_layer.weight.data = weight
            layer.merged_adapters.clear()


def plain_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a model with merged adapters by the names that they have without adapters."""
    return {name.replace(_BASE, "."): weight for name, weight in weights.items() if _LORA not in name}


def check_no_adapter(folder: Path) -> None:
    """Raise if a folder holds adapters without the model that they belong to.

    :raises ModelError: it does; the hint says how they are merged.
    """
    if not (folder / ADAPTER_CONFIG).is_file() or (folder / "config.json").is_file():
        return
    try:
        content = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        base, kind = content.get("base_model_name_or_path"), content.get("task_type")
    except (OSError, ValueError, AttributeError):
        base = kind = None
    classes = {"TOKEN_CLS": "AutoPeftModelForTokenClassification", "SEQ_CLS": "AutoPeftModelForSequenceClassification"}
    name = classes.get(str(kind), "AutoPeftModelForFeatureExtraction")
    raise ModelError(
        f"{folder} holds a PEFT adapter{f' of {base}' if base else ''}, not a model",
        hint=f"merge it: from peft import {name} as M; "
        f"M.from_pretrained('{folder}').merge_and_unload().save_pretrained('MERGED'), and save the tokenizer there",
    )

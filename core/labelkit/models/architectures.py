"""What transformers maps to classification, and what labelkit must know of an architecture before it trains one."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from labelkit.records import Kind

#: the longest window that is chosen by itself: attention over more costs more than it brings
LONGEST_WINDOW = 8192
#: architectures that mix fp32 numbers into half-precision ones in a way that torch refuses
FP32_ONLY = frozenset({"deberta", "xmod"})
#: what else some models take beside tokens, and what they read therefore
OTHER_INPUTS = {
    "bbox": "reads where words stand on a page",
    "xpath_tags_seq": "reads where words stand in a web page",
    "inputs": "reads arrays",
}
#: causal language models that read both ways all the same where nothing is masked
BOTH_WAYS = frozenset({"xlnet"})
#: causal language models that transformers lists under other tasks only
ONE_WAY = frozenset({"mistral4"})


def kinds_of() -> dict[str, tuple[Kind, ...]]:
    """Return each architecture that transformers maps to a classifier, and of what kinds it has one."""
    from transformers.models.auto import modeling_auto

    mapped: dict[Kind, Any] = {
        "token": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        "text": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    }
    names = sorted({name for names in mapped.values() for name in names})
    return {name: tuple(kind for kind, names in mapped.items() if name in names) for name in names}


def tokenizer_class_of(architecture: str) -> str | None:
    """Return the name of the tokenizer class that transformers has for an architecture; None: any fast one."""
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    name: str | None = TOKENIZER_MAPPING_NAMES.get(architecture)
    return None if name in ("TokenizersBackend", "MistralCommonBackend") else name


def architecture_of(folder: Path) -> str:
    """Return what the config.json of a model calls its architecture; nothing where it does not say."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def required_inputs(model: Any) -> str | None:
    """Return what a model reads beside tokens, without which they make no sense to it; None: nothing.

    :param model: a classifier, or its class.
    """
    takes = inspect.signature(model.forward).parameters
    return next((meaning for name, meaning in OTHER_INPUTS.items() if name in takes), None)


def is_causal(architecture: str) -> bool:
    """Return whether a token of this architecture sees only the tokens before it.

    Such are the causal language models that transformers gives no objective which reads both ways.
    """
    from transformers.models.auto import modeling_auto

    both = {
        *modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        *modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        *BOTH_WAYS,
    }
    causal = {*modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *ONE_WAY}
    return architecture in causal - both


def warnings(folder: Path, kind: Kind) -> list[str]:
    """Return what somebody who trains the encoder in ``folder`` should know, one line each."""
    architecture = architecture_of(folder)
    if kind == "token" and is_causal(architecture):
        said = f"{architecture} reads only to the left: a word is labelled without the words after it"
        return [f"{said}; an encoder that reads both ways usually labels better"]
    return []


def check_precision(config: PreTrainedConfig, training: str, scoring: str) -> None:
    """Check that an encoder can be trained in a precision, and scored in another.

    :raises LabelkitError: it cannot.
    """
    for setting, precision in (("train.precision", training), ("train.eval_precision", scoring)):
        if precision != "fp32" and config.model_type in FP32_ONLY:
            raise LabelkitError(
                f"{config.model_type} computes in fp32 only, not in {precision}", hint=f"--set {setting}=fp32"
            )


def precision_for(config: PreTrainedConfig, found: tuple[str, str]) -> tuple[str, str]:
    """Return the precision and the fact that decided it.

    :param found: what the hardware would choose, and why.
    """
    if found[0] != "fp32" and config.model_type in FP32_ONLY:
        return "fp32", f"{config.model_type} computes in fp32 only"
    return found


def hidden_size_of(config: PreTrainedConfig) -> int:
    """Return the hidden size of the part that reads text."""
    return int(getattr(config.get_text_config(), "hidden_size", 0))


def default_max_length(limit: int) -> tuple[int, str]:
    """Return the longest window that is chosen by itself for an encoder that reads ``limit`` sub-tokens, and why.

    >>> default_max_length(512)
    (512, 'the encoder reads 512 sub-tokens')
    """
    if limit > LONGEST_WINDOW:
        return LONGEST_WINDOW, f"the encoder reads {limit} sub-tokens, of which {LONGEST_WINDOW} are used"
    return limit, f"the encoder reads {limit} sub-tokens"

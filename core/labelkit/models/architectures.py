"""Facts about architectures: which have classifiers, read one way only, need fp32 or other inputs than text."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, ModelError, StorageError
from labelkit.files.small import read_json
from labelkit.models.checkpoint_files import tensors_in

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from labelkit.records import Kind

#: the longest automatic max length: attention over longer windows costs more than it gains
LONGEST_WINDOW = 8192
#: architectures that mix fp32 and half-precision tensors in a way that torch refuses
FP32_ONLY = frozenset({"deberta", "xmod"})
#: settings that count layers, and a number of them that every machine builds at once
_LAYER_COUNT = re.compile(r"(layers?|blocks|groups)$")
_ALWAYS_LAYERS = 1000
#: inputs beside tokens that some models require → what such a model reads
OTHER_INPUTS = {
    "bbox": "reads where words stand on a page",
    "xpath_tags_seq": "reads where words stand in a web page",
    "inputs": "reads arrays",
}
#: causal language models that are bidirectional where nothing is masked
BIDIRECTIONAL = frozenset({"xlnet"})
#: causal language models that transformers lists under other tasks only
CAUSAL = frozenset({"mistral4"})


def kinds_of() -> dict[str, tuple[Kind, ...]]:
    """Return each architecture that transformers maps to a classifier, and the kinds of its classifiers."""
    from transformers.models.auto import modeling_auto

    mapped: dict[Kind, Any] = {
        "token": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        "text": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    }
    names = sorted({name for names in mapped.values() for name in names})
    return {name: tuple(kind for kind, names in mapped.items() if name in names) for name in names}


def tokenizer_class_of(architecture: str) -> str | None:
    """Return the name of the tokenizer class of an architecture; None where any fast tokenizer fits."""
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    name: str | None = TOKENIZER_MAPPING_NAMES.get(architecture)
    return None if name in ("TokenizersBackend", "MistralCommonBackend") else name


def architecture_of(folder: Path) -> str:
    """Return the ``model_type`` in the config.json of a model folder; empty where there is none."""
    try:
        return str(read_json(folder / "config.json").get("model_type", ""))
    except (OSError, StorageError, ValueError, AttributeError):
        return ""


def check_layers(folder: Path, config: PreTrainedConfig) -> None:
    """Raise if a configuration states more layers than the weights can fill: building them would take hours.

    :raises ModelError: it does.
    """
    most = max(_ALWAYS_LAYERS, tensors_in(folder))
    for name, value in {**config.to_dict(), **config.get_text_config().to_dict()}.items():
        if type(value) is int and value > most and _LAYER_COUNT.search(name):
            raise ModelError(
                f"{folder / 'config.json'}: {name} is {value:,}, more than the weights have tensors",
                hint="the folder is damaged; fetch it again",
            )


def required_inputs(model: Any) -> str | None:
    """Return which input beside tokens a model requires, in words; None where it reads plain text.

    :param model: a classifier, or its class.
    """
    parameters = inspect.signature(model.forward).parameters
    return next((meaning for name, meaning in OTHER_INPUTS.items() if name in parameters), None)


def is_causal(architecture: str) -> bool:
    """Return whether an architecture is causal: a token attends only to the tokens before it.

    These are the causal language models for which transformers has no bidirectional objective.
    """
    from transformers.models.auto import modeling_auto

    bidirectional = {
        *modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        *modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        *BIDIRECTIONAL,
    }
    causal = {*modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *CAUSAL}
    return architecture in causal - bidirectional


def warnings(folder: Path, kind: Kind) -> list[str]:
    """Return warnings about training the encoder in ``folder`` for a kind of task, one line each."""
    architecture = architecture_of(folder)
    if kind == "token" and is_causal(architecture):
        causal = f"{architecture} reads only to the left: a word is labelled without the words after it"
        return [f"{causal}; a bidirectional encoder usually labels better"]
    return []


def check_precision(config: PreTrainedConfig, training: str, evaluation: str) -> None:
    """Raise if an encoder can not be trained, or not be evaluated, in a precision.

    :raises LabelkitError: it computes in fp32 only.
    """
    for setting, precision in (("train.precision", training), ("train.eval_precision", evaluation)):
        if precision != "fp32" and config.model_type in FP32_ONLY:
            raise LabelkitError(
                f"{config.model_type} computes in fp32 only, not in {precision}", hint=f"--set {setting}=fp32"
            )


def precision_for(config: PreTrainedConfig, preferred: tuple[str, str]) -> tuple[str, str]:
    """Return the training precision of an encoder and the reason for it.

    :param preferred: the choice for the hardware, and the reason.
    """
    if preferred[0] != "fp32" and config.model_type in FP32_ONLY:
        return "fp32", f"{config.model_type} computes in fp32 only"
    return preferred


def hidden_size_of(config: PreTrainedConfig) -> int:
    """Return the hidden size of the text encoder."""
    return int(getattr(config.get_text_config(), "hidden_size", 0))


def default_max_length(limit: int) -> tuple[int, str]:
    """Return the automatic max length for an encoder of at most ``limit`` subwords, and the reason for it.

    >>> default_max_length(512)
    (512, 'the encoder reads 512 subwords')
    """
    if limit > LONGEST_WINDOW:
        return LONGEST_WINDOW, f"the encoder reads {limit} subwords, of which {LONGEST_WINDOW} are used"
    return limit, f"the encoder reads {limit} subwords"

"""Load an encoder with a fresh head, or a trained checkpoint, and what goes with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import ModelError
from labelkit.models.architectures import is_causal, required_inputs
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Schema

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


@contextlib.contextmanager
def silence_transformers() -> Iterator[None]:
    """Keep transformers from talking for a while: what matters is reported by labelkit. Also a decorator."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_config(folder: Path) -> PreTrainedConfig:
    """Return the encoder's configuration.

    :raises ModelError: transformers does not know this architecture.
    """
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(
            f"the model in {folder} cannot be used: {_one_line(error)}", hint="try --model bundled"
        ) from error
    return config


def load_classifier(
    folder: Path, schema: Schema, *, trained: bool = False, dropout: float | None = None
) -> PreTrainedModel:
    """Load the weights in ``folder`` in fp32 with a head for ``schema``; a head that is missing is made at random.

    :param trained: the folder is a checkpoint, whose head must be there.
    :param dropout: in place of every rate of dropout in the configuration.
    :raises ModelError: the architecture has no classification of the schema's kind, or the weights do not load or fit.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    head = AutoModelForTokenClassification if schema.kind == "token" else AutoModelForSequenceClassification
    names = schema.label_names
    options: dict[str, Any] = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {label: index for index, label in enumerate(names)},
        "dtype": torch.float32,
        "use_safetensors": True,
        "local_files_only": True,
        "trust_remote_code": False,
        # an encoder that was trained for other labels gives its body, not its head
        "ignore_mismatched_sizes": True,
    }
    if dropout is not None:
        options |= dict.fromkeys(dropout_rates(load_config(folder)), dropout)
    try:
        found: Any = head.from_pretrained(str(folder), output_loading_info=True, **options)
    except Exception as error:
        raise ModelError(
            f"the model in {folder} cannot be loaded: {_one_line(error)}", hint="try --model bundled"
        ) from error
    model: PreTrainedModel = found[0]
    if why := required_inputs(model):
        raise ModelError(
            f"{model.config.model_type} {why}, so it cannot label running text", hint="try --model bundled"
        )
    _check_loaded(folder, model, found[1], trained=trained)
    if not trained:
        _settle(folder, model)
    return model


def dropout_rates(config: PreTrainedConfig) -> list[str]:
    """Return which fields of a configuration are rates of dropout; architectures name them as they like."""
    return [name for name, value in config.to_dict().items() if "dropout" in name and isinstance(value, float)]


def freeze_embeddings(network: PreTrainedModel) -> None:
    """Keep the table of sub-tokens as it is: of a small encoder half of all weights, that each step would move."""
    network.get_input_embeddings().requires_grad_(False)


@contextlib.contextmanager
def attention(network: PreTrainedModel, name: str) -> Iterator[None]:
    """Compute attention in another way for a while.

    :param name: as transformers calls it.
    """
    before = network.config._attn_implementation
    network.set_attn_implementation(name)
    try:
        yield
    finally:
        network.set_attn_implementation(before)


def _settle(folder: Path, model: PreTrainedModel) -> None:
    """Set what decoders leave open: by which token a batch is filled up, and that nothing will be generated."""
    whole: Any = model.config
    text = whole.get_text_config()
    if text.pad_token_id is None or is_causal(whole.model_type):
        # where its classifiers find the end of a text; the tokenizer fills up with this one
        whole.pad_token_id = text.pad_token_id = load_tokenizer(folder).pad_token_id
    if getattr(text, "use_cache", False):
        text.use_cache = False
    if getattr(whole, "languages", None) and whole.default_language is None:
        raise ModelError(
            f"the encoder in {folder} has a part for each of {len(whole.languages)} languages and must be told which",
            hint=f"set default_language in its config.json: {', '.join(whole.languages[:3])} …",
        )


def _check_loaded(folder: Path, model: PreTrainedModel, report: Mapping[str, Any], *, trained: bool) -> None:
    """Refuse weights that transformers would replace by random ones with a mere warning."""
    absent = sorted({*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])})
    body = f"{model.base_model_prefix}."
    # an encoder that was trained without a pooler may get a fresh one: it belongs to the head
    lacking = [name for name in absent if trained or (name.startswith(body) and ".pooler." not in name)]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ModelError(
            f"the weights in {folder} do not fit its config.json: {lacking[0]}{more} missing or of another shape",
            hint="train again, or restore the folder" if trained else "fetch it again, or try --model bundled",
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

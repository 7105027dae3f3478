"""Load models: an encoder with a new classification head, or a trained checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import ModelError, one_line
from labelkit.hub.offline import no_network
from labelkit.models.architectures import check_layers, hidden_size_of, is_causal, required_inputs
from labelkit.models.heads import BoundHead
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Context, Head, HeadContext, Schema

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


#: attention implementations that need no other package and no kernel
_TORCH_ATTENTION = ("eager", "sdpa")


@contextlib.contextmanager
def silence_transformers() -> Iterator[None]:
    """Silence the log messages and progress bars of transformers in a ``with`` block or a decorated function."""
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


def local_attention(config: PreTrainedConfig) -> str | None:
    """Return the attention implementation that a configuration names if it is one of torch; else None, for the default.

    Any other may be a kernel on the Hub, which transformers would fetch.
    """
    named: str | None = config._attn_implementation
    return named if named in _TORCH_ATTENTION else None


def load_config(folder: Path) -> PreTrainedConfig:
    """Return the configuration of the encoder in ``folder``.

    :raises ModelError: transformers does not know the architecture.
    """
    from transformers import AutoConfig

    try:
        with no_network():
            config: PreTrainedConfig = AutoConfig.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise ModelError(
            f"the model in {folder} cannot be used: {one_line(error)}", hint="try --model bundled"
        ) from error
    return config


def bind_head(head: Head, folder: Path, schema: Schema, ctx: Context, **more: Any) -> BoundHead:
    """Return a head for the labels of ``schema`` on the encoder in ``folder``.

    :param ctx: the context of functions of plugins, which that of the head extends.
    :param more: further fields of its context.
    :raises ModelError: transformers does not know the architecture.
    """
    hidden_size = hidden_size_of(load_config(folder))
    shared = {field.name: getattr(ctx, field.name) for field in fields(Context)}
    return BoundHead(head, HeadContext(schema=schema, hidden_size=hidden_size, **shared, **more))


def load_classifier(
    folder: Path, head: BoundHead, *, trained: bool = False, take_head: bool | None = None
) -> PreTrainedModel:
    """Load the model in ``folder`` in fp32, with a classifier and a head behind it.

    Missing weights of both are initialised at random.

    :param head: its context says the labels, and the dropout that replaces each rate of the configuration.
    :param trained: the folder is a checkpoint, which must have them.
    :param take_head: keep the head that the folder may hold; None: if it has the same labels in the same order.
    :raises ModelError: the architecture has no classifier of the schema's kind, or the weights cannot be loaded.
    :raises LabelkitError: the head fails.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    schema, dropout = head.context.schema, head.context.dropout
    auto_class = AutoModelForTokenClassification if schema.kind == "token" else AutoModelForSequenceClassification
    options: dict[str, Any] = {
        **head.config,
        "dtype": torch.float32,
        "use_safetensors": True,
        "local_files_only": True,
        "trust_remote_code": False,
        # the head of a model that was trained for other labels is replaced
        "ignore_mismatched_sizes": True,
    }
    config = load_config(folder)
    check_layers(folder, config)
    options["attn_implementation"] = local_attention(config)
    if dropout is not None:
        options |= dict.fromkeys(dropout_rates(config), dropout)
    loaded = _load(auto_class, folder, options)
    model: PreTrainedModel = loaded[0]
    if inputs := required_inputs(model):
        raise ModelError(
            f"{model.config.model_type} {inputs}, so it cannot label running text", hint="try --model bundled"
        )
    _check_weights(folder, model, loaded[1], trained=trained)
    if not trained:
        _complete_config(folder, model)
        same = list((config.id2label or {}).values()) == list(head.config["id2label"].values())
        if not (same if take_head is None else take_head):
            _renew_output_layer(model, loaded[1])
    head.attach(model, folder if trained or take_head else None)
    return model


def _load(auto_class: Any, folder: Path, options: Mapping[str, Any]) -> Any:
    """Return the model in ``folder`` and how its weights fit it.

    :raises ModelError: it cannot be loaded.
    """
    try:
        with no_network():
            return auto_class.from_pretrained(str(folder), output_loading_info=True, **options)
    except Exception as error:
        raise ModelError(
            f"the model in {folder} cannot be loaded: {one_line(error)}", hint="try --model bundled"
        ) from error


def dropout_rates(config: PreTrainedConfig) -> list[str]:
    """Return the names of the dropout rates in a configuration; they differ between architectures."""
    return [name for name, value in config.to_dict().items() if "dropout" in name and isinstance(value, float)]


def freeze_embeddings(model: PreTrainedModel) -> None:
    """Freeze the input embeddings, which are half of the weights of a small encoder."""
    model.get_input_embeddings().requires_grad_(False)


@contextlib.contextmanager
def attention_implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Switch the attention implementation in a ``with`` block.

    :param name: as in transformers: ``"eager"``, ``"sdpa"``, …
    """
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _complete_config(folder: Path, model: PreTrainedModel) -> None:
    """Set what the configurations of decoders leave open: the padding token and no cache for generation."""
    config: Any = model.config
    text = config.get_text_config()
    if text.pad_token_id is None or is_causal(config.model_type):
        # by the padding token a decoder's classifier finds the end of a text
        config.pad_token_id = text.pad_token_id = load_tokenizer(folder).pad_token_id
    if getattr(text, "use_cache", False):
        text.use_cache = False
    if getattr(config, "languages", None) and config.default_language is None:
        raise ModelError(
            f"the encoder in {folder} has a part for each of {len(config.languages)} languages and must be told which",
            hint=f"set default_language in its config.json: {', '.join(config.languages[:3])} …",
        )


def _renew_output_layer(model: PreTrainedModel, report: Mapping[str, Any]) -> None:
    """Initialise the layer that gives a number for each label again, where it was loaded: its labels are others."""
    absent = {*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])}
    for name, module in model.named_modules():
        own = {f"{name}.{part}": weight for part, weight in module.named_parameters(recurse=False)}
        per_label = all(len(weight) == model.config.num_labels for weight in own.values())
        if own.keys() - absent and per_label and not name.startswith(f"{model.base_model_prefix}."):
            for one in (module, *own.values()):
                one._is_hf_initialized = False
            model._init_weights(module)


def _check_weights(folder: Path, model: PreTrainedModel, report: Mapping[str, Any], *, trained: bool) -> None:
    """Raise if weights are missing or mismatched: transformers only warns, and initialises them at random."""
    absent = sorted({*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])})
    body = f"{model.base_model_prefix}."
    # an encoder that was trained without a pooler may get a new one: it belongs to the head
    missing = [name for name in absent if trained or (name.startswith(body) and ".pooler." not in name)]
    labels = model.config.num_labels
    found = next((shape[0] for _, shape, wanted in report["mismatched_keys"] if wanted[:1] == (labels,)), None)
    if trained and found is not None:
        raise ModelError(
            f"config.json of {folder} names {labels} labels, its weights have {found} outputs",
            hint="correct id2label, or restore the folder",
        )
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"the weights in {folder} do not fit its config.json: {missing[0]}{more} missing or of another shape",
            hint="train again, or restore the folder" if trained else "fetch it again, or try --model bundled",
        )

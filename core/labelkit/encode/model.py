"""Load an encoder with a fresh head, or a trained checkpoint, and what goes with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import ModelError
from labelkit.records import Schema

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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


def load_classifier(folder: Path, schema: Schema, *, trained: bool = False) -> PreTrainedModel:
    """Load the weights in ``folder`` in fp32 with a head for ``schema``; a head that is missing is made at random.

    :param trained: the folder is a checkpoint, whose head must be there.
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
    try:
        found: Any = head.from_pretrained(str(folder), output_loading_info=True, **options)
    except Exception as error:
        raise ModelError(
            f"the model in {folder} cannot be loaded: {_one_line(error)}", hint="try --model bundled"
        ) from error
    model: PreTrainedModel = found[0]
    _check_loaded(folder, model, found[1], trained=trained)
    return model


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

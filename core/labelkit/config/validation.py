"""Values of settings that users give: parsed from text, and validated by pydantic against the annotations."""

from __future__ import annotations

import difflib
import functools
import tomllib
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, nearest
from labelkit.settings import SETTINGS

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_INSTEAD: dict[str, str] = {
    "train.precision": "bf16 fp16 bf16_full_eval fp16_full_eval half_precision_backend",
    "train.eval_tokens": "per_device_eval_batch_size eval_accumulation_steps eval_do_concat_batches",
    "--metric": "metric_for_best_model greater_is_better include_for_metrics batch_eval_metrics",
    "LABELKIT_HOME": "output_dir overwrite_output_dir logging_dir",
    "--name": "run_name project",
    "an observer plugin such as examples/labelkit-trackers, or callbacks=[…] of labelkit.run": "report_to",
    "CUDA_VISIBLE_DEVICES= to train on the CPU": "use_cpu",
    "nothing: labelkit decides it": """
        auto_find_batch_size debug disable_tqdm do_eval do_predict do_train enable_jit_checkpoint eval_delay
        eval_on_start eval_steps eval_strategy eval_use_gather_object hub_always_push hub_model_id hub_private_repo
        hub_revision hub_strategy hub_token ignore_data_skip label_names length_column_name load_best_model_at_end
        local_rank log_level log_level_replica log_on_each_node logging_first_step logging_nan_inf_filter
        logging_steps logging_strategy prediction_loss_only push_to_hub remove_unused_columns
        restore_callback_states_from_checkpoint resume_from_checkpoint save_on_each_node save_only_model save_steps
        save_strategy save_total_limit skip_memory_metrics trackio_bucket_id trackio_space_id
        trackio_static_space_id
    """,
}
#: fields of TrainingArguments that labelkit sets itself → what to use instead
OWNED: dict[str, str] = {field: instead for instead, fields in _INSTEAD.items() for field in fields.split()}

#: JSON type → its name in messages
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "nothing",
    "object": "a table",
    "array": 'a list, such as ["a", "b"]',
}

#: keyword of a JSON schema → what it says of a number
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


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
        raise LabelkitError(
            f"invalid --set {text!r}: expected KEY=VALUE", hint="for example --set train.learning_rate=2e-4"
        )
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def validate(key: str, value: Any) -> Any:
    """Return ``value`` as the setting ``key`` takes it: an int for a float becomes one, nothing else is converted.

    >>> validate("train.weight_decay", 1), validate("data.max_length", "auto")
    (1.0, 'auto')

    :raises LabelkitError: the setting is unknown or owned by labelkit, or the value is invalid.
    """
    adapter = type_adapter(key)
    try:
        return adapter.validate_python(value, strict=True)
    except ValueError:  # pydantic's ValidationError is one
        schema = adapter.json_schema()
        hint = f"it takes {describe(schema, schema.get('$defs', {}))}"
        if isinstance(value, str) and (close := difflib.get_close_matches(value, schema.get("enum", []), n=1)):
            hint = f"did you mean {close[0]}? {hint}"
        raise LabelkitError(f"invalid {key}: {value!r}", hint=hint) from None


@functools.cache
def type_adapter(key: str) -> TypeAdapter[Any]:
    """Return the pydantic type adapter of a setting.

    :raises LabelkitError: the setting is unknown, or owned by labelkit.
    """
    from pydantic import ConfigDict, TypeAdapter

    annotation = SETTINGS[key].annotation if key in SETTINGS else _trainer_annotation(key)
    return TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))


def _trainer_annotation(key: str) -> Any:
    """Return the annotation of a field of ``TrainingArguments`` that labelkit has no setting for."""
    section, _, name = key.partition(".")
    if section != "train" or not name:
        full = [known for known in SETTINGS if known.partition(".")[2] == key]
        hint = f"did you mean {full[0]}?" if full else nearest(key, SETTINGS)
        raise LabelkitError(f"unknown setting '{key}'", hint=hint)
    if name in OWNED:
        raise LabelkitError(f"train.{name} is set by labelkit", hint=f"use {OWNED[name]}")
    from transformers import TrainingArguments

    annotations = typing.get_type_hints(TrainingArguments)
    if name not in annotations:
        known = {*SETTINGS, *(f"train.{field}" for field in annotations.keys() - OWNED.keys())}
        raise LabelkitError(f"unknown setting '{key}'", hint=nearest(key, known))
    return annotations[name]


def describe(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return in words which values a JSON schema takes.

    >>> describe({"anyOf": [{"type": "integer", "minimum": 8}, {"const": "auto", "type": "string"}]}, {})
    'a whole number, at least 8, or auto'

    :param definitions: the schemas that it may refer to, by name.
    """
    if "$ref" in schema:
        return describe(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return ", or ".join(describe(choice, definitions) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if isinstance(schema.get("additionalProperties"), dict):
        return f"a table of names, each with {describe(schema['additionalProperties'], definitions)}"
    bounds = [f"{words} {schema[bound]:,}" for bound, words in _BOUNDS.items() if bound in schema]
    return ", ".join([_TYPES.get(schema.get("type", ""), "any value"), *([" and ".join(bounds)] if bounds else [])])

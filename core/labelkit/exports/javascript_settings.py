"""The settings that ``labelkit.js`` reads: ``labelkit.json``, and what a tokenizer and a scheme imply."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from labelkit.exports.characters import bert_characters, splitter_characters
from labelkit.inference.thresholds import threshold_array
from labelkit.models.case_marks import AFTER_CAPITALISED, MARK
from labelkit.models.checkpoint import CheckpointInfo

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from labelkit.encode.alignment import Encoding

#: version of the settings, which ``labelkit.js`` checks
FORMAT = 1
#: settings of BERT's normalizer that ``labelkit.js`` reads
_BERT = ("handle_chinese_chars", "lowercase", "strip_accents")


def javascript_settings(info: CheckpointInfo, encoding: Encoding) -> dict[str, Any]:
    """Return the settings for ``labelkit-js.json``."""
    schema, special = info.schema, encoding.special_tokens
    thresholds = threshold_array(info.thresholds, schema)
    return {
        "format": FORMAT,
        "labelkit": version("labelkit"),
        "run": info.run,
        "task": info.task,
        "kind": info.kind,
        "labels": schema.label_names,
        "scheme": schema.scheme,
        "multilabel": schema.multilabel,
        "numeric": schema.numeric,
        "decoder": info.decoder,
        "rules": _transition_rules(info),
        "thresholds": None if thresholds is None else thresholds.tolist(),
        "temperature": info.temperature,
        "fallback": _fallback(info),
        "output_of": info.output_of,
        "splitter": info.splitter,
        "max_length": encoding.max_length,
        "stride": encoding.stride,
        "prefix": special.prefix,
        "suffix": special.suffix,
        "token_types": special.types,
        "pad_id": encoding.pad_id,
        "pad_left": encoding.pad_left,
        "leading_space": encoding.leading_space,
        "blank_ids": encoding.blank_ids,
        "special": sorted(encoding.content.special),
        "bert": bert_settings(encoding.content.backend),
        "characters": splitter_characters() if info.kind == "token" else {},
    }


def _fallback(info: CheckpointInfo) -> float | int:
    if info.schema.numeric:
        return float(info.fallback)
    return 0 if info.schema.multilabel else info.schema.label_names.index(info.fallback)


def _transition_rules(info: CheckpointInfo) -> dict[str, Any] | None:
    """Return the transitions that the tagging scheme allows, as label ids; None where all are."""
    if info.decoder != "viterbi" or info.schema.scheme is None:
        return None
    from labelkit.inference.viterbi import rules_of

    rules = rules_of(info.schema)
    return {name: getattr(rules, name).tolist() for name in ("first", "last", "common", "inside", "openers")}


def bert_settings(backend: Tokenizer) -> dict[str, Any] | None:
    """Return how a tokenizer of BERT normalises and splits; None for any other one."""
    state = json.loads(backend.to_str())
    parts = _normalizers(state)
    marks = len(parts) == 2 and is_case_mark(parts[0])
    bert = parts[-1] if parts and (marks or len(parts) == 1) else {}
    plain = all(token["special"] for token in state["added_tokens"])
    types = (bert.get("type"), (state["pre_tokenizer"] or {}).get("type"), state["model"]["type"])
    if types != ("BertNormalizer", "BertPreTokenizer", "WordPiece") or not plain or not bert["clean_text"]:
        return None
    return {**{name: bert[name] for name in _BERT}, "case_marks": marks, **bert_characters(backend)}


def is_case_mark(normalizer: dict[str, Any]) -> bool:
    """Return whether a normalizer of ``tokenizer.json`` is the one that puts case marks."""
    pattern = normalizer.get("pattern") or {}
    return normalizer["type"] == "Replace" and (pattern.get("Regex"), normalizer["content"]) == (
        AFTER_CAPITALISED,
        MARK,
    )


def _normalizers(state: dict[str, Any]) -> list[dict[str, Any]]:
    normalizer = state["normalizer"]
    if normalizer is None:
        return []
    return list(normalizer["normalizers"]) if normalizer["type"] == "Sequence" else [normalizer]

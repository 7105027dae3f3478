"""The settings that ``labelkit.js`` reads: ``labelkit.json``, and what a tokenizer and a scheme imply."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from labelkit.exports.characters import bert_characters, splitter_characters
from labelkit.inference.thresholds import threshold_array
from labelkit.models.case_marks import AFTER_CAPITALISED, AFTER_CAPITALS
from labelkit.models.checkpoint import CheckpointInfo

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from labelkit.encode.alignment import Encoding

#: version of the settings, which ``labelkit.js`` checks
FORMAT = 2
_CAPITALS = r"(?:\p{Lu}\p{M}*){2,}"
_AFTER = r"(?![\p{L}\p{M}])(?<=(?<![\p{L}\p{M}])"
#: the patterns of case marks as JavaScript writes them, which has neither possessive quantifiers nor ``\\K`` and looks
#: behind at any length; the last one is of checkpoints of before
CASE_MARKS = {
    AFTER_CAPITALS: rf"{_AFTER}{_CAPITALS})",
    AFTER_CAPITALISED: rf"{_AFTER}(?!{_CAPITALS}(?![\p{{L}}\p{{M}}]))\p{{Lu}}[\p{{L}}\p{{M}}]*)",
    r"(?<![\p{L}\p{M}])\p{Lu}[\p{L}\p{M}]*+\K": rf"{_AFTER}\p{{Lu}}[\p{{L}}\p{{M}}]*)",
}
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
    patterns = [case_mark_pattern(part) for part in parts[:-1]]
    bert = parts[-1] if parts and all(patterns) else {}
    plain = all(token["special"] for token in state["added_tokens"])
    types = (bert.get("type"), (state["pre_tokenizer"] or {}).get("type"), state["model"]["type"])
    if types != ("BertNormalizer", "BertPreTokenizer", "WordPiece") or not plain or not bert["clean_text"]:
        return None
    marks = [[pattern, part["content"]] for pattern, part in zip(patterns, parts, strict=False)]
    return {**{name: bert[name] for name in _BERT}, "case_marks": marks, **bert_characters(backend)}


def case_mark_pattern(normalizer: dict[str, Any]) -> str | None:
    """Return the pattern for JavaScript of a normalizer of ``tokenizer.json`` that puts case marks; None for others."""
    pattern = normalizer.get("pattern") or {}
    return CASE_MARKS.get(pattern.get("Regex", "")) if normalizer["type"] == "Replace" else None


def _normalizers(state: dict[str, Any]) -> list[dict[str, Any]]:
    normalizer = state["normalizer"]
    if normalizer is None:
        return []
    return list(normalizer["normalizers"]) if normalizer["type"] == "Sequence" else [normalizer]

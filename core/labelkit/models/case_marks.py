"""Case marks: uncased tokenizers keep a trace of capitals, by which names are found.

Normalizers inside ``tokenizer.json`` put a known character after each capitalised word, and another one after a word of
capitals, so that a checkpoint stays a plain folder which tokenizes alike wherever it is loaded. After and not before
the word: labels are learned on its first subword, which thus stays one that was pre-trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CAPITALS = r"(?>(?:\p{Lu}\p{M}*){2,})(?![\p{L}\p{M}])"
#: match the empty string after a word of two capitals or more, and after another one whose first letter is a capital
AFTER_CAPITALS = rf"(?<![\p{{L}}\p{{M}}]){_CAPITALS}\K"
AFTER_CAPITALISED = rf"(?<![\p{{L}}\p{{M}}])(?!{_CAPITALS})\p{{Lu}}[\p{{L}}\p{{M}}]*+\K"
#: where each mark is put, in this order; subwords of their own for tokenizers that split at punctuation
MARKS = {AFTER_CAPITALS: "~", AFTER_CAPITALISED: "^"}


def add_case_marks(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer with case marks; one that is cased, or cannot have them, is returned unchanged."""
    from tokenizers import Regex, Tokenizer, normalizers
    from transformers import PreTrainedTokenizerFast

    if not supports_case_marks(tokenizer):
        return tokenizer
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rules = [normalizers.Replace(Regex(pattern), mark) for pattern, mark in MARKS.items()]
    backend.normalizer = normalizers.Sequence([*rules, backend.normalizer])
    # a model's own tokenizer class would rebuild its normalizer when the checkpoint is loaded, the generic one does not
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def supports_case_marks(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a tokenizer is uncased, has no case marks, and would make each mark a subword of its own."""
    normalizer = json.loads(tokenizer.backend_tokenizer.to_str()).get("normalizer")
    if any(part.get("content") in MARKS.values() for part in _parts(normalizer)):
        return False
    lowers = any(part["type"] == "Lowercase" or part.get("lowercase") for part in _parts(normalizer))
    words = ["a", *(f"a{mark}" for mark in MARKS.values())]
    ids = tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    return lowers and len(ids) == 2 * len(words) - 1 and tokenizer.unk_token_id not in ids[1:]


def _parts(normalizer: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a serialised normalizer."""
    if not isinstance(normalizer, dict):
        return
    if normalizer["type"] != "Sequence":
        yield normalizer
    for inner in normalizer.get("normalizers", ()):
        yield from _parts(inner)
